"""Options of a command, with what to give where they name no size."""

from __future__ import annotations

from myqasr_fx.errors import NoSizeError, OptionError
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.resolve import asked_size, resolve_config


def asked_config(model: str | None, budget: str | None, others: str = "", **options: object) -> QuantizeConfig:
    """The resolved options; a budget that no files of the model meet is told before methods load torch.

    Args:
        model: That shall have this size; None asks no model.
        budget: As given.
        others: Options of the command that name a size in another way, such as ``--avg-bits``.
        options: As for :func:`~myqasr_fx.options.resolve.resolve_config`.

    Raises:
        OptionError: An option cannot be used, or none names a size.
        BudgetError: The model's codes alone take more.
    """
    from myqasr_fx.fit.codes_alone import check_codes_alone

    asked = asked_size(budget, **options) if model is not None else None  # type: ignore[arg-type]  # as below
    if asked is not None:
        check_codes_alone(str(model), asked.budget, asked.narrowest)
    try:
        return resolve_config(budget, **options)  # type: ignore[arg-type]  # resolve_config checks names and values
    except NoSizeError as error:
        raise OptionError(f"no size was given: give --budget, such as 24MB{others and f', or {others}'}") from error
