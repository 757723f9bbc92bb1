"""The search for files that meet a budget, on files that are only numbers, and the requests it makes."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from myqasr_fx.errors import BudgetError
from myqasr_fx.fit import fit as module
from myqasr_fx.fit.allocation import budget_bytes, check_feasible, overrides
from myqasr_fx.fit.fit import fit
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.layer_rule import LayerRule
from myqasr_fx.options.resolve import resolve_config
from passes.allocation.allocate_bits import Override
from passes.numbers.scheme import Granularity

BUDGET = 1_000_000
Search = Callable[..., int]


@pytest.fixture
def search(monkeypatch: pytest.MonkeyPatch) -> Search:
    """Runs ``fit`` with files of ``sizes(surplus)`` bytes, predicted to fill the budget; the bytes it ends with."""

    def run(sizes: Callable[[int], int], calls: list[Any] | None = None, **options: object) -> int:
        def write(job: Any, folder: Path, surplus: int) -> tuple[Any, int]:
            if calls is not None:
                calls.append((surplus, job.config.rounding, job.config.sequential) if options else surplus)
            return SimpleNamespace(model_bytes=sizes(surplus)), BUDGET

        monkeypatch.setattr(module, "_write", write)
        monkeypatch.setattr(module, "PassManager", lambda *_: lambda program: None)
        prepared: Any = SimpleNamespace(program=None, num_weights=1)
        calibration: Any = SimpleNamespace(statistics={})
        return fit(prepared, calibration, resolve_config(BUDGET, **options), Path()).model_bytes

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


def test_files_that_outgrow_their_draft_are_an_error(search: Search) -> None:
    sizes = iter([*[BUDGET + 50_000] * 3, BUDGET, BUDGET + 1])
    with pytest.raises(BudgetError, match="1,000,001 bytes, more than the 1,000,000 allowed"):
        search(lambda surplus: next(sizes), rounding="gptq", sequential=True)


def test_files_that_fit_are_kept_when_later_ones_do_not(search: Search) -> None:
    assert search(lambda surplus: BUDGET - 30_000 if surplus == 0 else BUDGET + 40_000) == BUDGET - 30_000


def test_files_that_never_fit_are_an_error(search: Search) -> None:
    with pytest.raises(BudgetError, match="the smallest files found take 1,000,007 bytes"):
        search(lambda surplus: BUDGET + 7)


def test_budgets_count_bytes_or_bits() -> None:
    assert budget_bytes(Budget(bytes=5), 100) == 5
    assert budget_bytes(Budget(avg_bits=4.5), 1001) == 563
    assert budget_bytes(Budget(uniform_bits=4), 100) is None


@pytest.fixture(scope="module")
def prepared(make_speech_model: Callable[[str], SpeechModel]) -> Prepared:
    return prepare(make_speech_model("smallest"))


@pytest.mark.parametrize("granularity", ["tensor", "group:16"])
@pytest.mark.parametrize("kind", ["file", "paper"])
def test_feasibility_depends_on_what_is_stored(prepared: Prepared, kind: str, granularity: str) -> None:
    def smallest(**options: object) -> int:
        with pytest.raises(BudgetError) as error:
            check_feasible(prepared, resolve_config(1, budget_kind=kind, granularity=granularity, **options))
        return int(error.value.message.split("size is ")[1].split(" ")[0].replace(",", ""))

    least = smallest()
    check_feasible(prepared, resolve_config(least + 1, budget_kind=kind, granularity=granularity))
    assert smallest(min_bits=2) > least
    if kind == "paper":
        assert least == prepared.num_weights // 8
    else:
        assert smallest(symmetric=True) < least


def test_one_width_needs_no_budget(prepared: Prepared) -> None:
    check_feasible(prepared, resolve_config(uniform_bits=8))


def test_the_first_rule_that_matches_counts(prepared: Prepared) -> None:
    rules = (LayerRule("*.q_proj", bits=7, granularity="channel"), LayerRule("*_proj", keep=16))
    config = resolve_config(1)
    object.__setattr__(config, "rules", rules)
    found = {name.rpartition(".")[2]: override for name, override in overrides(prepared, config).items()}
    assert found == {
        "q_proj": Override(7, Granularity("channel"), None),
        **dict.fromkeys(("k_proj", "v_proj", "out_proj"), Override(16, None, "kept by a rule")),
    }
