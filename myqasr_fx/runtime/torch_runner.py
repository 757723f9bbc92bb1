"""Runs captured or lowered graphs in torch, behind the same runtimes as exported files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import fx

from myqasr_fx.capture import whisper_fixed
from myqasr_fx.capture.ctc import MODEL
from myqasr_fx.capture.program import signatures
from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.capture.whisper import DECODER, ENCODER
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.process.mapped_tensors import mapped_array
from myqasr_fx.runtime.client_inputs import ctc_graph, decoder_graph
from myqasr_fx.runtime.context import Context
from myqasr_fx.runtime.ctc import CtcRuntime
from myqasr_fx.runtime.fixed_cache import FixedCache
from myqasr_fx.runtime.growing_cache import CacheShape
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule
from myqasr_fx.runtime.once import encoders_once
from myqasr_fx.runtime.runtime import GraphRunner, Runtime
from myqasr_fx.runtime.whisper import WhisperRuntime
from passes.base import Program
from passes.graph.frugal import frugal


class TorchRunner:
    """A GraphModule whose arguments and results follow a signature.

    Args:
        module: Captured, observed or lowered graph.
        signature: Names of its inputs and outputs.
    """

    def __init__(self, module: fx.GraphModule, signature: GraphSignature) -> None:
        self._module = module
        self._signature = signature
        self._asked: dict[tuple[str, ...], fx.GraphModule] = {}

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the values that the graph asks for."""
        return frozenset(self._signature.input_names)

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The named outputs for inputs by name."""
        asked = tuple(outputs)
        if asked not in self._asked:
            self._asked[asked] = frugal(self._module, [self._signature.output_names.index(name) for name in asked])
        with torch.no_grad():
            values = self._asked[asked](*(torch.from_numpy(feeds[name]) for name in self._signature.input_names))
        return {name: value.numpy() for name, value in zip(asked, values, strict=True)}


def torch_runtime(
    model: SpeechModel,
    program: Program,
    no_speech: NoSpeechRule = USUAL,
    silence: int | None = None,
    remembered: int = 0,
) -> Runtime:
    """A runtime on the graphs of ``program``, with the features and the tokenizer of ``model``; it draws no text again.

    Args:
        model: The model.
        program: Its graphs.
        no_speech: When a text is dropped; of CTC models by its ``vad_threshold`` alone.
        silence: Frames of silence that one stands for in the graphs; None: they do not count them.
        remembered: Bytes of encoder states that temporary files keep, for clips that are heard again.
    """
    graphs = signatures(model.config, fixed_cache=whisper_fixed.DECODER in program.graphs)
    runners: Mapping[str, GraphRunner]
    runners = {name: TorchRunner(program.graphs[name], signature) for name, signature in graphs.items()}
    if remembered:
        runners = encoders_once(runners, None, mapped_array, remembered)
    return runtime_of(model, runners, _tensor_bytes(program), no_speech, silence)


def runtime_of(
    model: SpeechModel,
    runners: Mapping[str, GraphRunner],
    model_bytes: int,
    no_speech: NoSpeechRule = USUAL,
    silence: int | None = None,
) -> Runtime:
    """A runtime on any runners, by graph name, with the features and the tokenizer of ``model``; see above."""
    if model.generation is None:
        blank = model.config.pad_token_id
        graph, features = ctc_graph(runners[MODEL], model.features)
        return CtcRuntime(graph, features, model.tokenizer, blank, model_bytes, no_speech)
    config, fixed = model.config.to_dict(), whisper_fixed.DECODER in runners
    cache = FixedCache.of(config) if fixed else CacheShape.of(config)
    encoder, decoder = (whisper_fixed.ENCODER, whisper_fixed.DECODER) if fixed else (ENCODER, DECODER)
    graphs = (runners[encoder], decoder_graph(runners[decoder]))
    given = partial(WhisperRuntime, *graphs, context=Context.of(silence))
    return given(model.features, model.tokenizer, model.generation, cache, model_bytes, no_speech)


def _tensor_bytes(program: Program) -> int:
    """Bytes of all parameters and buffers, shared ones once."""
    tensors = {
        tensor.data_ptr(): tensor.numel() * tensor.element_size()
        for graph in program.graphs.values()
        for tensor in (*graph.parameters(), *graph.buffers())
    }
    return sum(tensors.values())
