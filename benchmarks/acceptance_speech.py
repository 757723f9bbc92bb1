"""Which recordings of ``splits.json`` calibrate, judge and score in the acceptance study; none does two of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from acceptance_outcomes import DEV, TEST
from splits import CALIBRATION, Splits, digest, spread

from myqasr_fx.audio import Clip, ClipSet, select_clips
from myqasr_fx.evaluate import Utterance, read_manifest
from myqasr_fx.measure.clip_shares import share_clips
from myqasr_fx.process.limits import Limits

UNLIKE = 6
"""Clips of the dev side's judged ones that are of other speakers than the calibration."""

DEV_CLEAN, DEV_UNLIKE = 16, 8
"""Labelled recordings of the dev side, of the calibration's speakers and of others."""

TEST_JUDGED, TEST_LABELLED = 12, 48
"""Recordings of the test side: none of its speakers is heard elsewhere."""


@dataclass(frozen=True, slots=True)
class Side:
    """Recordings of one set of speakers.

    Args:
        judged: For the verdict, whose texts nobody reads.
        labelled: For the word error rate.
    """

    judged: tuple[Clip, ...]
    labelled: tuple[Utterance, ...]


@dataclass(frozen=True, slots=True)
class Speech:
    """All recordings.

    Args:
        calibration: Clips.
        sides: By name.
    """

    calibration: ClipSet
    sides: Mapping[str, Side]

    @classmethod
    def read(cls, manifest: Path) -> Speech:
        """The recordings of ``splits.json``, each in one place only."""
        splits, by_set = Splits.read(), dict[str, list[Utterance]]()
        for utterance in read_manifest(manifest, {}, None):
            own = digest(utterance)
            for name in ("calibration", DEV, TEST):
                if own in getattr(splits, name):
                    by_set.setdefault(name, []).append(utterance)
        shares = share_clips(select_clips([u.audio for u in by_set["calibration"]]), 0.25, 0, Limits())
        clean = [u for u in by_set[DEV] if u.fields["dataset"] == CALIBRATION]
        others = [u for u in by_set[DEV] if u.fields["dataset"] != CALIBRATION]
        unlike, strange = spread(others, UNLIKE), spread(by_set[TEST], TEST_JUDGED)
        dev = (*spread(clean, DEV_CLEAN), *spread(_without(others, unlike), DEV_UNLIKE))
        test = spread(_without(by_set[TEST], strange), TEST_LABELLED)
        sides = {DEV: Side((*shares.judge, *_clips(unlike)), dev), TEST: Side(_clips(strange), tuple(test))}
        return cls(shares.observe, sides)


def _without(utterances: Sequence[Utterance], taken: Sequence[Utterance]) -> list[Utterance]:
    paths = {utterance.audio for utterance in taken}
    return [utterance for utterance in utterances if utterance.audio not in paths]


def _clips(utterances: Sequence[Utterance]) -> tuple[Clip, ...]:
    return select_clips([u.audio for u in utterances], len(utterances)).clips
