"""Scores of systems on the same utterances: tables and plot."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from myqasr_fx.evaluate import ErrorCount, Interval, difference_interval, rate_interval


@dataclass(frozen=True, slots=True)
class TranscriptScore:
    """One transcript: file name as in the manifest, text as the system wrote it, word errors."""

    audio: str
    text: str
    words: ErrorCount


@dataclass(frozen=True, slots=True)
class SystemScore:
    """One system.

    Args:
        name: In tables.
        kind: full, ours or peer.
        bytes: Of the model files.
        rows: An utterance each, in the same order for all systems.
    """

    name: str
    kind: str
    bytes: int
    rows: tuple[TranscriptScore, ...]

    @property
    def wer(self) -> float:
        """Word errors a reference word."""
        return sum((row.words for row in self.rows), ErrorCount(0, 0)).rate

    @property
    def errors(self) -> list[int]:
        """(N,) word errors of each utterance."""
        return [row.words.errors for row in self.rows]

    @property
    def totals(self) -> list[int]:
        """(N,) reference words of each utterance."""
        return [row.words.total for row in self.rows]

    def interval(self) -> Interval:
        """95 % interval of the word error rate, utterances resampled."""
        return rate_interval(self.errors, self.totals)

    def minus(self, other: SystemScore) -> tuple[float, Interval]:
        """Difference of the word error rates and its paired 95 % interval."""
        return self.wer - other.wer, difference_interval(self.errors, other.errors, self.totals)


def write_systems(path: Path, scores: Sequence[SystemScore]) -> None:
    """A row a system; ``loss`` is against the first, which is full precision."""
    header = ("system", "kind", "bytes", "wer", "wer_low", "wer_high", "loss", "loss_low", "loss_high")
    rows = []
    for score in scores:
        own, (loss, around) = score.interval(), score.minus(scores[0])
        numbers = (score.wer, own.low, own.high, loss, around.low, around.high)
        rows.append((score.name, score.kind, score.bytes, *(f"{number:.5f}" for number in numbers)))
    _write(path, header, rows)


def write_pairs(path: Path, scores: Sequence[SystemScore]) -> None:
    """A row for each of our bundles and each peer."""
    header = ("ours", "peer", "ours_bytes", "peer_bytes", "difference", "difference_low", "difference_high")
    rows = []
    for ours in (score for score in scores if score.kind == "ours"):
        for peer in (score for score in scores if score.kind == "peer"):
            change, around = ours.minus(peer)
            numbers = (f"{number:.5f}" for number in (change, around.low, around.high))
            rows.append((ours.name, peer.name, ours.bytes, peer.bytes, *numbers))
    _write(path, header, rows)


def write_utterances(path: Path, scores: Sequence[SystemScore]) -> None:
    """A row for each system and utterance."""
    header = ("system", "audio", "errors", "words", "transcript")
    _write(path, header, ((s.name, r.audio, r.words.errors, r.words.total, r.text) for s in scores for r in s.rows))


def read_scores(systems: Path, utterances: Path) -> list[SystemScore]:
    """The systems of an earlier run, from the files that :func:`write_systems` and :func:`write_utterances` wrote."""
    rows: dict[str, list[TranscriptScore]] = {}
    for row in _read(utterances):
        words = ErrorCount(int(row["errors"]), int(row["words"]))
        rows.setdefault(row["system"], []).append(TranscriptScore(row["audio"], row["transcript"], words))
    return [
        SystemScore(row["system"], row["kind"], int(row["bytes"]), tuple(rows[row["system"]])) for row in _read(systems)
    ]


def plot(path: Path, scores: Sequence[SystemScore], title: str) -> None:
    """Word error rate against file bytes: our bundles joined, every peer a point with its name.

    A system that repeats itself, with more errors than words, is named with its rate and has no point.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9.6, 4.8), layout="constrained")
    ours = sorted((score for score in scores if score.kind == "ours"), key=lambda score: score.bytes)
    axes.plot([s.bytes / 1e6 for s in ours], [100 * s.wer for s in ours], marker="o", label="ours")
    for marker, peer in zip(cycle("sD^v<>PX*hpd8"), (s for s in scores if s.kind == "peer"), strict=False):
        broken = peer.wer > 1
        place = ([], []) if broken else (peer.bytes / 1e6, 100 * peer.wer)
        axes.plot(*place, marker, label=f"{peer.name}: {peer.wer:.0%}" if broken else peer.name)
    axes.axhline(100 * scores[0].wer, color="gray", linestyle="--", label=scores[0].name)
    axes.set(xlabel="model files, MB", ylabel="word error rate, %", title=title)
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside right upper", fontsize="small")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
