"""Captures a model and brings its graphs into canonical form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from myqasr_fx.bundle.layout import DEFAULT, LAYOUTS, Layout
from myqasr_fx.capture.program import signatures
from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.capture.whisper_fixed import ENCODER
from myqasr_fx.models.sherpa import sherpa_properties
from myqasr_fx.models.speech_model import SpeechModel
from passes.base import Pass, Program
from passes.canonical.canonicalize import Canonicalize
from passes.canonical.decompose_attention import DecomposeAttention
from passes.graph.layers import Layer, find_layers, weight_of
from passes.manager.run_passes import run_passes

CANONICALIZING: tuple[Pass, ...] = (Canonicalize(), DecomposeAttention())
"""From captured graphs to those that all later passes take."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A model as canonical graphs.

    Args:
        speech: The model; its network shares its parameters with the graphs.
        program: Canonical graphs with attention as two products.
        signatures: Graph name to inputs and outputs.
        layers: In network order.
    """

    speech: SpeechModel
    program: Program
    signatures: Mapping[str, GraphSignature]
    layers: tuple[Layer, ...]

    @property
    def num_weights(self) -> int:
        """Weights in all layers."""
        return sum(layer.num_weights for layer in self.layers)

    def weight(self, layer: Layer) -> Tensor:
        """The weight of ``layer`` in its own shape.

        Raises:
            PassError: The layer has none.
        """
        return weight_of(self.program.graphs[layer.uses[0].graph], layer)


def prepare(speech: SpeechModel, dump_ir: Path | None = None, layout: Layout = LAYOUTS[DEFAULT]) -> Prepared:
    """Captures ``speech`` and canonicalizes its graphs.

    Args:
        speech: The model.
        dump_ir: Folder for the graphs after each pass.
        layout: Of the bundle, which decides what the graphs take and give.
    """
    captured = speech.capture(fixed_cache=layout.fixed_cache)
    program = run_passes(captured, CANONICALIZING, dump_ir and dump_ir / "prepare")
    return Prepared(speech, program, _signatures(speech, layout), find_layers(program))


def _signatures(speech: SpeechModel, layout: Layout) -> Mapping[str, GraphSignature]:
    graphs = dict(signatures(speech.config, fixed_cache=layout.fixed_cache))
    if layout.fixed_cache and speech.generation is not None:
        properties = sherpa_properties(speech.config, speech.generation, speech.tokenizer.get_vocab())
        graphs[ENCODER] = replace(graphs[ENCODER], properties=properties)
    return graphs
