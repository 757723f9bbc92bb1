"""What every measurement is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from myqasr_fx.measure.clip_shares import ClipShares
from myqasr_fx.measure.forced_run import ForcedRun
from myqasr_fx.measure.store import Store
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Progress, Silent
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule
from passes.needs import NOTHING, Needs
from passes.numbers.scheme import Granularity, WeightSpec


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """What is to be learned, resolved from the options.

    Args:
        needs: Of all chosen methods together.
        statistics: What every run observes is wanted, too; without them the clips are heard and nothing is watched.
        granularity: Of layers that are rounded alone.
        symmetric: The same.
        rounding: Of layers whose damage is measured.
        language: Code for a multilingual model; None detects it.
        no_speech: Which clips are left out, since the model hears no speech in them.
        seed: Of random rows and probes.
        dump_ir: Folder for the graphs after each pass.
    """

    needs: Needs = NOTHING
    statistics: bool = True
    granularity: Granularity = field(default_factory=lambda: Granularity("group", 64))
    symmetric: bool = False
    rounding: str = "rtn"
    language: str | None = None
    no_speech: NoSpeechRule = USUAL
    seed: int = 0
    dump_ir: Path | None = None

    def spec(self, bits: int) -> WeightSpec:
        """Of a layer that is rounded alone to ``bits``."""
        return WeightSpec(bits, self.granularity, self.symmetric)


@dataclass(frozen=True, eq=False)
class MeasureJob:
    """A request with the model, clips and store that it is about.

    Args:
        prepared: Canonical graphs.
        shares: Which clips serve what.
        request: What is to be learned.
        store: Of earlier runs.
        progress: Told about every stage.
        limits: How much of everything.
    """

    prepared: Prepared
    shares: ClipShares
    request: MeasureRequest
    store: Store
    progress: Progress = field(default_factory=Silent)
    limits: Limits = field(default_factory=Limits)

    @cached_property
    def run(self) -> ForcedRun:
        """The full-precision model reading its own transcripts."""
        return ForcedRun(self.prepared)

    def dump(self, stage: str) -> Path | None:
        """Folder for the graphs of a stage."""
        return self.request.dump_ir and self.request.dump_ir / stage
