r"""How often the verdict is wrong, and how often it cannot say, at eight held-out clips, for bounds to choose from.

    python benchmarks/acceptance_rates.py

makes no model. For each model of ``acceptance_study.csv`` it draws eight clips many times: those of ``direction.csv``,
of the same network and the nearest divergence, with the model's own rates. A model is bad that loses more than so many
points of word error rate to full precision. The study's labelled recordings tell that roughly, and so a model counts as
bad with the share of their paired resamples in which it is. Bounds are chosen on ``dev``; ``test`` shows what they give
on other speakers.

Writes ``OUT/acceptance_rates.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from acceptance_coverage import Heard, coverage_lines, read_heard
from acceptance_outcomes import DEV, FULL, TEST, Errors, Outcome, Variant, read_errors, read_outcomes

from myqasr_fx.acceptance.measures import measures, state_of
from myqasr_fx.bundle.comparison import ClipComparison, WordEdits
from myqasr_fx.bundle.measure_record import FAILS, HOLDS
from myqasr_fx.options.thresholds import Thresholds

CLIPS = 8
"""Held-out clips: a quarter of the 32 that ``quantize`` uses at most."""

DRAWS = 100

LONG = 15
"""Positions from which on a clip of ``direction.csv`` is of LibriSpeech's length."""

WORDS = 0.82
"""A position: 308 words of 374 in a run of the README's command."""

BAD = (0.01, 0.02)
"""Word error rate lost beyond which a model is bad."""

AGREEMENTS = (0.86, 0.88, 0.9, 0.92, 0.94, 0.96)
NATS = (0.05, 0.06, 0.07, 0.08, 0.1, 0.15)
WORD_BOUNDS = (0.02, 0.05, 0.1)
MOST_WRONG = 0.05
"""On ``dev``, of either kind, for bounds to be candidates; of these, the fewest uncertain verdicts count."""

RESAMPLES = 500

Ends = Mapping[str, tuple[float, float]]
"""Measure to the ends of its interval."""

Known = Mapping[tuple[Variant, str], Sequence[Errors]]
Hearing = Mapping[tuple[str, str, str], Heard]


@dataclass(frozen=True, slots=True)
class Rates:
    """How verdicts turned out, each a share.

    Args:
        wrong_accept: Of bad models, those accepted.
        wrong_reject: Of good models, those rejected.
        uncertain: Of all models.
        right_accept: Of good models, those accepted.
    """

    wrong_accept: float
    wrong_reject: float
    uncertain: float
    right_accept: float

    def __str__(self) -> str:
        shares = (self.wrong_accept, self.wrong_reject, self.uncertain, self.right_accept)
        return " / ".join(f"{100 * share:.0f}" for share in shares)


def nearest(heard: Hearing, outcome: Outcome) -> Heard:
    """Of the same network, the one whose divergence is nearest."""
    own = [h for (model, _, _), h in heard.items() if model == outcome.variant.model]
    return min(own, key=lambda h: abs(np.log(h.nats.sum() / h.positions.sum() / outcome.kl)))


def drawn(clips: Heard, outcome: Outcome, random: np.random.Generator) -> list[ClipComparison]:
    """Eight clips of a model with its rates: clips that are hard for one model are hard for it."""
    nats = outcome.kl * clips.positions.sum() / clips.nats.sum()
    share, wanted = clips.missed.sum() / clips.positions.sum(), 1 - outcome.agreement
    found = []
    for index in random.integers(len(clips.positions), size=CLIPS):
        count, missed = int(clips.positions[index]), int(clips.missed[index])
        if wanted < share:
            missed = int(random.binomial(missed, wanted / share))
        else:
            missed += int(random.binomial(count - missed, (wanted - share) / (1 - share)))
        words = max(round(WORDS * count), 1)
        left, added = (int(random.poisson(rate * words)) for rate in (outcome.deletions, outcome.insertions))
        edits = WordEdits(words, 0, min(left, words), added)
        kl = float(clips.nats[index] * nats)
        found.append(ClipComparison("", 1.0, "", "", count, count - missed, kl, edits, False, False))
    return found


def ends_of(clips: Heard, outcome: Outcome, random: np.random.Generator) -> Iterator[Ends]:
    """Intervals of ``DRAWS`` draws."""
    for _ in range(DRAWS):
        found = (m.record() for m in measures(drawn(clips, outcome, random), Thresholds()))
        yield {m.name: (m.low, m.high) for m in found}


def badness(got: Sequence[Errors], full: Sequence[Errors], most: float) -> float:
    """Share of paired resamples of the recordings in which a model loses more than ``most``."""
    change = np.array([g.errors - f.errors for g, f in zip(got, full, strict=True)])
    words = np.array([f.words for f in full])
    share = np.full(len(words), 1 / len(words))
    taken = np.random.default_rng(0).multinomial(len(words), share, size=RESAMPLES)
    return float(np.mean(taken @ change > most * (taken @ words)))


