"""Everything that a run learns from the clips, in the order in which one measurement needs another."""

from __future__ import annotations

from myqasr_fx.audio import ClipSet
from myqasr_fx.measure.corrections import measure_damage
from myqasr_fx.measure.observe import Calibration, observe
from myqasr_fx.measure.ranking import measure_sensitivity
from myqasr_fx.measure.rows_read import collect_samples
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.process.progress import Progress


def measure(prepared: Prepared, clips: ClipSet, config: QuantizeConfig, progress: Progress) -> Calibration:
    """Observes the clips, then measures what sensitivity, allocation and calibration ask for beyond that.

    Args:
        prepared: Canonical graphs.
        clips: At least one.
        config: Resolved options.
        progress: Told about every stage.
    """
    calibration = observe(prepared, clips, config, progress)
    calibration = measure_sensitivity(prepared, calibration, config, progress)
    calibration = measure_damage(prepared, calibration, config, progress)
    return collect_samples(prepared, calibration, config, progress)
