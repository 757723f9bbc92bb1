"""Options of a command, with what to give where they name no size."""

from __future__ import annotations

from myqasr_fx.errors import NoSizeError, OptionError
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.resolve import resolve_config


def asked_config(budget: str | None, others: str = "", **options: object) -> QuantizeConfig:
    """The resolved options.

    Args:
        budget: As given.
        others: Options of the command that name a size in another way, such as ``--avg-bits``.
        options: As for :func:`~myqasr_fx.options.resolve.resolve_config`.

    Raises:
        OptionError: An option cannot be used, or none names a size.
    """
    try:
        return resolve_config(budget, **options)  # type: ignore[arg-type]  # resolve_config checks names and values
    except NoSizeError as error:
        raise OptionError(f"no size was given: give --budget, such as 24MB{others and f', or {others}'}") from error
