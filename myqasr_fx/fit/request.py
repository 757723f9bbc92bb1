"""What the files shall be: the options, resolved against one model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from myqasr_fx.bundle.context_record import silence_in
from myqasr_fx.bundle.layout import LAYOUTS, Layout
from myqasr_fx.capture.canonical import CanonicalGraphs
from myqasr_fx.fit.layer_requests import LayerRequest, layer_requests
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.config import QuantizeConfig
from passes.allocation import REGISTRY as ALLOCATIONS
from passes.allocation.problem import Request
from passes.numbers.scheme import FLOAT_BITS, MAX_PACKED_BITS, Granularity, NumberFormat
from passes.registry import lookup
from passes.rounding import REGISTRY as ROUNDINGS


@dataclass(frozen=True, slots=True)
class FitRequest:
    """What is asked of the files and of every layer in them.

    Args:
        layers: Name to what each layer gets.
        allocation: Method, budget in bytes and bounds.
        counts_files: The budget counts bytes of files; else it counts sum of bits/8 of the weights alone, or of all
            parameters where ``others`` is known.
        granularity: Common to all layers that have no other.
        symmetric: No zero points for weights.
        sensitivity: Name of the metric that ranks layers.
        rounding: Common to all layers that have no other.
        sequential: Round each layer behind the rounded ones.
        calibration: Name of the range method.
        format: Of the codes where no allocation chooses; ``trellis`` leaves affine codes to widths without one.
        activation_bits: Width of quantized inputs; None keeps them float.
        activation_ranges: Name of the method that covers their ranges.
        opset: Of the files.
        layout: Where they lie.
        dump_ir: Folder for the graphs after each pass.
        others: Parameters that are no weights of layers, where a budget counts them at 32 bits.
        drafts: Files are only weighed: trellis codes are not searched.
    """

    layers: Mapping[str, LayerRequest]
    allocation: Request
    counts_files: bool
    granularity: Granularity
    symmetric: bool
    sensitivity: str
    rounding: str
    sequential: bool
    calibration: str
    format: NumberFormat
    activation_bits: int | None
    activation_ranges: str
    opset: int
    layout: Layout
    dump_ir: Path | None = None
    others: int | None = None
    drafts: bool = False

    @property
    def trellis_layers(self) -> frozenset[str]:
        """Layers that may have trellis codes."""
        return frozenset(name for name, layer in self.layers.items() if "trellis" in layer.formats)

    @property
    def integer_layers(self) -> frozenset[str]:
        """Layers whose inputs are rounded on every call."""
        return frozenset(name for name, layer in self.layers.items() if layer.integer)

    @property
    def codes_tables(self) -> bool:
        """Tables of positions are rounded to 8 bits: files are to be small, and no width says that they stay floats."""
        return self.counts_files and (self.allocation.uniform_bits or 0) <= MAX_PACKED_BITS

    @property
    def weighs_damage(self) -> bool:
        """The allocation weighs the damage of every choice against its bytes."""
        return lookup(ALLOCATIONS, self.allocation.method, "allocation").needs.curvature

    def draft(self) -> FitRequest:
        """The same with codes that are chosen quickly: how they are chosen changes no bytes."""
        layers = {name: replace(layer, rounding=_draft(layer.rounding)) for name, layer in self.layers.items()}
        rounding = _draft(self.rounding)
        return replace(self, layers=layers, rounding=rounding, sequential=False, drafts=bool(self.trellis_layers))

    def dump(self, stage: str) -> Path | None:
        """Folder for the graphs of a stage."""
        return self.dump_ir and self.dump_ir / stage


def captured(speech: SpeechModel, config: QuantizeConfig) -> Prepared:
    """The graphs that the options ask for."""
    layout = LAYOUTS[config.layout]
    return prepare(speech, config.dump_ir, layout, silence_in(config.context, fixed_cache=layout.fixed_cache))


def fit_request(prepared: CanonicalGraphs, config: QuantizeConfig) -> FitRequest:
    """Resolves options against a model.

    Raises:
        OptionError: A rule matches none of the model's layers.
    """
    config.check_rules(tuple(layer.name for layer in prepared.layers if layer.weight))
    chooses = lookup(ALLOCATIONS, config.allocation, "allocation").needs.curvature
    layers = layer_requests(prepared, config, chooses=chooses)
    counts_parameters = config.budget.kind == "parameters"
    others = prepared.num_parameters - prepared.num_weights if counts_parameters else None
    kept = [x.num_weights for x in prepared.layers if counts_parameters and layers[x.name].fixed_bits == FLOAT_BITS]
    return FitRequest(
        layers=layers,
        allocation=Request(
            method=config.allocation,
            budget=budget_bytes(config.budget, prepared.num_weights - sum(kept), sum(kept) + (others or 0)),
            uniform_bits=config.budget.uniform_bits,
            order=config.order,
            seed=config.seed,
            min_bits=config.min_bits,
            max_bits=config.max_bits,
            fill=config.fill,
            spread=config.max_spread,
        ),
        counts_files=config.budget.kind == "file",
        granularity=Granularity.parse(config.granularity),
        symmetric=config.symmetric,
        sensitivity=config.sensitivity,
        rounding=config.rounding,
        sequential=config.sequential,
        calibration=config.calibration,
        format="trellis" if config.format == "trellis" and not chooses else "affine",
        activation_bits=config.activation_bits if config.activations == "int8" else None,
        activation_ranges=config.activation_ranges,
        opset=config.opset,
        layout=LAYOUTS[config.layout],
        others=others,
        dump_ir=config.dump_ir,
    )


def budget_bytes(budget: Budget, num_weights: int, kept: int = 0) -> int | None:
    """Bytes that ``budget`` allows; None for one width for everything.

    Args:
        budget: Its average bits are of ``num_weights``.
        num_weights: Weights whose width counts.
        kept: Parameters that are counted at 32 bits beside them.
    """
    if budget.avg_bits is not None:
        return int((budget.avg_bits * num_weights + FLOAT_BITS * kept) / 8)
    return budget.bytes


def _draft(rounding: str) -> str:
    return lookup(ROUNDINGS, rounding, "rounding").draft
