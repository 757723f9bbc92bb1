"""Which words an evaluation found wrong: of every utterance for ``--json``, of the worst ones for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import repeat
from typing import TYPE_CHECKING, Any

from rich.table import Table

from myqasr_fx.cli.visible import shown

if TYPE_CHECKING:
    from myqasr_fx.evaluate import Baseline, Evaluation, ScoredUtterance

_WORST = 5


def utterance_data(result: Evaluation, compared: Baseline | None) -> list[dict[str, Any]]:
    """Every utterance in the manifest's order, with what the baseline wrote where there is one."""
    return [
        asdict(row) | ({} if other is None else {"baseline": {"transcript": other.transcript, **_scored(other)}})
        for row, other in _pairs(result, compared)
    ]


def worst_utterances(result: Evaluation, compared: Baseline | None) -> Table:
    """Those with most word errors, normalized as they are counted; empty where there is no error."""
    table = Table.grid(padding=(0, 2))
    wrong = [pair for pair in _pairs(result, compared) if pair[0].words.errors]
    for row, other in sorted(wrong, key=lambda pair: -pair[0].words.errors)[:_WORST]:
        errors = row.words.errors
        table.add_row()
        table.add_row(shown(f"{errors} {'error' if errors == 1 else 'errors'}", "bold"), shown(row.audio))
        table.add_row(shown("said"), shown(row.reference))
        table.add_row(shown("heard"), shown(row.hypothesis))
        if other is not None:
            table.add_row(shown("baseline"), shown(other.hypothesis))
    return table


def _scored(row: ScoredUtterance) -> dict[str, Any]:
    return {"hypothesis": row.hypothesis, "words": asdict(row.words), "characters": asdict(row.characters)}


def _pairs(result: Evaluation, compared: Baseline | None) -> Iterator[tuple[ScoredUtterance, ScoredUtterance | None]]:
    return zip(result.rows, repeat(None) if compared is None else compared.evaluation.rows, strict=False)
