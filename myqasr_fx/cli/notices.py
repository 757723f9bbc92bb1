"""Remarks and errors on standard error."""

from __future__ import annotations

import sys
import textwrap

import typer
from rich.console import Console

from myqasr_fx.cli.visible import visible


def notice(text: str) -> None:
    """Writes ``text`` as one line; on a terminal, as lines that are broken between words alone."""
    line = visible(text)
    if sys.stderr is not None and sys.stderr.isatty():
        width = Console(stderr=True).width
        line = textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)  # paths can be copied
    typer.echo(line, err=True)
