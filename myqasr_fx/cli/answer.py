"""What a command says: values for ``--json`` and a view for people."""

from __future__ import annotations

import contextlib
import functools
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ParamSpec

import typer
from rich.console import Console, RenderableType

P = ParamSpec("P")

_PIPE_WIDTH = 200
"""Columns of a table that no terminal shows; lines of text are not wrapped there."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
DebugFlag = Annotated[bool, typer.Option("--debug", help="Show tracebacks and the libraries' warnings.")]


@dataclass(frozen=True, slots=True)
class Answer:
    """Result of a command.

    Args:
        data: Plain values.
        view: The same for people.
        exit_code: 0 unless the result is bad news.
    """

    data: Mapping[str, Any]
    view: RenderableType
    exit_code: int = 0


def answering(command: Callable[P, Answer]) -> Callable[P, None]:
    """``command`` as typer calls it: its answer goes to standard output, and nothing else does.

    Libraries that print while the command works print to standard error.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            answer = command(*args, **kwargs)
        if kwargs["as_json"]:
            typer.echo(json.dumps(answer.data, ensure_ascii=False, indent=2, allow_nan=False))
        else:
            piped = not sys.stdout.isatty()
            Console(highlight=False, width=_PIPE_WIDTH if piped else None).print(answer.view, soft_wrap=piped)
        if answer.exit_code:
            raise typer.Exit(answer.exit_code)

    run.__annotations__ = {**command.__annotations__, "return": None}
    return run
