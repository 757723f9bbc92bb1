"""Learns from the recordings, and keeps what was learned only where others of them say that it helps.

One half of the clips teaches, the other decides. A Whisper that hears its user well hears the same in a recording and
in the same one changed a little; so what was learned is adopted when the divergence between the two falls, with the
whole interval of the change, on clips that taught nothing. That of a CTC model rises where its errors fall, since it
grows sure of more frames; there the entropy has to fall. Chosen on few speakers, and the first tried on others:
``benchmarks/README.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from myqasr_fx.adapt.changed_audio import changed
from myqasr_fx.adapt.learn import EPOCHS, learn
from myqasr_fx.adapt.reader import Reader, Tensors
from myqasr_fx.audio import Clip, ClipSet
from myqasr_fx.bundle.adaptation_record import DIVERGENCE, ENTROPY, LEAST, AdaptationRecord
from myqasr_fx.errors import AudioError
from myqasr_fx.evaluate.bootstrap import rate_interval
from myqasr_fx.evaluate.wer import ErrorCount, normalize, normalize_plain, word_errors
from myqasr_fx.measure.clip_shares import Positions, spread
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.observe import hear
from myqasr_fx.measure.store import NOTHING_KEPT
from myqasr_fx.models.learned import Learned, digest_of
from myqasr_fx.models.prepared import with_parameters
from myqasr_fx.runtime import Transcript

CHANGES = 2
"""Ways in which every clip that decides is changed, for a Whisper."""

_STREAM = 2  # the seed's other uses draw from other streams


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """All clips with what the model as it came writes for them, and which of them teach and which decide."""

    clips: ClipSet
    said: tuple[Transcript, ...]
    teach: Positions
    decide: Positions

    def decides(self) -> ClipSet:
        return ClipSet(tuple(self.clips.clips[at] for at in self.decide), (), None)


@dataclass(frozen=True, slots=True)
class _Unsure:
    """The measure of one model on one clip, summed over the positions of a text."""

    nats: float
    positions: int


def adapt(job: MeasureJob) -> Learned:
    """What a model learned from the clips, or that it stays as it came.

    Args:
        job: The model as it came, and clips.

    Raises:
        AudioError: Too few clips have speech.
        OutputError: The store cannot be written.
    """
    heard, seed, store = _hear(job), job.request.seed, job.store
    shares = (heard.teach, heard.decide)
    tensors = store.get(store.keys.parameters(heard.clips, shares, seed), lambda: _taught(job, heard))
    record = store.get(store.keys.adaptation(heard.clips, shares, seed), lambda: _compared(job, heard, tensors))
    return Learned(replace(record, sha256=digest_of(tensors)), tensors) if record.adopted else Learned(record)


def check_enough(clips: int, what: str) -> None:
    """Refuses to learn from too few.

    Args:
        clips: How many there are.
        what: They are.

    Raises:
        AudioError: They are too few.
    """
    if clips < LEAST:
        raise AudioError(
            f"adapt self: {clips} {what}, expected at least {LEAST}: half of them teach, half decide",
            hint="give more recordings, or leave --adapt out",
        )


def _hear(job: MeasureJob) -> _Heard:
    """Shares out the clips with speech: those that teach calibrate, too, and those that are held out decide."""
    shares = job.shares
    clips = ClipSet((*shares.observe.clips, *(shares.judge if shares.held_out else ())), (), None)
    said = hear(job, clips, "hear recordings")
    spoken = [at for at, text in enumerate(said) if text.text and not text.no_speech]
    check_enough(len(spoken), "clips with speech")
    most = job.limits.taught_clips
    calibrating = tuple(at for at in spoken if at < len(shares.observe.clips))
    if len(calibrating) < LEAST // 2:
        raise AudioError(
            f"adapt self: {len(calibrating)} clips to learn from, expected at least {LEAST // 2}: others are held out",
            hint="give more recordings, a smaller --holdout, or leave --adapt out",
        )
    teach = spread(calibrating, min(len(spoken) // 2, most))
    return _Heard(clips, said, teach, spread(tuple(at for at in spoken if at not in teach), most))


def _taught(job: MeasureJob, heard: _Heard) -> Tensors:
    reader = Reader(job.run)
    clips = [reader.clip(heard.clips.clips[at].samples, heard.said[at]) for at in heard.teach]
    with job.progress.stage("learn from recordings", EPOCHS * len(clips)) as advance:
        return learn(reader, clips, job.request.seed, advance)


def _compared(job: MeasureJob, heard: _Heard, tensors: Tensors) -> AdaptationRecord:
    """The model that learned beside the one that came, on the clips that decide."""
    taught = replace(job, prepared=with_parameters(job.prepared, tensors), store=NOTHING_KEPT)
    clips, before = heard.decides(), [heard.said[at] for at in heard.decide]
    after = hear(taught, clips, "hear them again")
    generator, whisper = np.random.default_rng([job.request.seed, _STREAM]), job.prepared.speech.generation is not None
    came, now = Reader(job.run), Reader(taught.run)
    found = []
    with job.progress.stage("compare what it learned", len(after)) as advance, torch.no_grad():
        for clip, old, new in zip(clips.clips, before, after, strict=True):
            others = [changed(clip.samples, generator) for _ in range(CHANGES)] if whisper else []
            found.append((_unsure(came, clip, others, old), _unsure(now, clip, others, new)))
            advance(1)
    normalizer, edits = normalize if whisper else normalize_plain, ErrorCount(0, 0)
    for old, new in zip(before, after, strict=True):
        edits += word_errors(*(normalizer(said.text, said.language) for said in (old, new)))
    return _record(heard, DIVERGENCE if whisper else ENTROPY, found, edits)


def _unsure(reader: Reader, clip: Clip, others: Sequence[np.ndarray], said: Transcript) -> _Unsure:
    """Divergence from what it expects of the clip changed, mean of the ways; the entropy where there are none."""
    found = reader.expected(reader.clip(clip.samples, said))
    if not others:
        return _Unsure(-float((found.exp() * found).sum()), len(found))
    beside = [reader.expected(reader.clip(samples, said)) for samples in others]
    nats = sum(float((found.exp() * (found - other)).sum()) for other in beside) / len(others)
    return _Unsure(nats, len(found))


def _record(
    heard: _Heard, measure: str, found: Sequence[tuple[_Unsure, _Unsure]], edits: ErrorCount
) -> AdaptationRecord:
    totals = [before.positions for before, _ in found]
    changes = [after.nats * before.positions / after.positions - before.nats for before, after in found]
    around, came = rate_interval(changes, totals), sum(before.nats for before, _ in found) / sum(totals)
    return AdaptationRecord(
        adopted=around.high < 0,
        measure=measure,
        taught=len(heard.teach),
        taught_seconds=round(sum(heard.clips.clips[at].seconds for at in heard.teach), 3),
        decided=len(found),
        before=_short(came),
        after=_short(came + sum(changes) / sum(totals)),
        low=_short(around.low),
        high=_short(around.high),
        words=edits.total,
        changed=edits.errors,
    )


def _short(nats: float) -> float:
    """To six digits: the last ones mean nothing."""
    return float(f"{nats:.6g}")
