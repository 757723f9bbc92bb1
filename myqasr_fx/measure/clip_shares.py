"""Which recordings serve what: the one owner of every choice of clips.

All but a quarter calibrate. Of those, most measure the curvature, whose Gram matrices choose the codes; the others are
kept from it and measure what rounding costs, since codes cost less on the clips that they were chosen for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from myqasr_fx.audio import Clip, ClipSet
from myqasr_fx.process.limits import Limits

T = TypeVar("T")

_STREAM = 1  # the seed's other uses draw from other streams

Positions = tuple[int, ...]
"""Of clips, among those that are observed."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipShares:
    """Clips by what they are for.

    Args:
        observe: Those that calibrate, at least one: the observers and the sensitivities hear them all.
        judge: Those that the verdict hears, at least one; some of ``observe`` when ``held_out`` is False.
        held_out: True when no clip is in both.
        curvature: Positions whose curvature is measured.
        probe: Positions, kept from the curvature, that probe what rounded small layers cost.
        correct: Positions, kept from it too, on which the model runs with one large layer rounded.
        sequence: Positions on which layers are rounded one after the other.
        first: Of these, those that set out at once; the others join where a layer reads few frames.
    """

    observe: ClipSet
    judge: tuple[Clip, ...]
    held_out: bool
    curvature: Positions
    probe: Positions
    correct: Positions
    sequence: Positions
    first: Positions

    def of(self, observe: ClipSet, limits: Limits) -> ClipShares:
        """The same where only some of the clips calibrate; those held out stay.

        Args:
            observe: Some of the clips that calibrate, or all.
            limits: Most clips of each share.
        """
        return self if observe is self.observe else _shares(observe, self.judge if self.held_out else (), limits)

    def told(self) -> tuple[tuple[str, str], ...]:
        """What each share is for, and how many clips it has."""
        judged = f"{len(self.judge)} {'held out' if self.held_out else 'of those observed'}"
        return (
            ("observe", f"{len(self.observe.clips)}"),
            ("curvature", f"{len(self.curvature)}"),
            ("probe", f"{len(self.probe)} kept from the curvature"),
            ("correct", f"{len(self.correct)} kept from the curvature"),
            ("sequence", f"{len(self.sequence)}, of which {len(self.first)} set out first"),
            ("judge", judged),
        )


def share_clips(clips: ClipSet, holdout: float, seed: int, limits: Limits) -> ClipShares:
    """Shares clips out.

    Args:
        clips: All of them.
        holdout: Share to hold out for the verdict, rounded down, 0 to 1; none below ``limits.held_out_from`` clips, and
            one clip is always left to calibrate on.
        seed: Decides which are held out.
        limits: Most clips of each share.
    """
    return _shares(*_hold_out(clips, holdout, seed, limits), limits)


def _shares(observe: ClipSet, judge: tuple[Clip, ...], limits: Limits) -> ClipShares:
    """What each clip serves.

    Args:
        observe: Those that calibrate.
        judge: Those held out, if any.
        limits: Most clips of each share.
    """
    count = len(observe.clips)
    others, kept = _apart(count, limits.kept_every)
    sequence = spread(tuple(range(count)), limits.sequence_clips)
    return ClipShares(
        observe=observe,
        judge=judge or spread(observe.clips, limits.judged_clips),
        held_out=bool(judge),
        curvature=spread(others, limits.curvature_clips),
        probe=spread(kept, limits.probed_clips),
        correct=spread(kept, limits.correction_clips),
        sequence=sequence,
        first=spread(sequence, limits.first_clips),
    )


def spread(things: tuple[T, ...], most: int) -> tuple[T, ...]:
    """At most so many of the things, evenly spread."""
    count = min(most, len(things))
    return tuple(things[index * len(things) // count] for index in range(count))


def _hold_out(clips: ClipSet, share: float, seed: int, limits: Limits) -> tuple[ClipSet, tuple[Clip, ...]]:
    """Clips to calibrate on, and those held out, if any."""
    total = len(clips.clips)
    count = min(int(share * total), total - 1) if total >= limits.held_out_from else 0
    if not count:
        return clips, ()
    chosen = set(np.random.default_rng([seed, _STREAM]).permutation(total)[:count].tolist())
    kept = tuple(clip for index, clip in enumerate(clips.clips) if index not in chosen)
    judged = tuple(clip for index, clip in enumerate(clips.clips) if index in chosen)
    return ClipSet(kept, clips.rejected, clips.note), judged


def _apart(count: int, every: int) -> tuple[Positions, Positions]:
    """Positions, among ``count`` clips, of those whose curvature is measured and of those that are kept from it."""
    kept = range(every - 1, count, every) if count >= every else range(max(count - 1, 0), count)
    return tuple(index for index in range(count) if index not in kept) or (0,), tuple(kept)
