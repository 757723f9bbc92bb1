from collections.abc import Callable

import numpy as np
import pytest

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import BudgetError
from myqasr_fx.fit import fit
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.plan import Plan, plan


@pytest.fixture
def make_plan(make_speech_model: Callable[[str], SpeechModel], noise: list[np.ndarray]) -> Callable[..., Plan]:
    def make(*budget: int, **options: object) -> Plan:
        return plan(make_speech_model("smallest"), noise, config=resolve_config(*budget, **options))

    return make


def test_a_plan_is_what_quantize_then_does(
    make_plan: Callable[..., Plan], compile_model: Callable[..., QuantizedBundle]
) -> None:
    planned, made = make_plan(avg_bits=14.0), compile_model(avg_bits=14.0).manifest
    assert [(layer.name, layer.op, layer.shape) for layer in planned.layers] == [
        (layer.name, layer.op, layer.shape) for layer in made.layers
    ]
    assert [layer.sensitivity for layer in planned.layers] == [layer.sensitivity for layer in made.layers]
    assert (planned.budget_bytes, planned.num_weights) == (made.budget_bytes, made.num_weights)
    assert planned.predicted_bytes <= made.budget_bytes
    assert abs(planned.predicted_bytes - made.model_bytes) < 0.15 * made.model_bytes  # text outweighs tiny weights
    for layer in planned.layers:
        assert sum(count for _, count in layer.rows) == (layer.shape[0] if layer.shape else 0)
        assert (layer.bits is None) == (layer.op == "matmul")


def test_nothing_is_rounded_or_written(make_plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise AssertionError("a plan went on")

    for name in ("Calibrate", "RoundWeights", "LowerToQDQ", "write_program"):
        monkeypatch.setattr(fit, name, unreachable)
    planned = make_plan(uniform_bits=3)
    assert {layer.rows[0][0] for layer in planned.layers if layer.rows} == {3}
    assert planned.budget_bytes is None


def test_an_infeasible_budget_is_refused(make_plan: Callable[..., Plan]) -> None:
    with pytest.raises(BudgetError, match="smallest feasible size"):
        make_plan(1000)
