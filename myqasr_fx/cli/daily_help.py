"""Help without types of flags, and of one screen for a command of many options."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup


class PlainHelp(TyperCommand):
    """A command whose flags show no type: they take no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As of every command."""
        return _without_types(TyperCommand.get_params(self, ctx))


class PlainGroupHelp(TyperGroup):
    """The same for the commands together."""

    def get_params(self, ctx: Any) -> list[Any]:
        """As of every group."""
        return _without_types(TyperGroup.get_params(self, ctx))


def _without_types(options: Iterable[Any]) -> list[Any]:
    found = list(options)
    for option in found:
        if getattr(option, "is_flag", False):
            option.metavar = ""
    return found


class DailyHelp(PlainHelp):
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
    typer.Option("--help-all", help="Show every option.", is_eager=True, callback=_show_all),
]
