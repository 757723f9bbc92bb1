"""What to change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.bundle.measure_record import FAILS, MeasureRecord
from myqasr_fx.diagnose.record import Advice, LayerDiagnosis
from passes.numbers.scheme import MAX_PACKED_BITS

LAYERS = 3
"""Layers to widen at most."""

SHARE = 0.05
"""Of what all layers cost alone: layers that cost less are not worth an option."""

SMALL = 0.002
"""Nats a position below which nothing is worth a change."""


def advise(
    manifest: BundleManifest,
    layers: Sequence[LayerDiagnosis],
    rounding_kl: float,
    bundle_kl: float,
    measures: Sequence[MeasureRecord] = (),
) -> tuple[Advice, ...]:
    """Layers to keep wide, a larger budget, or nothing.

    Args:
        manifest: Of the bundle.
        layers: Diagnosed.
        rounding_kl: Nats a position of the rounded weights alone.
        bundle_kl: Of the bundle.
        measures: What the verdict makes of it.
    """
    if needs_nothing(bundle_kl, measures):
        return ()
    total = sum(layer.kl or 0 for layer in layers)
    sizes = {layer.name: layer.shape for layer in manifest.layers}
    wide = []
    for layer in layers:
        if layer.bits is not None and layer.bits < MAX_PACKED_BITS and layer.kl and layer.kl >= SHARE * total:
            weights = math.prod(sizes[layer.name])
            cost = max(1, int(weights * (MAX_PACKED_BITS - layer.bits) / 8))
            if cost <= manifest.num_weights // 8:  # beyond that, a bit more for everything does more
                wide.append((layer, cost))
    wide.sort(key=lambda pair: -(pair[0].kl or 0) / pair[1])
    found = [
        Advice(
            f"--keep {layer.name}={MAX_PACKED_BITS}",
            cost,
            f"alone it costs {layer.kl:.4f} nats at {layer.bits:.3g} bits, {(layer.kl or 0) / total:.0%} of what all "
            "layers cost alone; with the same budget, others get narrower",
        )
        for layer, cost in wide[:LAYERS]
    ]
    if manifest.budget_bytes is not None and bundle_kl <= 2 * rounding_kl:
        more = manifest.num_weights // 8
        megabytes = math.ceil((manifest.budget_bytes + more) / 100_000) / 10
        found.append(
            Advice(f"--budget {megabytes:g}MB", more, "one bit more a weight divides the divergence by about four")
        )
    rounds = _rounding_inputs(manifest.config)
    if bundle_kl > 2 * rounding_kl and rounds is not None:
        why = "most of the divergence is not the weights': it comes from rounded activations or the kernels"
        found.append(Advice(rounds, 0, why))
    return tuple(found)


def needs_nothing(bundle_kl: float, measures: Sequence[MeasureRecord]) -> bool:
    """True where the divergence is small, and no measure fails all the same."""
    return bundle_kl < SMALL and all(measure.state != FAILS for measure in measures)


def _rounding_inputs(config: Mapping[str, Any]) -> str | None:
    """The option that leaves inputs of layers in float; None where they are."""
    if config.get("activations", "float") != "float":
        return "--activations float"
    return "--optimize size" if config.get("optimize", "size") != "size" else None
