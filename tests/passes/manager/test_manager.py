"""Order, checks, timings, dumps and failures of PassManager."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from passes.base import Fact, Program, ProgramPass
from passes.canonical.canonicalize import Canonicalize
from passes.canonical.decompose_attention import DecomposeAttention
from passes.errors import BudgetError, PassError, PassOrderError, VerificationError
from passes.graph import meta
from passes.manager.manager import PassManager
from passes.manager.run_passes import run_passes
from passes.observe.activation_stats import Statistics
from passes.observe.insert_observers import InsertObservers
from passes.observe.remove_observers import RemoveObservers
from passes.sensitivity.rank_sensitivity import RankSensitivity

CANONICAL = frozenset({Fact.CANONICAL})


def nothing(program: Program) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Custom(ProgramPass):
    action: Callable[[Program], bool] = field(default=nothing)

    requires: ClassVar[frozenset[Fact]] = CANONICAL

    def run(self, program: Program) -> bool:
        return self.action(program)


def test_runs_in_order_and_reports(tiny_program: Program) -> None:
    steps = (Canonicalize(), DecomposeAttention(), InsertObservers(), RemoveObservers())
    result = PassManager(steps)(tiny_program)
    assert [timing.name for timing in result.timings] == [step.name for step in steps]
    assert [timing.modified for timing in result.timings] == [False, False, True, True]
    assert all(timing.seconds > 0 for timing in result.timings)
    assert result.modified and result.program.graphs is tiny_program.graphs
    assert result.facts == {Fact.CAPTURED, Fact.CANONICAL}


def test_facts_carry_over_to_the_next_manager(tiny_program: Program, tiny_statistics: Statistics) -> None:
    first = PassManager((Canonicalize(),))(tiny_program)
    second = PassManager((RankSensitivity(tiny_statistics),), initial=first.facts)(first.program)
    assert Fact.SENSITIVITY in second.facts


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ((), "without passes"),
        ((InsertObservers(),), "pass 1, InsertObservers, requires canonical.*add a pass that provides canonical"),
        ((InsertObservers(), Canonicalize()), "true before it: captured.*move Canonicalize before InsertObservers"),
        ((Canonicalize(), RemoveObservers()), "pass 2, RemoveObservers, requires observed"),
        ((Canonicalize(), InsertObservers(), RemoveObservers(), RemoveObservers()), "pass 4"),
    ],
)
def test_a_wrong_order_is_refused_at_construction(steps: tuple[ProgramPass, ...], message: str) -> None:
    with pytest.raises(PassOrderError, match=message):
        PassManager(steps)


def test_a_graph_is_written_after_each_pass_that_changed_it(tmp_path: Path, tiny_program: Program) -> None:
    PassManager((Custom(), InsertObservers(), Custom(), RemoveObservers()), CANONICAL, tmp_path)(tiny_program)
    names = sorted(path.name for path in tmp_path.iterdir())
    expected = ["02_InsertObservers.model.diff", "02_InsertObservers.model.txt"]
    assert names == ["00_input.model.txt", *expected, "04_RemoveObservers.model.diff", "04_RemoveObservers.model.txt"]


def crash(program: Program) -> bool:
    raise KeyError("weight")


def test_a_crash_is_chained_and_leaves_a_reproducer(tmp_path: Path, tiny_program: Program) -> None:
    with pytest.raises(PassError, match=r"^Custom: KeyError: 'weight' \(reproducer in ") as caught:
        PassManager((Custom(crash),), CANONICAL, tmp_path)(tiny_program)
    assert isinstance(caught.value.__cause__, KeyError)
    folder = tmp_path / "01_Custom.failed"
    assert {"pass.txt", "error.txt", "model.txt", "model.pt"} == {path.name for path in folder.iterdir()}
    assert str(folder) in str(caught.value)


def test_without_a_dump_folder_the_reproducer_is_temporary(
    tmp_path: Path, tiny_program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(PassError, match="reproducer in"):
        PassManager((Custom(crash),), CANONICAL)(tiny_program)
    assert [path.name.startswith("myqasr_Custom_") for path in tmp_path.iterdir()] == [True]


def test_an_error_without_room_for_its_reproducer_is_still_told(tmp_path: Path, tiny_program: Program) -> None:
    (tmp_path / "01_Custom.failed").write_text("in the way")
    manager = PassManager((Custom(crash),), CANONICAL, tmp_path)
    with pytest.raises(PassError, match=r"Custom: .*no reproducer: graphs cannot be written"):
        manager(tiny_program)


def test_the_reproducer_holds_the_graph_before_the_pass(tmp_path: Path, tiny_program: Program) -> None:
    def half_done(program: Program) -> bool:
        module = program.graphs["model"]
        module.graph.create_node("call_function", print)
        raise KeyError("weight")

    with pytest.raises(PassError):
        PassManager((Custom(half_done),), CANONICAL, tmp_path)(tiny_program)
    assert "print" not in (tmp_path / "01_Custom.failed" / "model.txt").read_text()


def test_an_error_names_its_pass_once(tmp_path: Path, tiny_program: Program) -> None:
    def fail(program: Program) -> bool:
        raise PassError("layer fc is odd", hint="ask someone")

    def fail_with_name(program: Program) -> bool:
        raise PassError("Custom: layer fc is odd")

    for action, hint in ((fail, r"ask someone; reproducer"), (fail_with_name, "reproducer")):
        with pytest.raises(PassError, match=rf"^Custom: layer fc is odd \({hint}") as caught:
            PassManager((Custom(action),), CANONICAL, tmp_path)(tiny_program)
        assert isinstance(caught.value.__cause__, PassError)


def test_a_request_that_cannot_be_met_passes_unchanged(tmp_path: Path, tiny_program: Program) -> None:
    error = BudgetError("1 MB is too small", hint="take 12 MB")

    def refuse(program: Program) -> bool:
        raise error

    with pytest.raises(BudgetError) as caught:
        PassManager((Custom(refuse),), CANONICAL, tmp_path)(tiny_program)
    assert caught.value is error and not list(tmp_path.glob("*.failed"))


def test_a_change_that_is_not_reported_is_an_error(tmp_path: Path, tiny_program: Program) -> None:
    def sneak(program: Program) -> bool:
        next(iter(program.graphs["model"].graph.nodes)).meta[meta.LAYER] = "sneaked"
        return False

    with pytest.raises(PassError, match="Custom: changed a graph and reported no change"):
        PassManager((Custom(sneak),), CANONICAL, tmp_path)(tiny_program)


def test_a_broken_result_is_found_right_after_the_pass(tmp_path: Path, tiny_program: Program) -> None:
    def mark(program: Program) -> bool:
        (node,) = program.graphs["model"].graph.find_nodes(op="output")
        return meta.put(node, meta.SENSITIVITY, 1.0)

    with pytest.raises(VerificationError, match="Custom: graph model, node output: carries myqasr_sensitivity"):
        PassManager((Custom(mark),), CANONICAL, tmp_path)(tiny_program)


def of_modules() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 4)).eval()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (of_modules(), "got a Sequential, expected a Program or a GraphModule"),
        (torch.fx.symbolic_trace(of_modules()), "node _0 is a call_module, expected calls of ATen operators"),
        (torch.export.export(of_modules(), (torch.zeros(2, 4),)), "got a ExportedProgram, expected a Program"),
    ],
    ids=["module", "traced", "exported"],
)
def test_what_is_no_captured_graph_is_refused(target: Any, said: str) -> None:
    for run in (PassManager((Canonicalize(),)), lambda given: run_passes(given, (Canonicalize(),)), Canonicalize()):
        with pytest.raises(PassError, match=rf"{said}.*with torch.export"):
            run(target)


def test_a_folder_for_graphs_may_be_a_string(tiny_program: Program, tmp_path: Path) -> None:
    PassManager((Canonicalize(),), dump_ir=str(tmp_path / "ir"))(tiny_program)  # type: ignore[arg-type]
    assert list((tmp_path / "ir").iterdir())
