"""How long-running work tells where it stands, without knowing who looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Protocol, TextIO, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from myqasr_fx.process.overall import Overall, in_minutes, told_time
from passes.errors import MyqasrError

MODEL_PASSES = "passes of the model"
"""Part of several stages: forward and backward passes with all that watches them; the rest is the compiler's own."""

Advance = Callable[[int], None]
"""Called with the number of steps just done."""

TellStep = Callable[[str, int, int], None]
"""Called with a stage's name, its steps done and all its steps: at its begin, after steps, and when all are done."""


@runtime_checkable
class Progress(Protocol):
    """Receiver of progress."""

    @property
    def seconds(self) -> Mapping[str, float]:
        """Seconds of every stage that ended; stages of one name add up."""
        ...

    @property
    def parts(self) -> Mapping[str, float]:
        """Seconds of every part of stages, over all of them; they count in the stages as well."""
        ...

    def part(self, name: str) -> AbstractContextManager[None]:
        """Context of one of the many parts of a stage, which is timed and not shown."""
        ...

    def stage(self, name: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Context of one stage of ``total`` steps (None: unknown), whose value reports steps done."""
        ...


class Silent:
    """Shows nothing; keeps the wall time of each stage and part."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._parts: dict[str, float] = {}

    @property
    def seconds(self) -> Mapping[str, float]:
        """See :class:`Progress`."""
        return dict(self._seconds)

    @property
    def parts(self) -> Mapping[str, float]:
        """See :class:`Progress`."""
        return dict(self._parts)

    def part(self, name: str) -> AbstractContextManager[None]:
        """See :class:`Progress`."""
        return _timed(self._parts, name)

    @contextmanager
    def stage(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """See :class:`Progress`."""
        with _timed(self._seconds, name), self._shown(name, total) as advance:
            yield advance

    @contextmanager
    def _shown(self, name: str, total: int | None) -> Iterator[Advance]:
        yield lambda steps: None


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Adds what its body takes to ``seconds[name]``."""
    start = time.perf_counter()
    try:
        yield
    finally:
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start


class Told(Silent):
    """Tells a function; a stage whose steps nobody knows has one.

    Args:
        tell: Called with the stage, the steps done and all its steps.
    """

    def __init__(self, tell: TellStep) -> None:
        super().__init__()
        self._tell = tell

    @contextmanager
    def _shown(self, name: str, total: int | None) -> Iterator[Advance]:
        steps, done = total or 1, 0

        def advance(more: int) -> None:
            nonlocal done
            if total and done < steps:
                done = min(done + more, steps)
                self._tell(name, done, steps)

        self._tell(name, 0, steps)
        yield advance
        if done < steps:
            self._tell(name, steps, steps)


def as_progress(given: Progress | TellStep | None) -> Progress:
    """Who is told: ``given`` itself, a function, or nobody.

    Raises:
        MyqasrError: It can be told nothing.
    """
    if given is None or isinstance(given, Progress):
        return given or Silent()
    if not callable(given):
        hint = "give a function of a stage's name, its steps done and all its steps"
        raise MyqasrError(f"progress {given!r}: {type(given).__name__}, expected a function", hint=hint)
    return Told(given)


class RichProgress(Silent):
    """Draws one bar a stage on standard error; where that is no terminal, prints one line a stage.

    Args:
        usual: Stages of the whole run, and the seconds that they usually take, see :class:`Overall`; where they are
            known, it also tells how much of the run is done, and about how long the rest takes.
    """

    def __init__(self, usual: Mapping[str, float] = MappingProxyType({})) -> None:
        super().__init__()
        self._bars: Bars | None = None
        self._all = Overall(usual)

    @contextmanager
    def _shown(self, name: str, total: int | None) -> Iterator[Advance]:
        self._all.begin(name)
        if self._bars is not None:  # a stage inside a stage: a terminal takes one live display at a time
            with self._bar(self._bars, name, total) as advance:
                yield advance
            return
        console = Console(stderr=True)
        if not console.is_terminal:
            told = self._told(" done", told_time)
            console.print(f"{name} …{told and f' ({told})'}", highlight=False)
            yield self._counted(name, total)
            self._all.end(name)
            return
        name_column = TextColumn("{task.description}", table_column=Column(no_wrap=True))
        columns = (SpinnerColumn(), name_column, BarColumn(_BAR), _Steps(table_column=Column(no_wrap=True)))
        with Bars(*columns, TimeElapsedColumn(), console=console) as self._bars:
            try:
                with self._bar(self._bars, name, total) as advance:
                    yield advance
            finally:
                self._bars = None

    def note(self, text: str) -> None:
        """A line of its own on standard error, above the bars, which no terminal breaks amid a word."""
        console = Console(stderr=True) if self._bars is None else self._bars.console
        console.print(Text(text), soft_wrap=not console.is_terminal, highlight=False)

    @contextmanager
    def above(self, output: TextIO) -> Iterator[Console]:
        """Console that writes on the terminal ``output`` and leaves the bars below what it writes."""
        if self._bars is None:
            yield Console(file=output)
            return
        console = self._bars.console
        usual, console.file = console.file, output
        try:
            yield console
        finally:
            console.file = usual

    @contextmanager
    def _bar(self, bars: Bars, name: str, total: int | None) -> Iterator[Advance]:
        task, count = bars.add_task(name, total=total), self._counted(name, total)
        whole = bars.add_task("in all", total=1.0, told="") if self._all.usual and len(bars.tasks) == 1 else None
        if whole is not None:
            bars.tasks[-1].start_time = self._all.started

        def advance(steps: int) -> None:
            bars.advance(task, steps)
            count(steps)
            self._tell_all(bars)

        self._tell_all(bars)
        try:
            yield advance
            bars.update(task, total=total or 1, completed=total or 1)
            self._all.end(name)
        finally:
            if whole is not None:
                bars.remove_task(whole)  # what stays on the screen is one line a stage

    def _counted(self, name: str, total: int | None) -> Advance:
        """Keeps how much of a stage is done."""
        done = 0

        def count(steps: int) -> None:
            nonlocal done
            done += steps
            if total:
                self._all.advance(name, min(done / total, 1.0))

        return count

    def _tell_all(self, bars: Bars) -> None:
        for task in bars.tasks:
            if "told" in task.fields:
                bars.update(task.id, completed=self._all.done, told=self._told("", in_minutes))

    def _told(self, done: str, time: Callable[[float], str]) -> str:
        """How much of the run is done, and how long the rest takes; nothing where nobody knows."""
        if not self._all.usual or self._all.done < 0.01:
            return ""
        left = self._all.seconds_left
        return f"{self._all.done:.0%}{done}{f', about {time(left)} left' if left is not None else ''}"


_BAR = 15
"""Columns of a bar: with the longest name of a stage and the longest time, two of a terminal's 80 stay free.

The terminal's ``^C`` breaks a line that fills them all, which is then drawn twice.
"""


class _Steps(MofNCompleteColumn):
    """Steps done and all steps, or what a task says of itself."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["told"]) if "told" in task.fields else super().render(task)
