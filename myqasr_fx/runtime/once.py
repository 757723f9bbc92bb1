"""A graph that is not run again for inputs that it was run for lately."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from myqasr_fx.capture import whisper, whisper_fixed
from myqasr_fx.runtime.runtime import GraphRunner

_DECODERS = (whisper.DECODER, whisper_fixed.DECODER)
_Feeds = Mapping[str, np.ndarray]


class Once:
    """A runner that remembers its last runs: forced and free decoding of one clip share the encoder.

    Args:
        runner: What runs the graph.
        most: How many runs to remember; None for as many as have room.
        kept: Puts a result where it is to be remembered, such as in a file.
        room: Bytes of results; those that find none are not remembered.
    """

    def __init__(
        self,
        runner: GraphRunner,
        most: int | None = 1,
        kept: Callable[[np.ndarray], np.ndarray] = lambda result: result,
        room: float = math.inf,
    ) -> None:
        self._runner = runner
        self._kept = kept
        self._room = room
        self._runs: deque[tuple[_Feeds, dict[str, np.ndarray]]] = deque(maxlen=most)

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the values that the graph asks for."""
        return self._runner.inputs

    def run(self, feeds: _Feeds, outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The named outputs for inputs by name."""
        for known, results in self._runs:
            if results.keys() >= set(outputs) and _equal(feeds, known):
                return {name: results[name] for name in outputs}
        results = self._runner.run(feeds, outputs)
        self._room -= sum(result.nbytes for result in results.values())
        if self._room >= 0:
            results = {name: self._kept(result) for name, result in results.items()}
            self._runs.append((feeds, results))
        return {name: results[name] for name in outputs}


def encoders_once(
    runners: Mapping[str, GraphRunner],
    most: int | None = 1,
    kept: Callable[[np.ndarray], np.ndarray] = lambda result: result,
    room: float = math.inf,
) -> dict[str, GraphRunner]:
    """The runners by graph name, all but decoders with a memory; see :class:`Once`."""
    return {n: runner if n in _DECODERS else Once(runner, most, kept, room) for n, runner in runners.items()}


def _equal(feeds: _Feeds, known: _Feeds) -> bool:
    return feeds.keys() == known.keys() and all(np.array_equal(array, known[name]) for name, array in feeds.items())
