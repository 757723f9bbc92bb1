"""What a command says: values for ``--json`` and a view for people."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TextIO

import typer
from rich.console import Console, RenderableType

from myqasr_fx.bundle.signals import signals_as_exceptions
from myqasr_fx.cli.streams import check_output, flush_output, printing
from myqasr_fx.cli.system_errors import system_errors_explained
from myqasr_fx.cli.visible import json_text
from myqasr_fx.errors import OptionError
from myqasr_fx.process.progress import RichProgress

P = ParamSpec("P")

_output: ContextVar[TextIO | None] = ContextVar("output", default=None)
"""Standard output while a command works."""

_MOST_PIPED = 100
"""Columns of a table that goes to a pipe or a file, where COLUMNS does not say; lines of text are not wrapped there."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
DebugFlag = Annotated[bool, typer.Option("--debug", help="Show tracebacks and the libraries' warnings.")]


@dataclass(frozen=True, slots=True)
class Answer:
    """Result of a command.

    Args:
        data: Plain values.
        view: The same for people; None prints JSON whatever the flag.
        exit_code: 0 unless the result is bad news.
    """

    data: Mapping[str, Any]
    view: RenderableType | None
    exit_code: int = 0


def say(text: str) -> None:
    """Writes on standard output what cannot wait for a command's answer."""
    output = _output.get() or sys.stdout
    with printing(output):
        output.write(text)
        output.flush()


def tell(view: RenderableType, progress: RichProgress) -> None:
    """Prints what cannot wait for a command's answer as that is printed, while ``progress`` shows its bars."""
    output = _output.get() or sys.stdout
    with printing(output):
        if not on_terminal():
            say(_piped(view, output))
            return
        with progress.above(output) as console:
            console.print(view, highlight=False)


def on_terminal() -> bool:
    """True when what is said is read on a terminal."""
    return (_output.get() or sys.stdout).isatty()


def answering(command: Callable[P, Answer | None]) -> Callable[P, None]:
    """``command`` as typer calls it: its answer, if it has one, and what it says go to standard output, nothing else.

    Libraries that print while the command works print to standard error.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        check_users(kwargs.values())
        check_output()
        _output.set(sys.stdout)
        with signals_as_exceptions(), contextlib.redirect_stdout(sys.stderr), system_errors_explained():
            answer = command(*args, **kwargs)
        if answer is not None:
            with printing(sys.stdout):
                _print(answer, bool(kwargs["as_json"]))
        flush_output()
        if answer is not None and answer.exit_code:
            raise typer.Exit(answer.exit_code)

    run.__annotations__ = {**command.__annotations__, "return": None}
    return run


def _print(answer: Answer, as_json: bool) -> None:
    if as_json or answer.view is None:
        utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        typer.echo(json_text(answer.data, ascii_only=not utf8))
    elif sys.stdout.isatty():
        Console(highlight=False).print(answer.view, crop=False)
    else:
        sys.stdout.write(_piped(answer.view, sys.stdout))


def _piped(view: RenderableType, output: TextIO) -> str:
    """``view`` in lines that end where their text does: whoever reads them breaks those that are too long."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) else min(Console().width or 80, _MOST_PIPED)
    console = Console(file=output, highlight=False, width=width)
    with console.capture() as captured:
        console.print(view, soft_wrap=True)
    return "\n".join(line.rstrip(" ") for line in captured.get().split("\n"))


def check_users(values: Iterable[object]) -> None:
    """Refuses paths that begin with ``~`` and the name of nobody.

    Raises:
        OptionError: There is no such user, and no such file here.
    """
    for value in values:
        if isinstance(value, (list, tuple)):
            check_users(item for item in value if isinstance(item, Path))  # lists of texts are filters and the like
        elif isinstance(value, (str, Path)) and str(value).startswith("~") and not os.path.lexists(value):
            try:
                Path(value).expanduser()
            except RuntimeError as error:
                raise OptionError(f"{value}: no such user", hint="give the path in full") from error
