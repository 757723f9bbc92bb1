"""Choosing a few windows out of much audio, spread over all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from myqasr_fx.audio.clip import MIN_SAMPLES, SAMPLING_RATE, Clip, silent
from myqasr_fx.audio.mono import CANCELLED
from myqasr_fx.audio.source import AudioInput, RejectedAudio, Source, open_sources
from myqasr_fx.audio.unusable import no_usable_audio
from myqasr_fx.errors import AudioError

_SHORT_REST = 1.0
"""Seconds below which what is left after the last whole window is not a window of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class ClipSet:
    """The chosen clips.

    Args:
        clips: At least one, in the order of their recordings and of time.
        rejected: Recordings that cannot be used; contents are judged only of those that were looked into.
        note: What was left out and what was done to recordings, in one line; None when nothing was.
    """

    clips: tuple[Clip, ...]
    rejected: tuple[RejectedAudio, ...] = ()
    note: str | None = None

    def __post_init__(self) -> None:
        if not self.clips:
            raise no_usable_audio([item.reason for item in self.rejected])

    @property
    def seconds(self) -> float:
        """Length of all clips together."""
        return sum(clip.seconds for clip in self.clips)

    @property
    def sha256(self) -> str:
        """Hex digest of the samples of all clips, in order."""
        return hashlib.sha256("".join(clip.sha256 for clip in self.clips).encode()).hexdigest()


def select_clips(
    audio: AudioInput | Iterable[AudioInput], max_clips: int = 32, window_seconds: float = 30.0, seed: int = 0
) -> ClipSet:
    """Cuts recordings into windows and takes at most ``max_clips`` of them.

    Every recording gives a window before one gives a second, and the windows of one recording are spread evenly over
    it. A recording that fails is rejected, silent windows are passed over, and others take their place. Memory holds
    the chosen windows only.

    Args:
        audio: Files, folders and arrays.
        max_clips: Most clips.
        window_seconds: Length of a window, in seconds.
        seed: Decides which recordings give a window when there are more than ``max_clips``.

    Raises:
        AudioError: A path does not exist, a folder holds no audio, or no recording can be used.
    """
    if max_clips < 1 or window_seconds * SAMPLING_RATE < MIN_SAMPLES:
        raise AudioError(f"{max_clips} clips of {window_seconds} s asked", hint="take at least one clip of 25 ms")
    sources, rejected = open_sources(audio)
    pools = [_Pool(source, window_seconds) for source in sources]
    total = sum(len(pool.starts) for pool in pools)
    order = [pools[index] for index in np.random.default_rng(seed).permutation(len(pools))]
    while (wanted := max_clips - sum(len(pool.clips) for pool in pools)) and any(pool.starts for pool in pools):
        for pool, share in zip(order, _shares(order, wanted), strict=True):
            pool.take(share)
    rejected += [pool.rejection for pool in pools if pool.rejection]
    clips = tuple(clip for pool in pools for clip in sorted(pool.clips, key=lambda clip: clip.start))
    return ClipSet(clips, tuple(rejected), _note(len(clips), total, pools))


def _shares(pools: Sequence[_Pool], wanted: int) -> list[int]:
    """How many windows each pool gives: one each in turn until there are ``wanted`` or none is left."""
    shares = [0] * len(pools)
    wanted = min(wanted, sum(len(pool.starts) for pool in pools))
    while wanted:
        for index, pool in enumerate(pools):
            if wanted and shares[index] < len(pool.starts):
                shares[index] += 1
                wanted -= 1
    return shares


def _note(taken: int, total: int, pools: Sequence[_Pool]) -> str | None:
    notes = [] if taken == total else [_left_out(taken, total, pools)]
    cancelled = sum(CANCELLED in pool.told for pool in pools)
    if cancelled:
        notes.append(f"in {cancelled} of {len(pools)} recordings {CANCELLED}")
    return "; ".join(notes) or None


def _left_out(taken: int, total: int, pools: Sequence[_Pool]) -> str:
    hours = sum(pool.source.seconds for pool in pools) / 3600
    window = pools[0].window_seconds
    where = f"{len(pools)} recordings" if len(pools) > 1 else "one recording"
    return f"{taken} of {total} windows of {window:g} s used, spread over {hours:.2f} h in {where}"


class _Pool:
    """A recording's windows: those not tried yet and the clips taken."""

    def __init__(self, source: Source, window_seconds: float) -> None:
        self.source = source
        self.window_seconds = window_seconds
        whole, rest = divmod(source.seconds, window_seconds)
        count = max(int(whole) + (rest >= _SHORT_REST), 1)
        self.starts = [index * window_seconds for index in range(count)]
        self.clips: list[Clip] = []
        self.told: set[str] = set()
        self.rejection: RejectedAudio | None = None

    def take(self, share: int) -> None:
        """Reads ``share`` of the windows not tried yet, evenly spread; silent ones become no clip."""
        chosen = [self.starts[(2 * i + 1) * len(self.starts) // (2 * share)] for i in range(share)]
        self.starts = [start for start in self.starts if start not in chosen]
        try:
            windows = self.source.windows(chosen, self.window_seconds, self.told.add)
            for start, samples in zip(chosen, windows, strict=True):
                if len(samples) >= MIN_SAMPLES and samples.any():
                    self.clips.append(Clip(self.source.path, samples, start))
            if not self.clips and not self.starts:
                raise silent(self.source.name)
        except AudioError as error:
            self.rejection = RejectedAudio.of(self.source.path, error)
            self.starts, self.clips = [], []
