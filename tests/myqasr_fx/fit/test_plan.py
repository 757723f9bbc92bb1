from collections.abc import Callable

import numpy as np
import pytest

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.layout import LAYOUTS
from myqasr_fx.errors import BudgetError, OptionError
from myqasr_fx.fit import fit, request
from myqasr_fx.fit.plan import Plan
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from passes.manager.dump import texts_of

MakePlan = Callable[..., Plan]


@pytest.fixture
def make_plan(
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    noise: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> MakePlan:
    monkeypatch.setattr(request, "prepare", captured_once)

    def make(*budget: int, name: str = "smallest", **options: object) -> Plan:
        config = resolve_config(*budget, **{"recipe": "paper-file", **options})  # type: ignore[arg-type]
        return pipeline.plan(make_speech_model(name), noise, config=config)

    return make


def test_a_plan_is_what_quantize_then_does(make_plan: MakePlan, compile_model: Callable[..., QuantizedBundle]) -> None:
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


def test_nothing_is_rounded_or_written(make_plan: MakePlan, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise AssertionError("a plan went on")

    for name in ("Calibrate", "RoundWeights", "LowerToQDQ", "write_program"):
        monkeypatch.setattr(fit, name, unreachable)
    planned = make_plan(uniform_bits=3)
    assert {layer.rows[0][0] for layer in planned.layers if layer.rows} == {3}
    assert planned.budget_bytes is None


def test_an_infeasible_budget_is_refused(make_plan: MakePlan) -> None:
    with pytest.raises(BudgetError, match="smallest feasible size"):
        make_plan(1000)


def test_the_graphs_of_the_layout_are_planned(
    make_plan: MakePlan,
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    compile_model: Callable[..., QuantizedBundle],
) -> None:
    """The other layouts' decoder has other inputs, which cost other bytes and give other sensitivities."""
    speech = make_speech_model("whisper-smallest")
    assert texts_of(captured_once(speech, None, LAYOUTS["sherpa-onnx"]).program) != texts_of(
        captured_once(speech).program
    )
    options = {"name": "whisper-smallest", "uniform_bits": 4}
    hf, sherpa = (make_plan(**options, layout=layout) for layout in ("hf", "sherpa-onnx"))
    made = compile_model(**options, layout="sherpa-onnx").manifest
    assert [layer.sensitivity for layer in sherpa.layers] == [layer.sensitivity for layer in made.layers]
    assert [layer.sensitivity for layer in sherpa.layers] != [layer.sensitivity for layer in hf.layers]
    assert sherpa.predicted_bytes != hf.predicted_bytes


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"activations": "int8", "activation_bits": 6, "granularity": "tensor"}, "6-bit activations cannot be stored"),
        ({"activations": "int8", "activation_ranges": "twin", "granularity": "tensor"}, "twin ranges of activations"),
    ],
)
def test_what_cannot_be_exported_is_not_planned(make_plan: MakePlan, options: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        make_plan(uniform_bits=4, **options)


def test_a_rule_that_matches_nothing_is_not_planned(make_plan: MakePlan) -> None:
    with pytest.raises(OptionError, match="matches none"):
        make_plan(uniform_bits=4, keep=("nothing=8",))
