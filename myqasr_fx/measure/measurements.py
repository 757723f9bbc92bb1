"""What the clips told: the union of all that the chosen methods need, each collected once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from myqasr_fx.audio import Clip, ClipSet
from myqasr_fx.measure.clip_shares import Positions
from myqasr_fx.measure.energies import Energies
from myqasr_fx.measure.forced_run import ForcedClip, forced_clip
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Context, Transcript
from myqasr_fx.runtime.context import FULL
from passes.calibration.rows_read import RowsRead
from passes.damage.curvature import Curvatures
from passes.damage.expected import row_importance
from passes.observe.activation_stats import Statistics
from passes.observe.insert_gram_observers import Grams
from passes.observe.on_demand import OnDemand


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """Clips with what the full-precision model writes for each.

    Args:
        clips: At least one.
        transcripts: One a clip.
        context: In which the model hears a clip again: most of 30 s would be silence, which doubles the time and makes
            neither codes nor widths better.
    """

    clips: ClipSet
    transcripts: tuple[Transcript, ...]
    context: Context = FULL

    def pairs(self) -> Iterator[tuple[Clip, Transcript]]:
        """Each clip and its transcript."""
        return zip(self.clips.clips, self.transcripts, strict=True)

    def forced(self, speech: SpeechModel, positions: Positions | None = None) -> tuple[ForcedClip, ...]:
        """Inputs with which ``speech`` reads its own transcripts, of the clips at ``positions``, or of all."""
        pairs = list(self.pairs())
        chosen = pairs if positions is None else [pairs[position] for position in positions]
        return tuple(forced_clip(speech, clip.samples, said, self.context) for clip, said in chosen)


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """All that later stages know of the clips.

    Args:
        observed: The clips that calibrate, with their transcripts.
        statistics: Of every layer's inputs and output, and in the roles that were needed.
        grams: Layer name to the Gram matrix of its inputs; empty when nobody needs any.
        curvatures: Layer name to what errors of its weights cost; empty when nobody needs any.
        energies: How much frames matter, of the clips that layers are rounded on in sequence; empty without curvatures.
        corrections: Divergences of the model with one layer rounded alone; empty without curvatures.
        rows: Some of what every layer reads; empty when nobody needs any.
    """

    observed: Observed
    statistics: Statistics
    grams: Grams = field(default_factory=dict, repr=False)
    curvatures: Curvatures = field(default_factory=dict, repr=False)
    energies: Energies = field(default_factory=dict, repr=False)
    corrections: Statistics = field(default_factory=dict, repr=False)
    rows: RowsRead = field(default_factory=RowsRead, repr=False)

    @property
    def importance(self) -> Mapping[str, Tensor]:
        """Layer name to (N,) what errors of its rows cost; made when it is looked at, as curvatures are."""
        return OnDemand(self.curvatures, lambda name: row_importance(self.curvatures[name]))
