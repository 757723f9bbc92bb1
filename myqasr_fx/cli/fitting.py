"""A table in the form that fits the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table

from myqasr_fx.cli.visible import shown

_ANY_WIDTH = 10_000
_LINE = 24
"""Letters of a name that stay in one line."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """One table or another that says the same.

    Args:
        wide: One line a row.
        narrow: For consoles where that one does not fit.
    """

    wide: Table
    narrow: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        needed = Measurement.get(console, options.update(width=_ANY_WIDTH), self.wide).maximum
        yield self.wide if needed <= options.max_width else self.narrow


def with_words_below(name: str, words: Sequence[str]) -> Group:
    """A cell with the lines of a layer's name and, below it, what is no number; ``-`` stands for nothing."""
    told = ", ".join(word for word in words if word != "-")
    return Group(*map(shown, name.split("\n")), Padding(shown(told, "dim"), (0, 0, 0, 2)))


def in_two_lines(name: str) -> str:
    """A layer's name, a long one broken behind the first number, that of its block, or before its last part."""
    parts = name.split(".")
    if len(name) <= _LINE or len(parts) == 1:
        return name
    numbers = [index for index, part in enumerate(parts[:-1]) if part.isdigit()]
    first = numbers[0] + 1 if numbers else len(parts) - 1
    return f"{'.'.join(parts[:first])}.\n  {'.'.join(parts[first:])}"
