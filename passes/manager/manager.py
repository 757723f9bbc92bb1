"""``PassManager``: runs passes in an order that it has checked, and checks what each of them leaves."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from torch import fx

from passes.base import CAPTURED, Fact, Pass, PassResult, Program
from passes.errors import DumpError, MyqasrError, PassError, PassOrderError
from passes.manager.check_facts import verify
from passes.manager.dump import IrDump, texts_of, write_reproducer


@dataclass(frozen=True, slots=True)
class PassTiming:
    """One pass of a run.

    Args:
        name: The pass.
        seconds: Wall time of the pass and of the check after it.
        modified: True when it changed something.
    """

    name: str
    seconds: float
    modified: bool


@dataclass(frozen=True, slots=True)
class PipelineResult(PassResult):
    """What a pass manager leaves.

    Args:
        program: The program after the last pass.
        modified: True when any pass changed something.
        timings: One entry a pass, in order.
    """

    timings: tuple[PassTiming, ...]

    @property
    def facts(self) -> frozenset[Fact]:
        """What is true of the program now."""
        return self.program.facts


@dataclass(frozen=True, slots=True)
class PassManager:
    """Runs ``passes`` in order.

    The order is checked at construction: every fact that a pass requires must be in ``initial`` or be provided, and
    not removed since, by an earlier pass. After every pass the graphs are recompiled and linted, and
    ``passes.manager.check_facts`` checks them against the facts that hold at that point. A pass that changes a graph
    and says it did not is an error too. A failing pass leaves a reproducer folder, named in the error.

    Args:
        passes: At least one pass.
        initial: What is true of the programs this manager gets.
        dump_ir: Folder for the graphs after each pass that changed them and for reproducers; None writes no graphs,
            and reproducers go to a new temporary folder.

    Raises:
        PassOrderError: A pass requires what no earlier pass leaves.
    """

    passes: tuple[Pass, ...]
    initial: frozenset[Fact] = CAPTURED
    dump_ir: Path | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "passes", tuple(self.passes))
        if self.dump_ir is not None:
            object.__setattr__(self, "dump_ir", Path(self.dump_ir))  # a string does, too
        if not self.passes:
            raise PassOrderError("a pass manager without passes")
        for index, (step, facts) in enumerate(zip(self.passes, self._facts_before(), strict=True)):
            missing = sorted(step.requires - facts)
            if missing:
                raise PassOrderError(
                    f"pass {index + 1}, {step.name}, requires {', '.join(missing)}; true before it: "
                    f"{', '.join(sorted(facts)) or 'nothing'}",
                    hint=self._advice(index, missing),
                )

    def __call__(self, target: Program | fx.GraphModule) -> PipelineResult:
        """Runs all passes on ``target`` in place.

        Raises:
            PassError: A pass failed or left a graph that its stage does not allow; a reproducer was written.
            DumpError: The folder of ``dump_ir`` cannot be written.
            MyqasrError: A request that a pass cannot meet (``BudgetError`` and the like), as the pass raised it.
        """
        program = Program.of(target)
        dump = IrDump(self.dump_ir) if self.dump_ir is not None else None
        if dump is not None:
            dump.write_input(texts_of(program))
        timings: list[PassTiming] = []
        facts = self.initial
        for number, step in enumerate(self.passes, start=1):
            start = time.perf_counter()
            facts = step.facts_after(facts)
            before = program.clone()
            try:
                modified = _run(step, program, facts, before)
            except Exception as error:
                failure = self._failure(number, step, before, error)
                if failure is error:
                    raise
                raise failure from error
            timings.append(PassTiming(step.name, time.perf_counter() - start, modified))
            if dump is not None:
                dump.write(number, step.name, texts_of(before), texts_of(program))
        left = replace(program, facts=facts)
        return PipelineResult(left, any(timing.modified for timing in timings), tuple(timings))

    def _failure(self, number: int, step: Pass, before: Program, error: Exception) -> MyqasrError:
        """The error to raise for ``error``, naming the pass once; requests that cannot be met pass as they are."""
        if isinstance(error, MyqasrError) and not isinstance(error, PassError):
            return error
        if self.dump_ir is not None:
            folder = self.dump_ir / f"{number:02d}_{step.name}.failed"
        else:
            folder = Path(tempfile.mkdtemp(prefix=f"myqasr_{step.name}_"))
        try:
            place = f"reproducer in {write_reproducer(folder, step, before, error)}"
        except DumpError as reason:
            place = f"no reproducer: {reason.message}"
        if not isinstance(error, PassError):
            return PassError(f"{step.name}: {type(error).__name__}: {error}", hint=place)
        message = error.message if error.message.startswith(step.name) else f"{step.name}: {error.message}"
        return type(error)(message, hint=f"{error.hint}; {place}" if error.hint else place)

    def _facts_before(self) -> Iterator[frozenset[Fact]]:
        """What is true before each pass."""
        facts = self.initial
        for step in self.passes:
            yield facts
            facts = step.facts_after(facts)

    def _advice(self, index: int, missing: list[Fact]) -> str:
        """Who provides what is missing, if one of the later passes does."""
        later = [step.name for step in self.passes[index + 1 :] if step.provides & set(missing)]
        if later:
            return f"move {later[0]} before {self.passes[index].name}"
        return f"add a pass that provides {', '.join(missing)} before it"


def _run(step: Pass, program: Program, facts: frozenset[Fact], before: Program) -> bool:
    """One pass and its checks: whether it changed something."""
    result = step(program)
    verify(result.program, facts)
    if not result.modified and texts_of(before) != texts_of(program):
        raise PassError(f"{step.name}: changed a graph and reported no change", hint="return True from run")
    return result.modified
