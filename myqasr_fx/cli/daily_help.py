"""Help of one screen for a command of many options."""

from __future__ import annotations

import copy
from typing import Annotated, Any

import typer
from typer.core import TyperCommand


class DailyHelp(TyperCommand):
    """A command whose help leaves out options below headings; :data:`HelpAll` shows every one."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Shows arguments and options without a heading."""
        daily = copy.copy(self)
        daily.params = [option for option in self.params if not getattr(option, "rich_help_panel", None)]
        TyperCommand.format_help(daily, ctx, formatter)


def _show_all(context: typer.Context, asked: bool) -> None:
    if asked:
        command = context.command
        assert isinstance(command, TyperCommand)
        TyperCommand.format_help(command, context, context.make_formatter())
        raise typer.Exit


HelpAll = Annotated[
    bool,
    typer.Option("--help-all", help="Show every option: widths, methods, bounds.", is_eager=True, callback=_show_all),
]
