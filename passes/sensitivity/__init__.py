"""Sensitivity metrics: one number from what was observed of a layer; larger is more sensitive."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from passes.errors import MyqasrError
from passes.numbers.scheme import MAX_PACKED_BITS
from passes.observe.activation_stats import GRADIENT, OUTPUT, ActivationStats
from passes.registry import Extensible, lookup
from passes.sensitivity.fisher import fisher
from passes.sensitivity.frobenius import frobenius
from passes.sensitivity.grad import grad
from passes.sensitivity.kl import kl
from passes.sensitivity.l1 import l1
from passes.sensitivity.l2 import l2
from passes.sensitivity.median import median
from passes.sensitivity.metric import Distance, Metric
from passes.sensitivity.moments import abs_max, maximum, mean, standard_deviation, variance
from passes.sensitivity.normality import normality
from passes.sensitivity.spectral import spectral

DISTANCES: Mapping[str, Distance] = MappingProxyType(
    {"kl": kl, "l1": l1, "l2": l2, "frobenius": frobenius, "spectral": spectral}
)
"""Name to a distance of output distributions."""

DISTANCE_BITS = 8
"""Width at which a distance is taken when its name says none; the paper's."""


def distance_role(name: str, bits: int) -> str:
    """Role of the distances ``name`` of a model in which a layer alone has ``bits``, such as ``kl@8``."""
    return f"{name}@{bits}"


def _mean(values: ActivationStats) -> float:
    return values.mean


def _distance(name: str, bits: int) -> Metric:
    return Metric(distance_role(name, bits), _mean)


ENTRY_POINTS = "myqasr_fx.measure.ranking"
"""Group under which another distribution names metrics of its own."""

REGISTRY: Mapping[str, Metric] = Extensible(
    {
        "median": Metric(OUTPUT, median),
        "mean": Metric(OUTPUT, mean),
        "max": Metric(OUTPUT, maximum),
        "abs_max": Metric(OUTPUT, abs_max),
        "std": Metric(OUTPUT, standard_deviation),
        "var": Metric(OUTPUT, variance),
        "normality": Metric(OUTPUT, normality),
        **{name: _distance(name, DISTANCE_BITS) for name in DISTANCES},
        "grad": Metric(GRADIENT, grad),
        "fisher": Metric(GRADIENT, fisher),
    },
    ENTRY_POINTS,
    Metric,
)
"""Metric name to metric; a distance also exists at every other width, see :func:`metric_of`."""


def metric_of(name: str) -> Metric:
    """The metric ``name``, or for ``kl@4`` the distance ``kl`` at 4 bits.

    Raises:
        MyqasrError: There is no such metric, or no such width.
    """
    bits = width_of(name)
    if bits is None:
        return lookup(REGISTRY, name, "sensitivity")
    return _distance(name.partition("@")[0], bits)


def width_of(name: str) -> int | None:
    """Width at which the metric ``name`` quantizes single layers; None for a metric that quantizes nothing.

    Raises:
        MyqasrError: A width is given that does not exist, or to a metric that has none.
    """
    base, at, text = name.partition("@")
    if not at:
        return DISTANCE_BITS if base in DISTANCES else None
    lookup(DISTANCES, base, "sensitivity with a width")
    if not text.isdecimal() or not 1 <= int(text) <= MAX_PACKED_BITS:
        raise MyqasrError(f"sensitivity {name!r}: width {text!r}", hint=f"write {base}@4, 1 to {MAX_PACKED_BITS} bits")
    return int(text)
