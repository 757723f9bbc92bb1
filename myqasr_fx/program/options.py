"""Options of the compiler that mean something for a program that hears nothing."""

from __future__ import annotations

from pathlib import Path

from myqasr_fx.errors import OptionError
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.needs import needs_of
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.options.rules_file import read_rules

KNOWN = frozenset(
    {
        *("avg_bits", "uniform_bits", "rules", "keep", "granularity", "symmetric", "opset", "seed", "dump_ir"),
        *("sensitivity", "allocation", "order", "min_bits", "max_bits", "fill", "max_spread"),
        *("calibration", "rounding"),
    }
)
"""Keywords of :func:`~myqasr_fx.program.quantize_program.quantize_program` that ``resolve_config`` checks."""


def program_config(budget: str | int | None, options: dict[str, object]) -> QuantizeConfig:
    """The configuration: widths by the ranking of Algorithm 1, codes by what the layers read (GPTQ).

    Raises:
        OptionError: An option, or one of a rules file, is unknown, or asks for gradients or for single rows, which are
            measured on speech alone.
    """
    strangers = sorted(options.keys() - KNOWN)
    if strangers:
        raise OptionError(f"unknown option {strangers[0]!r}", hint=f"known: budget, {', '.join(sorted(KNOWN))}")
    rules = options.get("rules")
    file = read_rules(Path(str(rules))).options.keys() if rules is not None else set[str]()
    if others := sorted(file - KNOWN):
        raise OptionError(
            f"rules {rules}: option {others[0]!r} is for speech models alone", hint=f"known: {', '.join(sorted(KNOWN))}"
        )
    config = resolve_config(budget, **{"recipe": "paper-file", "rounding": "gptq", **options})  # type: ignore[arg-type]
    config.check_exportable()
    needs = needs_of(config)
    if needs.roles or needs.curvature or needs.rows or needs.row_gradients:
        raise OptionError(
            f"the chosen methods need {needs}, which is measured on speech models alone",
            hint="take sensitivity 'median', allocation 'uniformity', calibration 'min_max' or others that observe",
        )
    return config
