"""Which layers multiply integers: what ``--optimize`` means.

A graph that takes no tokens reads all frames of a recording at once: a thousand rows and more, for which onnxruntime's
8-bit integer products are several times faster than its products over grouped scales. Those want one scale an output
channel, and inputs rounded to 8 bits on every call. A decoder reads one row a step, for which both are equally fast,
so it keeps the groups, which lose less.
"""

from __future__ import annotations

from collections.abc import Mapping

from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.options.config import QuantizeConfig
from passes.graph.layers import Layer
from passes.graph.ops import LayerKind
from passes.numbers.scheme import Granularity


def int8_layers(prepared: Prepared, config: QuantizeConfig) -> frozenset[str]:
    """Layers whose inputs are rounded on every call, for integer kernels.

    ``speed`` takes every linear layer that reads frames, ``balanced`` those that are not square: the feed-forward
    layers, which do two thirds of the work. A layer whose rule asks for groups is left out.
    """
    if config.optimize == "size":
        return frozenset()
    return frozenset(
        layer.name
        for layer in prepared.layers
        if _reads_frames(layer, prepared.signatures)
        and (config.optimize == "speed" or layer.rows != layer.cols)
        and _granularity(config, layer.name).kind != "group"
    )


def granularity_of(prepared: Prepared, config: QuantizeConfig, layer: str) -> Granularity:
    """Weights of ``layer`` that share a scale, before an allocation chooses among groups."""
    rule = config.rule_for(layer)
    if rule is not None and rule.granularity:
        return Granularity.parse(rule.granularity)
    return _integer(config) if layer in int8_layers(prepared, config) else Granularity.parse(config.granularity)


def _granularity(config: QuantizeConfig, layer: str) -> Granularity:
    """What the rules leave an integer kernel of ``layer``."""
    rule = config.rule_for(layer)
    return Granularity.parse(rule.granularity) if rule is not None and rule.granularity else _integer(config)


def _integer(config: QuantizeConfig) -> Granularity:
    common = Granularity.parse(config.granularity)
    return Granularity("channel") if common.kind == "group" else common


def _reads_frames(layer: Layer, signatures: Mapping[str, GraphSignature]) -> bool:
    return all(
        use.kind is LayerKind.LINEAR and all(spec.dtype.is_floating_point for spec in signatures[use.graph].inputs)
        for use in layer.uses
    )
