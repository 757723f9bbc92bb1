"""A graph that is opened when it is first run, and closed where another one needs the room."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from myqasr_fx.process.freed_memory import trim
from myqasr_fx.runtime.runtime import GraphRunner


class Opened:
    """A graph that is opened when it is first run.

    Args:
        opens: Makes what runs it.
        inputs: Names of the values that the graph asks for.
    """

    def __init__(self, opens: Callable[[], GraphRunner], inputs: frozenset[str]) -> None:
        self._opens = opens
        self._inputs = inputs
        self._runner: GraphRunner | None = None

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the values that the graph asks for; it stays closed."""
        return self._inputs

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The named outputs for inputs by name."""
        return self._open().run(feeds, outputs)

    def close(self) -> None:
        """Gives its memory back, until it is run again."""
        self._runner = None
        trim()

    def _open(self) -> GraphRunner:
        self._runner = self._runner or self._opens()
        return self._runner
