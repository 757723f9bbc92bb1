"""What a layer gets: made once from the options, the rules of single layers, and the kernels that will run them.

A graph that takes no tokens reads all frames of a recording at once: a thousand rows and more, for which onnxruntime's
8-bit integer products are several times faster than its products over grouped scales. Those want one scale an output
channel, and inputs rounded to 8 bits on every call. A decoder reads one row a step, for which both are equally fast,
so it keeps the groups, which lose less. That is what ``--optimize`` chooses between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from myqasr_fx.capture.canonical import CanonicalGraphs
from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.layer_rule import LayerRule
from myqasr_fx.options.needs import knows_trellis
from passes.allocation.allocate_bits import Override
from passes.graph.layers import Layer
from passes.graph.ops import LayerKind
from passes.numbers.scheme import FLOAT_BITS, Granularity, NumberFormat

GROUP_SIZES = (32, 64, 128)
"""Groups that an allocation that weighs damage chooses from."""

KEPT_BY_THE_CODE = "the paper's published code keeps it"
_KEPT = ("*lm_head", "*proj_out", "*pos_conv_embed.*")


@dataclass(frozen=True, slots=True)
class LayerRequest:
    """What one layer gets.

    Args:
        granularity: Weights that share a scale, before an allocation chooses among groups.
        granularities: Those that it chooses from; one where there is no choice.
        rounding: Name in the rounding registry.
        fixed_bits: Its width, whatever the allocation would choose; None leaves it free.
        integer: Its inputs are rounded on every call, for an integer kernel.
        reason: Why it stays in float, where a rule says so.
        special: Its granularity is its own, not the common one.
        formats: Of its codes: the first where an allocation does not choose.
    """

    granularity: Granularity
    granularities: tuple[Granularity, ...]
    rounding: str
    fixed_bits: int | None = None
    integer: bool = False
    reason: str | None = None
    special: bool = False
    formats: tuple[NumberFormat, ...] = ("affine",)


def layer_requests(prepared: CanonicalGraphs, config: QuantizeConfig, *, chooses: bool) -> dict[str, LayerRequest]:
    """Name to request of every layer of the model.

    Args:
        prepared: Canonical graphs.
        config: Options and rules.
        chooses: The allocation chooses among groups.
    """
    common = Granularity.parse(config.granularity)
    found = {}
    for layer in prepared.layers:
        rule = config.rule_for(layer.name)
        text = (rule and rule.granularity) or (config.conv_granularity if layer.kind.convolves else None)
        own = Granularity.parse(text) if text else None
        kept = config.budget.kind == "parameters" and is_kept_by_the_code(layer)
        integer = _runs_integers(layer, own or _integer(common), prepared.signatures, config.optimize)
        asked = own or (_integer(common) if integer else common)
        free = chooses and asked.kind == "group" and own is None
        found[layer.name] = LayerRequest(
            granularity=asked,
            granularities=tuple(Granularity("group", size) for size in GROUP_SIZES) if free else (asked,),
            rounding=(rule and rule.rounding) or config.rounding,
            fixed_bits=_fixed(rule) or (FLOAT_BITS if kept else None),
            integer=integer,
            reason="kept by a rule" if rule is not None and rule.keep else KEPT_BY_THE_CODE if kept else None,
            special=own is not None or integer,
            formats=_formats(config, asked, integer=integer, chooses=chooses),
        )
    return found


def is_kept_by_the_code(layer: Layer) -> bool:
    """Embeddings, output layer and positional convolution: what the paper's published code leaves at 32 bits."""
    looked_up = any(use.kind is LayerKind.EMBEDDING for use in layer.uses)
    return looked_up or any(fnmatchcase(layer.name, pattern) for pattern in _KEPT)


def overrides(
    requests: Mapping[str, LayerRequest], layers: tuple[Layer, ...], rounding: str, common: NumberFormat = "affine"
) -> dict[str, Override]:
    """What differs for each layer with a weight from what is common to all.

    Args:
        requests: Of every layer.
        layers: Of the model.
        rounding: The common one.
        common: The format of the codes of the others.
    """

    def different() -> Iterator[tuple[str, Override]]:
        for layer in layers:
            request = requests[layer.name]
            override = Override(
                request.fixed_bits,
                request.granularity if request.special else None,
                request.reason,
                request.rounding if request.rounding != rounding else None,
                "affine" if common == "trellis" and request.formats == ("affine",) else None,
            )
            if layer.weight is not None and override != Override():
                yield layer.name, override

    return dict(different())


def _fixed(rule: LayerRule | None) -> int | None:
    return None if rule is None else rule.bits or rule.keep


def _formats(
    config: QuantizeConfig, granularity: Granularity, *, integer: bool, chooses: bool
) -> tuple[NumberFormat, ...]:
    """Formats of a layer's codes: integer kernels want evenly spaced levels, and a trellis scales of its own rows."""
    able = config.calibration == "min_max" and all(map(knows_trellis, config.roundings))
    if integer or granularity.kind == "tensor" or config.activations == "int8" or config.format == "affine" or not able:
        return ("affine",)
    if chooses:
        return ("affine", "trellis")
    return ("trellis",) if config.format == "trellis" else ("affine",)


def _integer(common: Granularity) -> Granularity:
    """What an integer kernel takes where groups are common."""
    return Granularity("channel") if common.kind == "group" else common


def _runs_integers(
    layer: Layer, granularity: Granularity, signatures: Mapping[str, GraphSignature], optimize: str
) -> bool:
    """``speed`` takes every linear layer that reads frames, ``balanced`` those that are not square.

    The latter are the feed-forward layers, which do two thirds of the work. A layer whose rule asks for groups is left
    out.
    """
    if optimize == "size" or granularity.kind == "group":
        return False
    reads_frames = all(
        use.kind is LayerKind.LINEAR and all(spec.dtype.is_floating_point for spec in signatures[use.graph].inputs)
        for use in layer.uses
    )
    return reads_frames and (optimize == "speed" or layer.rows != layer.cols)
