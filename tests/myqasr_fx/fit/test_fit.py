"""The search for files that meet a budget, on files that are only numbers, and the requests it makes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import BudgetError
from myqasr_fx.fit import fit as module
from myqasr_fx.fit.aim import Aim
from myqasr_fx.fit.attempts import meet_budget
from myqasr_fx.fit.fit import fit, rounded
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.request import FitRequest, fit_request
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits
from passes.base import Fact, Program
from passes.graph import meta
from passes.manager.dump import texts_of

BUDGET = 1_000_000
Search = Callable[..., int]


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Search:
    """Runs ``fit`` with files of ``sizes(surplus)`` bytes, predicted to fill the budget; the bytes it ends with."""

    def run(
        sizes: Callable[[int], int], calls: list[Any] | None = None, limits: Limits | None = None, **options: object
    ) -> int:
        def write(job: FitJob, folder: Path, surplus: int) -> tuple[Any, int]:
            if calls is not None:
                calls.append((surplus, job.request.rounding, job.request.sequential) if options else surplus)
            return SimpleNamespace(model_bytes=sizes(surplus)), BUDGET

        monkeypatch.setattr(module, "_write", write)
        prepared: Any = SimpleNamespace(program=Program({}), layers=(), signatures={}, num_weights=1)
        nothing: Any = SimpleNamespace()
        request = fit_request(prepared, resolve_config(BUDGET, recipe="paper-file", **options))  # type: ignore[arg-type]
        return fit(FitJob(prepared, nothing, request, nothing, limits=limits or Limits()), Path()).model_bytes

    return run


def test_a_good_estimate_writes_once(search: Search) -> None:
    calls: list[int] = []
    assert search(lambda surplus: BUDGET - 3000, calls) == BUDGET - 3000
    assert calls == [0]


@pytest.mark.parametrize("wrong_by", [50_000, -50_000])
def test_a_wrong_estimate_is_measured_and_corrected(search: Search, wrong_by: int) -> None:
    calls: list[int] = []
    assert search(lambda surplus: BUDGET + wrong_by - surplus, calls) == BUDGET
    assert calls == [0, wrong_by]


def test_what_may_stay_unused_decides_whether_files_are_written_again(search: Search) -> None:
    for limits, count in ((Limits(spare_bytes=50_000), 1), (Limits(spare=0.05), 1), (Limits(spare_bytes=49_999), 2)):
        calls: list[int] = []
        search(lambda surplus: BUDGET - 50_000 - surplus, calls, limits)
        assert len(calls) == count


def test_no_more_is_tried_than_allowed(search: Search) -> None:
    calls: list[int] = []
    with pytest.raises(BudgetError, match="the smallest files found take 1,000,007 bytes"):
        search(lambda surplus: BUDGET + 7, calls, Limits(attempts=2))
    assert len(calls) == 2


def test_widths_are_found_with_nearest_rounding(search: Search) -> None:
    calls: list[Any] = []
    assert search(lambda surplus: BUDGET + 50_000 - surplus, calls, rounding="gptq", sequential=True) == BUDGET
    assert calls == [(0, "rtn", False), (50_000, "rtn", False), (50_000, "gptq", True)]


@pytest.mark.parametrize("last", [BUDGET, BUDGET - 30_000])
def test_a_draft_that_fits_at_last_is_rounded_for_good(search: Search, last: int) -> None:
    calls: list[Any] = []
    sizes = iter([*[BUDGET + 50_000] * 3, last, last])
    assert search(lambda surplus: next(sizes), calls, rounding="gptq", sequential=True) == last
    assert [call[1:] for call in calls] == [("rtn", False)] * 4 + [("gptq", True)]
    assert calls[-1][0] == calls[-2][0]


@pytest.mark.parametrize("texts", [(9_000, 127, 3_000, 2_000), (2_700, 3_200, 6_700, 3_800)])
def test_text_that_differs_from_attempt_to_attempt_is_left_room_for(search: Search, texts: tuple[int, ...]) -> None:
    """Files of a digits model, at whose budget all four attempts were over by what their divisions had more."""
    more = iter(texts)
    grown = [0]

    def size(surplus: int) -> int:
        grown[0] += next(more)
        return BUDGET - surplus + grown[0]

    assert 0.98 * BUDGET < search(size) <= BUDGET


def test_files_that_outgrow_their_draft_are_an_error(search: Search) -> None:
    sizes = iter([*[BUDGET + 50_000] * 3, BUDGET, BUDGET + 1])
    with pytest.raises(BudgetError, match="1,000,001 bytes, more than the 1,000,000 allowed"):
        search(lambda surplus: next(sizes), rounding="gptq", sequential=True)


def test_files_that_fit_are_kept_when_later_ones_do_not(search: Search) -> None:
    assert search(lambda surplus: BUDGET - 30_000 if surplus == 0 else BUDGET + 40_000) == BUDGET - 30_000


@pytest.mark.parametrize(
    ("largest", "expected"), [(False, [700_000, 1_200_000, 600_000]), (True, [700_000, 1_200_000, 600_000, 700_000])]
)
def test_of_files_that_met_the_budget_the_last_counts_or_the_largest(largest: bool, expected: list[int]) -> None:
    prepared: Any = SimpleNamespace(program=Program({}), layers=(), signatures={}, num_weights=1)
    request = fit_request(prepared, resolve_config(BUDGET, recipe="paper-file", rounding="rtn"))
    sizes = {0: 700_000, -300_000: 1_200_000, -100_000: 600_000}
    written: list[int] = []

    def write(_: FitRequest, surplus: int) -> tuple[Any, int]:
        written.append(sizes[surplus])
        return SimpleNamespace(model_bytes=sizes[surplus]), BUDGET

    assert meet_budget(request, Limits(attempts=3), write, largest=largest).model_bytes == expected[-1]
    assert written == expected


def test_an_attempt_that_a_correction_did_not_change_is_the_last_draft() -> None:
    prepared: Any = SimpleNamespace(program=Program({}), layers=(), signatures={}, num_weights=1)
    request = fit_request(prepared, resolve_config(BUDGET, recipe="normal"))
    drafts: list[bool] = []

    def write(asked: FitRequest, surplus: int) -> tuple[Any, int]:
        drafts.append(asked != request)
        return SimpleNamespace(model_bytes=700_000), BUDGET

    assert meet_budget(request, Limits(), write, largest=False).model_bytes == 700_000
    assert drafts == [True, True, False]


def test_files_that_never_fit_are_an_error(search: Search) -> None:
    with pytest.raises(BudgetError, match="the smallest files found take 1,000,007 bytes"):
        search(lambda surplus: BUDGET + 7)


@pytest.mark.parametrize("sequential", [False, True])
def test_what_is_fitted_stays_as_it_was(sequential: bool, fit_job: Callable[..., FitJob], tmp_path: Path) -> None:
    """Every attempt starts from the same graphs and weights, whatever the one before it did."""
    job = fit_job("smallest", uniform_bits=3, rounding="gptq", granularity="group:32", sequential=sequential)
    graphs = job.prepared.program.graphs.values()
    texts = texts_of(job.prepared.program)
    tensors = {name: tensor.clone() for module_ in graphs for name, tensor in module_.state_dict().items()}
    program, _ = rounded(job)
    assert Fact.ROUNDED in program.facts and Fact.ROUNDED not in job.prepared.program.facts
    assert any(meta.get(node, meta.QUANTIZED_WEIGHT) is not None for _, _, node in program.nodes())
    first, second = (fit(job, tmp_path) for _ in range(2))
    assert first.model_bytes == second.model_bytes
    assert texts_of(first.program) == texts_of(second.program) != texts
    assert texts_of(job.prepared.program) == texts
    for module_ in graphs:
        assert all(torch.equal(tensors[name], tensor) for name, tensor in module_.state_dict().items())


def test_an_aim_gives_the_smallest_choices_back_their_room_and_no_more() -> None:
    aim = Aim(60_000, Limits())
    assert not aim.relents(5_000), "too small without a surplus, too"
    aim.correct(written=80_736, predicted=59_998)
    assert aim.surplus == 20_738
    assert not aim.relents(20_739)
    assert aim.relents(5_673) and aim.surplus == 15_065


def test_a_surplus_that_no_allocation_has_room_for_is_left_to_the_attempt() -> None:
    def foresee(surplus: int) -> int:
        if surplus > 60_000:
            raise BudgetError("infeasible")
        return 50_000

    aim = Aim(1_000_000, Limits(), foresee, foresee(0))
    aim.correct(written=1_020_000, predicted=1_000_000)
    assert aim.surplus == 70_000 and aim.relents(5_000) and aim.surplus == 65_000


def test_how_layers_are_divided_is_foreseen(
    compile_model: Callable[..., QuantizedBundle], caplog: pytest.LogCaptureFixture
) -> None:
    """Priced by its blocks alone the tiny vocabulary had so many widths that their graph took a third of the budget."""
    with caplog.at_level(logging.INFO, logger="myqasr_fx.fit.attempts"):
        bundle = compile_model("smallest", "60KB", recipe="normal", cache=None)
    written = [int(record.getMessage().split("wrote ")[1].split(" ")[0]) for record in caplog.records]
    assert len(written) <= 3 and max(written) <= 60_000 and bundle.manifest.model_bytes == written[-1]


@pytest.mark.parametrize("step", [0, 1, 2_000, 5_000])
def test_a_surplus_settles_where_it_is_what_is_foreseen_with_it(step: int) -> None:
    """The more room is left, the less layers are divided; in steps."""
    aim = Aim(1_000_000, Limits(), lambda surplus: 50_000 - (surplus // step * step if step else 0) // 2)
    aim.surplus = aim.foresee(0)
    rest = 2_000
    aim.correct(written=1_000_000 + rest + aim.foresee(aim.surplus) - aim.surplus, predicted=1_000_000)
    assert rest + aim.foresee(aim.surplus) <= aim.surplus <= rest + aim.foresee(aim.surplus) + aim.spare + step
