"""A graph that is not run again for the inputs that it was run for last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from myqasr_fx.runtime.runtime import GraphRunner


class Once:
    """A runner that remembers its last run: forced and free decoding of one clip share the encoder.

    Args:
        runner: What runs the graph.
    """

    def __init__(self, runner: GraphRunner) -> None:
        self._runner = runner
        self._feeds: Mapping[str, np.ndarray] = {}
        self._results: dict[str, np.ndarray] = {}

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The named outputs for inputs by name."""
        if not (self._results.keys() >= set(outputs) and self._is_last(feeds)):
            self._results = self._runner.run(feeds, outputs)
            self._feeds = feeds
        return {name: self._results[name] for name in outputs}

    def _is_last(self, feeds: Mapping[str, np.ndarray]) -> bool:
        return feeds.keys() == self._feeds.keys() and all(
            np.array_equal(array, self._feeds[name]) for name, array in feeds.items()
        )
