"""What fitting works on, ranked and priced."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from myqasr_fx.fit.damage_table import damage_table
from myqasr_fx.fit.request import FitRequest
from myqasr_fx.measure.clip_shares import ClipShares
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.measure.store import NOTHING_KEPT, Key, Store
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Progress, Silent
from passes.allocation.allocate_bits import allocation_items
from passes.allocation.choice import Damages
from passes.base import Pass
from passes.damage.expected import SMOOTHING
from passes.damage.word_ranks import REACH
from passes.manager.run_passes import run_passes
from passes.rounding.round_floats import RoundFloats
from passes.sensitivity.rank_sensitivity import RankSensitivity


@dataclass(frozen=True, slots=True, eq=False)
class FitJob:
    """A model to be fitted.

    Args:
        prepared: Canonical graphs, with sensitivities and rounded leftovers behind :func:`priced`.
        measurements: What the clips told.
        request: What the files shall be.
        shares: Which clips rounding in sequence reads.
        damages: Expected cost of every way to store every item; empty where the allocation weighs none.
        store: Keeps what another budget asks for again.
        seed: Of what was measured.
        progress: Told about every layer that is rounded in sequence.
        limits: Attempts, and how much of a budget may stay unused.
    """

    prepared: Prepared
    measurements: Measurements
    request: FitRequest
    shares: ClipShares
    damages: Damages = field(default_factory=dict, repr=False)
    store: Store = NOTHING_KEPT
    seed: int = 0
    progress: Progress = field(default_factory=Silent)
    limits: Limits = field(default_factory=Limits)

    def fitted(self) -> FitJob:
        """The same without what choosing widths and codes alone took, matrices above all."""
        measured = Measurements(self.measurements.observed, self.measurements.statistics)
        return replace(self, measurements=measured, damages={})


def ranking(job: FitJob) -> tuple[Pass, ...]:
    """The passes that prepare an allocation."""
    return RankSensitivity(job.measurements.statistics, job.request.sensitivity), RoundFloats(job.request.codes_tables)


def priced(job: FitJob) -> FitJob:
    """The job with ranked layers, and with the damage to expect of every choice where the allocation weighs it.

    Raises:
        PassError: A layer has no statistics.
    """
    damages: Damages = {}
    if job.request.weighs_damage:
        with job.progress.stage("expect damage"):
            damages = job.store.get(_key(job), lambda: damage_table(job.prepared, job.request, job.measurements))
    program = run_passes(job.prepared.program, ranking(job), job.request.dump("rank"))
    return replace(job, prepared=replace(job.prepared, program=program), damages=damages)


def _key(job: FitJob) -> Key[Damages]:
    request, measured = job.request, job.measurements
    names = tuple(item.name for item in allocation_items(job.prepared.program, split=True))
    common = (request.symmetric, request.rounding, request.granularity, request.allocation.min_bits)
    asked = (request.layers, *common, SMOOTHING, REACH, names)
    what = repr((asked, sorted(measured.corrections.items(), key=str)))
    return job.store.keys.damages(measured.observed.clips, job.shares.curvature, job.seed, what)
