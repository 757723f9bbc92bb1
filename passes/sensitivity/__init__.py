"""Sensitivity metrics, by name: one number from what was observed of a layer; larger is more sensitive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from passes.registry import Extensible

if TYPE_CHECKING:
    from passes.sensitivity.metric import Metric

REGISTRY: Extensible[Metric] = Extensible(
    {
        "median": "statistics:MEDIAN",
        "mean": "statistics:MEAN",
        "max": "statistics:MAX",
        "abs_max": "statistics:ABS_MAX",
        "std": "statistics:STD",
        "var": "statistics:VAR",
        "normality": "statistics:NORMALITY",
        "mean_abs": "statistics:MEAN_ABS",
        "std_abs": "statistics:STD_ABS",
        "var_abs": "statistics:VAR_ABS",
        "normaltest": "statistics:K_SQUARED",
        "kl": "distances:KL",
        "l1": "distances:L1",
        "l2": "distances:L2",
        "frobenius": "distances:FROBENIUS",
        "spectral": "distances:SPECTRAL",
        "frobenius_norms": "distances:FROBENIUS_NORMS",
        "spectral_norms": "distances:SPECTRAL_NORMS",
        "grad": "gradients:GRAD",
        "grad_output": "gradients:GRAD_OUTPUT",
        "fisher": "gradients:FISHER",
    },
    group="myqasr_fx.sensitivity",
    kind="metric:Metric",
    package=__name__,
)
"""Metric name to metric; a distance also exists at every other width, see ``passes.sensitivity.named.metric_of``."""
