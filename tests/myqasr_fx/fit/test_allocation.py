"""What allocations are asked: budgets that cannot be met, and the optimal one end to end on tiny models."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import BudgetError, OptionError
from myqasr_fx.fit.allocation import allocation_pass, check_feasible, expectation, predicted_bytes
from myqasr_fx.fit.fit import allocated
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.request import fit_request
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from passes.numbers.scheme import Granularity


@pytest.fixture(scope="module")
def prepared(make_speech_model: Callable[[str], SpeechModel], captured_once: Callable[..., Prepared]) -> Prepared:
    return captured_once(make_speech_model("smallest"))


@pytest.mark.parametrize("granularity", ["tensor", "group:16"])
@pytest.mark.parametrize("kind", ["file", "paper"])
def test_feasibility_depends_on_what_is_stored(prepared: Prepared, kind: str, granularity: str) -> None:
    def check(budget: int, **options: object) -> None:
        config = resolve_config(
            budget, budget_kind=kind, granularity=granularity, **{"recipe": "paper-file", **options}
        )
        check_feasible(prepared, fit_request(prepared, config))

    def smallest(**options: object) -> int:
        with pytest.raises(BudgetError) as error:
            check(1_000, **options)
        return int(error.value.message.split("size is ")[1].split(" ")[0].replace(",", ""))

    least = smallest()
    check(least + 1)
    assert smallest(min_bits=2) > least
    if kind == "paper":
        assert least == prepared.num_weights // 8
    else:
        assert smallest(symmetric=True) < least


def test_one_width_needs_no_budget(prepared: Prepared) -> None:
    check_feasible(prepared, fit_request(prepared, resolve_config(uniform_bits=8)))


def test_the_optimal_allocation_chooses_among_groups_and_tells_its_bytes(fit_job: Callable[..., FitJob]) -> None:
    job = fit_job("smallest", "60KB", recipe="best")
    program, predicted = allocated(job)
    step = allocation_pass(job)
    assert predicted == predicted_bytes(job.prepared, program, step) <= 60_000
    assert {choice.granularity for choices in step.choices.values() for choice in choices} == {
        Granularity("group", size) for size in (32, 64, 128)
    }
    expected = expectation(job.prepared, program, step)
    assert expected is not None
    assert set(expected.layers) == {layer.name for layer in job.prepared.layers if layer.weight is not None}
    assert 0 < expected.bound <= expected.total == sum(expected.layers.values())


def test_other_allocations_expect_nothing(fit_job: Callable[..., FitJob]) -> None:
    job = fit_job("smallest", avg_bits=14.0)
    step = allocation_pass(job)
    assert step.choices == {} == job.damages
    assert expectation(job.prepared, allocated(job)[0], step) is None


def test_a_surplus_of_bytes_leaves_fewer_to_allocate(fit_job: Callable[..., FitJob]) -> None:
    job = fit_job("smallest", avg_bits=14.0)
    (without, more) = (allocation_pass(job, surplus).rule.fixed for surplus in (0, 5000))
    assert more == without + 5000


def test_best_meets_its_budget_and_uses_several_widths(compile_model: Callable[..., QuantizedBundle]) -> None:
    bundle = compile_model("whisper-smallest", "303KB", recipe="best")
    made = bundle.manifest
    assert made.budget_bytes == 303_000 and made.model_bytes <= 303_000
    assert made.config["allocation"] == "optimal" and made.config["rounding"] == "refined"
    assert sum(layer.fallbacks for layer in made.layers) < 0.01 * sum(
        layer.shape[0] for layer in made.layers if layer.shape
    )
    assert made.config["sequential"] is True
    specs = {(block.bits, block.granularity) for layer in made.layers for block in layer.blocks}
    assert len({bits for bits, _ in specs}) > 1
    assert min(bits for bits, _ in specs) >= 2
    assert made.damage is not None and 0 < made.damage.bound <= made.damage.expected
    expected = [layer.expected_damage for layer in made.layers if layer.expected_damage is not None]
    assert sum(expected) == pytest.approx(made.damage.expected, rel=1e-4)
    assert len(expected) == sum(layer.bits is not None for layer in made.layers)
    assert QuantizedBundle.open(bundle.path) == bundle
    assert "Expected and measured damage" in (bundle.path / "report.html").read_text()


def test_what_it_cannot_do_is_refused() -> None:
    with pytest.raises(OptionError, match="budget kind 'paper'"):
        resolve_config("24MB", allocation="optimal", budget_kind="paper")
    with pytest.raises(OptionError, match="layout 'sherpa-onnx'"):
        resolve_config("24MB", recipe="best", layout="sherpa-onnx")
