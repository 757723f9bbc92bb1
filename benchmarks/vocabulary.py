r"""Which rows of a vocabulary matter to a speaker: what some clips tell about other speakers.

    python benchmarks/vocabulary.py whisper-tiny.en --data speech/manifest.jsonl

A wrong logit costs ``p (1 - p) / 2`` of its square, so the sum of ``p (1 - p)`` over positions is how much a row of the
output layer matters; a looked-up row matters as often as its token is written. Both are added up over the blocks that
the allocation gives widths to, on the calibration recordings of ``splits.json`` and on draws of fewer, and held against
the same on development recordings, which other speakers read: how well does (1 - a) of the one and a of an even spread
foretell the other? And how well, smoothed along the ranks of words (``passes.damage.word_ranks``), with the a of
``passes.damage.expected.SMOOTHING``? Full precision in torch.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rows_file import write_rows
from splits import Splits, digest, spread

from myqasr_fx.audio import load_audio
from myqasr_fx.evaluate import Utterance, read_manifest
from myqasr_fx.evaluate.divergence import ReferenceLogits, log_softmax
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import prepare
from myqasr_fx.runtime.torch_runner import torch_runtime
from passes.allocation.allocate_bits import allocation_items
from passes.damage.expected import SMOOTHING
from passes.damage.word_ranks import smooth_by_rank

EVEN = (0.003, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Parts that are spread evenly."""

CLIPS = (1, 2, 4, 8, 16, 32)
"""Sizes of draws."""

DRAWS = 12


@dataclass(frozen=True, slots=True)
class VocabularyRow:
    """One size of draws and one part spread evenly, means over draws.

    Args:
        clips: Of a draw.
        positions: Tokens in them, ends included.
        even: Part that is spread evenly over the rows.
        ranked: Whether what comes of that is smoothed along the ranks of words.
        product: Mean logarithm of the share that the block of a development row was given, by the rows' weight.
        lookup: The same of written tokens.
    """

    clips: int
    positions: float
    even: float
    ranked: bool
    product: float
    lookup: float


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """One recording: how much each block matters, to products and to lookups, and its positions."""

    product: np.ndarray
    lookup: np.ndarray
    positions: int


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """First row and number of rows of each block."""

    starts: Sequence[int]
    counts: np.ndarray


def main() -> None:
    options = _options()
    pinned, utterances = Splits.read(), read_manifest(options.data)
    by_digest = {digest(utterance): utterance for utterance in utterances}
    prepared = prepare(load_model(options.model))
    items = allocation_items(prepared.program, split=True)
    tied = next(layer for layer in prepared.layers if layer.name == options.layer)
    starts = [item.start for item in items if item.layer == tied.name]
    full = torch_runtime(prepared.speech, prepared.program.clone())

    def heard(utterance: Utterance) -> _Heard:
        reference = ReferenceLogits.of(full, load_audio(utterance.audio).samples, options.language)
        share = np.exp(log_softmax(reference.logits))
        count = np.bincount(reference.tokens, minlength=share.shape[1])
        product = np.add.reduceat((share * (1 - share)).sum(0), starts)
        return _Heard(product, np.add.reduceat(count.astype(np.float64), starts), len(share))

    clips = [heard(by_digest[name]) for name in pinned.calibration]
    dev = [heard(utterance) for utterance in spread([by_digest[name] for name in pinned.dev], options.dev)]
    blocks = Blocks(starts, np.diff([*starts, tied.rows]))
    rows = [row for count in CLIPS for row in _rows(clips, dev, blocks, count)]
    write_rows(VocabularyRow, options.out / f"vocabulary_{Path(options.model).name}.csv", rows)
    print(table(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True, help="manifest of all sets")
    parser.add_argument("--layer", default="model.decoder.embed_tokens", help="the vocabulary")
    parser.add_argument("--language")
    parser.add_argument("--dev", type=int, default=48, help="development recordings")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    return parser.parse_args()


def _rows(clips: Sequence[_Heard], dev: Sequence[_Heard], blocks: Blocks, count: int) -> list[VocabularyRow]:
    draws = [random.Random(draw).sample(list(clips), count) for draw in range(DRAWS if count < len(clips) else 1)]
    positions = round(float(np.mean([sum(heard.positions for heard in draw) for draw in draws])), 1)

    def told(role: str, part: float, ranked: bool) -> float:
        others = _sum(dev, role)
        every = [foretold(_sum(draw, role), others, blocks, part, ranked=ranked) for draw in draws]
        return round(float(np.mean(every)), 4)

    ways = [*((part, False) for part in EVEN), (SMOOTHING, True)]
    return [VocabularyRow(count, positions, *way, told("product", *way), told("lookup", *way)) for way in ways]


def _sum(heard: Sequence[_Heard], role: str) -> np.ndarray:
    total: np.ndarray = np.sum([getattr(one, role) for one in heard], axis=0)
    return total


def foretold(seen: np.ndarray, others: np.ndarray, blocks: Blocks, part: float, *, ranked: bool = False) -> float:
    """Mean logarithm of what ``others`` fall on, foretold by ``seen`` with a part spread evenly.

    Args:
        seen: (B,) weights of blocks.
        others: (B,) the same of other recordings.
        blocks: Which rows they are.
        part: Of the forecast that is spread evenly over rows.
        ranked: Whether the forecast is smoothed along the ranks of words.
    """
    forecast = (1 - part) * seen / seen.sum() + part * blocks.counts / blocks.counts.sum()
    if ranked:
        own = list(zip(blocks.starts, blocks.counts.tolist(), strict=True))
        forecast = smooth_by_rank(torch.from_numpy(forecast), own).numpy()
    return float((others / others.sum() * np.log(forecast / forecast.sum())).sum())


def table(rows: Sequence[VocabularyRow]) -> str:
    """Loss beside the best way of each size, nats: products, lookups."""
    heads = ["clips", "positions", *(str(part) for part in EVEN), f"{SMOOTHING}, by rank"]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for count in dict.fromkeys(row.clips for row in rows):
        own = [row for row in rows if row.clips == count]
        best = [max(getattr(row, role) for row in own) for role in ("product", "lookup")]
        cells = [f"{best[0] - row.product:.3f}, {best[1] - row.lookup:.3f}" for row in own]
        lines.append(_line([str(count), f"{own[0].positions:.0f}", *cells]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
