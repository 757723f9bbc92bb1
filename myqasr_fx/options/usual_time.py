"""Which stages a run of ``quantize`` goes through, and how long each usually takes beside the others."""

from __future__ import annotations

from collections.abc import Mapping

from myqasr_fx.bundle.adaptation_record import SELF
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.needs import needs_of, weighs_damage


def usual_seconds(config: QuantizeConfig) -> Mapping[str, float]:
    """Stages in their order, by the seconds of the README's first command on two cores.

    Args:
        config: Resolved options.
    """
    needs, weighs = needs_of(config), weighs_damage(config.allocation)
    found = {"load model": 1.5, "read audio": 0.5, "capture graphs": 10.0}
    if config.adapt == SELF:
        found |= {"hear recordings": 40.0, "learn from recordings": 40.0}
        found |= {"hear them again": 20.0, "compare what it learned": 15.0}
    found["observe activations"] = 55.0
    if needs.rows:
        found["sample activations"] = 20.0
    if needs.curvature:
        large = {"large layers at 3 bits": 5.5, "large layers at 2 bits": 5.5}
        found |= {"measure curvature": 18.0, **large, "round single layers": 10.0, "probe rounded layers": 7.0}
    if weighs:
        found["expect damage"] = 12.0
    found["allocate, round and export"] = 15.0 if config.sequential else 50.0  # the next two are inside it
    if config.format != "affine" and weighs:
        found["fit trellis tables"] = 6.0
    if config.sequential:
        found["round in sequence"] = 60.0
    return found | {"verify on onnxruntime": 25.0, "judge without labels": 25.0}
