"""Captures a model and brings its graphs into canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from myqasr_fx.bundle.layout import DEFAULT, LAYOUTS, Layout
from myqasr_fx.capture.canonical import CANONICALIZING, CanonicalGraphs
from myqasr_fx.capture.program import signatures
from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.capture.whisper_fixed import ENCODER
from myqasr_fx.models.learned import Learned
from myqasr_fx.models.onnx_asr import adapters
from myqasr_fx.models.sherpa import sherpa_properties
from myqasr_fx.models.speech_model import SpeechModel
from passes.canonical.replace_parameters import ReplaceParameters
from passes.graph.layers import find_layers
from passes.manager.run_passes import run_passes


@dataclass(frozen=True, slots=True, eq=False)
class Prepared(CanonicalGraphs):
    """A speech model as canonical graphs.

    Args:
        speech: The model; its network shares its parameters with the graphs.
        silence: Frames of the silence behind a clip that one stands for, where the graphs count them.
        learned: What the model learned before; the parameters of the graphs are those, not the network's.
    """

    speech: SpeechModel
    silence: int | None = None
    learned: Learned | None = None


def prepare(
    speech: SpeechModel, dump_ir: Path | None = None, layout: Layout = LAYOUTS[DEFAULT], silence: int | None = None
) -> Prepared:
    """Captures ``speech`` and canonicalizes its graphs.

    Args:
        speech: The model.
        dump_ir: Folder for the graphs after each pass.
        layout: Of the bundle, which decides what the graphs take and give.
        silence: Frames of silence that one stands for, in graphs that count them.
    """
    captured = speech.capture(fixed_cache=layout.fixed_cache, silence=silence)
    program = run_passes(captured, CANONICALIZING, dump_ir and dump_ir / "prepare")
    return Prepared(program, _signatures(speech, layout, silence), find_layers(program), speech, silence)


def with_learned(prepared: Prepared, learned: Learned | None) -> Prepared:
    """The model with what it learned, if that is used, in its graphs."""
    changed = with_parameters(prepared, learned.tensors) if learned and learned.tensors else prepared
    return replace(changed, learned=learned)


def with_parameters(prepared: Prepared, tensors: Mapping[str, Tensor]) -> Prepared:
    """The model with other values for some parameters: other graphs over the same tensors, but for those."""
    return replace(prepared, program=run_passes(prepared.program, (ReplaceParameters(tensors),)))


def _signatures(speech: SpeechModel, layout: Layout, silence: int | None) -> Mapping[str, GraphSignature]:
    graphs = dict(signatures(speech.config, fixed_cache=layout.fixed_cache, silence=silence))
    if layout.fixed_cache and speech.generation is not None:
        properties = sherpa_properties(speech.config, speech.generation, speech.tokenizer.get_vocab())
        graphs[ENCODER] = replace(graphs[ENCODER], properties=properties)
    if layout.adapts:
        graphs |= {name: replace(graphs[name], adapter=adapter) for name, adapter in adapters(speech).items()}
    return graphs