def rates(models: Sequence[tuple[float, Sequence[Ends]]], bounds: Thresholds) -> Rates:
    """Of verdicts with these bounds.

    Args:
        models: How likely each is bad, and the intervals of its draws.
        bounds: Candidates.
    """
    limits = {
        "agreement": bounds.min_agreement,
        "kl": bounds.max_kl,
        "deletions": bounds.max_deletions,
        "insertions": bounds.max_insertions,
    }
    totals = np.zeros((2, 3))
    for bad, draws in models:
        counts = np.zeros(3)
        for ends in draws:
            states = {state_of(name, ends[name], bound) for name, bound in limits.items()}
            counts[1 if FAILS in states else 0 if states == {HOLDS} else 2] += 1 / len(draws)
        totals += np.outer((bad, 1 - bad), counts)
    (bads, goods), all_models = np.maximum(totals.sum(1), 1e-9), totals.sum()
    return Rates(totals[0, 0] / bads, totals[1, 1] / goods, totals[:, 2].sum() / all_models, totals[1, 0] / goods)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The models on one set of speakers.

    Args:
        name: ``dev`` or ``test``.
        bad: For each entry of ``BAD``, how likely each model is bad.
        draws: The intervals of each model's draws.
    """

    name: str
    bad: tuple[tuple[float, ...], ...]
    draws: tuple[tuple[Ends, ...], ...]

    @classmethod
    def of(cls, name: str, outcomes: Sequence[Outcome], errors: Known, heard: Hearing, long: bool) -> Side:
        """Draws from clips of twelve seconds, or of four."""
        own, random, draws = [o for o in outcomes if o.side == name], np.random.default_rng(0), []
        for outcome in own:
            clips = nearest(heard, outcome)
            draws.append(tuple(ends_of(clips.part((clips.positions >= LONG) == long), outcome, random)))
        full = [errors[Variant(o.variant.model, FULL, "", 0), name] for o in own]
        pairs = [(errors[o.variant, name], whole) for o, whole in zip(own, full, strict=True)]
        return cls(name, tuple(tuple(badness(*pair, most) for pair in pairs) for most in BAD), tuple(draws))

    def rates(self, bounds: Thresholds, bad: int) -> Rates:
        """Of verdicts with these bounds, where a model is bad by the entry of ``BAD``."""
        return rates(tuple(zip(self.bad[bad], self.draws, strict=True)), bounds)


def candidates() -> Iterator[Thresholds]:
    """Bounds to choose from."""
    for agreement, nats, words in product(AGREEMENTS, NATS, WORD_BOUNDS):
        yield Thresholds(min_agreement=agreement, max_kl=nats, max_deletions=words, max_insertions=words)


def choose(dev: Side) -> Thresholds:
    """Of the bounds that are seldom wrong on ``dev`` those that leave the fewest verdicts uncertain."""
    known = [(bounds, dev.rates(bounds, -1)) for bounds in candidates()]
    seldom = [(b, r) for b, r in known if round(max(r.wrong_accept, r.wrong_reject), 2) <= MOST_WRONG]
    return min(seldom, key=lambda pair: (round(pair[1].uncertain, 2), pair[0].max_deletions, pair[0].max_kl))[0]


def table(sides: Sequence[Side]) -> list[str]:
    """Every candidate on every side; the default bounds last."""
    head = [f"{side.name}, more than {100 * most:g} points" for side in sides for most in BAD]
    lines = [f"| agreement | nats | words | {' | '.join(head)} |", f"|{' --- |' * (3 + len(head))}"]
    for bounds in (*candidates(), Thresholds()):
        cells = [str(side.rates(bounds, index)) for side in sides for index in range(len(BAD))]
        limits = (f"{bounds.min_agreement:.0%}", f"{bounds.max_kl:g}", f"{bounds.max_deletions:.0%}")
        lines.append(f"| {' | '.join((*limits, *cells))} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    heard = read_heard(options.out / "direction.csv")
    outcomes = read_outcomes(options.out / "acceptance_study.csv")
    errors = read_errors(options.out / "acceptance_study_utterances.csv")
    sides = [Side.of(name, outcomes, errors, heard, long=True) for name in (DEV, TEST)]
    short = [
        replace(Side.of(side.name, outcomes, errors, heard, long=False), name=f"{side.name}, short") for side in sides
    ]
    chosen = choose(sides[0])
    lines = [
        f"Eight held-out clips of about 12 s, {DRAWS} draws a model. Each cell: wrongly accepted of the bad / wrongly "
        "rejected of the good / uncertain of all / rightly accepted of the good, per cent. The last: the defaults.",
        "",
        *table(sides),
        "",
        f"Chosen on dev, where neither error is above {MOST_WRONG:.0%} for a loss of more than {100 * BAD[-1]:g} "
        f"points: agreement {chosen.min_agreement:.0%}, {chosen.max_kl:g} nats, words left out and added "
        f"{chosen.max_deletions:.0%}.",
        "",
        "The default bounds on eight clips of about 4 s:",
        "",
        *table(short)[:2],
        table(short)[-1],
        "",
        *coverage_lines(heard),
    ]
    (options.out / "acceptance_rates.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
