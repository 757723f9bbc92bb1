from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from myqasr_fx.process.progress import Advance, Silent


class Recorder(Silent):
    """Knows the stages that began and adds up the steps of each."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: Counter[str] = Counter()
        self.steps: dict[str, tuple[int, int | None]] = {}

    @contextmanager
    def _shown(self, name: str, total: int | None) -> Iterator[Advance]:
        self.begun[name] += 1
        self.steps[name] = (0, total)

        def advance(steps: int) -> None:
            self.steps[name] = (self.steps[name][0] + steps, total)

        yield advance


@pytest.fixture
def recorder() -> Callable[[], Recorder]:
    return Recorder
