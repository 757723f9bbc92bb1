"""Budgets that are refused before a model is loaded are such that its captured graphs refuse them, too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.errors import BudgetError, ModelError
from myqasr_fx.fit.allocation import check_feasible
from myqasr_fx.fit.codes_alone import check_codes_alone
from myqasr_fx.fit.request import fit_request
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.models.weight_counts import _COUNTED, count_weights
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.resolve import resolve_config

FAMILIES = ("whisper", "smallest", "wav2vec2-conformer", "hubert", "wavlm", "data2vec-audio")
OPTIONS: tuple[dict[str, object], ...] = (
    {},
    {"min_bits": 1},
    {"recipe": "paper-file", "symmetric": True, "granularity": "channel"},
    {"recipe": "fast", "format": "trellis"},
    {"recipe": "fast", "format": "affine", "min_bits": 3, "keep": ["*encoder.layers.0.*=1"]},
    {"recipe": "fast", "min_bits": 8, "keep": ["*=2"]},
    {"recipe": "paper"},
    {"recipe": "reference"},
    {"recipe": "fast", "optimize": "speed", "opset": 25},
    {"recipe": "paper-file", "activations": "int8", "granularity": "tensor", "symmetric": True},
)


@pytest.mark.parametrize("name", FAMILIES)
def test_no_feasible_budget_is_refused(
    name: str,
    save_model: Callable[..., Path],
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
) -> None:
    folder, prepared = str(save_model(name)), captured_once(make_speech_model(name))
    counted = [layer for layer in prepared.layers if layer.weight and _COUNTED.search(f"{layer.name}.weight")]
    weights = count_weights(folder)
    assert weights == sum(layer.num_weights for layer in counted) > 0
    for options in OPTIONS:
        config = resolve_config(1000, **options)  # type: ignore[arg-type]
        with pytest.raises(BudgetError) as told:
            check_feasible(prepared, fit_request(prepared, config))
        smallest = int(told.value.message.split("size is ")[1].split(" ")[0].replace(",", ""))
        check_codes_alone(folder, Budget(smallest, kind=config.budget.kind), config.narrowest)
        with pytest.raises(BudgetError, match=rf"the codes of {weights:,} weights at {config.narrowest} bit"):
            check_codes_alone(folder, config.budget, config.narrowest)


def test_an_average_below_the_narrowest_width() -> None:
    check_codes_alone("whisper-tiny.en", Budget(avg_bits=2.0), 2)
    with pytest.raises(BudgetError, match=r"an average of 1\.5 bits a weight is infeasible: none takes less than 2"):
        check_codes_alone("whisper-tiny.en", Budget(avg_bits=1.5), 2)


def test_a_model_that_is_not_here_is_not_asked() -> None:
    check_codes_alone("nobody/has-this", Budget(1), 2)
    with pytest.raises(ModelError, match="unknown model 'nothing'"):
        check_codes_alone("nothing", Budget(1), 2)
