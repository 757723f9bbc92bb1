"""A graph runs again for other inputs and for results that were not asked for, and not otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from myqasr_fx.runtime.once import Once


class Doubling:
    """Doubles ``x`` and counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        self.runs += 1
        return {name: 2 * feeds["x"] for name in outputs}


def test_equal_inputs_run_once_and_others_run() -> None:
    graph = Doubling()
    once = Once(graph)
    for value, runs in ((1.0, 1), (1.0, 1), (2.0, 2), (1.0, 3)):
        result = once.run({"x": np.full(3, value)}, ["y"])
        np.testing.assert_array_equal(result["y"], np.full(3, 2 * value))
        assert graph.runs == runs


def test_as_many_runs_are_remembered_as_asked_for() -> None:
    graph = Doubling()
    once = Once(graph, most=2)
    for value, runs in ((1.0, 1), (2.0, 2), (1.0, 2), (2.0, 2), (3.0, 3), (2.0, 3), (1.0, 4)):
        np.testing.assert_array_equal(once.run({"x": np.full(3, value)}, ["y"])["y"], np.full(3, 2 * value))
        assert graph.runs == runs


def test_results_beyond_the_room_are_not_remembered() -> None:
    graph = Doubling()
    once = Once(graph, most=None, room=2 * 24)
    for value, runs in ((1.0, 1), (2.0, 2), (3.0, 3), (1.0, 3), (2.0, 3), (3.0, 4)):
        np.testing.assert_array_equal(once.run({"x": np.full(3, value)}, ["y"])["y"], np.full(3, 2 * value))
        assert graph.runs == runs


def test_another_shape_input_or_output_runs() -> None:
    graph = Doubling()
    once = Once(graph)
    x = np.ones(3)
    once.run({"x": x}, ["y"])
    assert once.run({"x": np.ones(4)}, ["y"])["y"].shape == (4,)
    once.run({"x": x}, ["y", "z"])
    assert set(once.run({"x": x}, ["z"])) == {"z"}
    assert graph.runs == 3
    once.run({"x": x, "more": x}, ["y"])
    assert graph.runs == 4


def test_what_is_remembered_may_lie_elsewhere() -> None:
    put: list[np.ndarray] = []

    def kept(result: np.ndarray) -> np.ndarray:
        put.append(result.copy())
        return put[-1]

    once = Once(Doubling(), most=2, kept=kept)
    x = np.ones(3)
    assert once.run({"x": x}, ["y"])["y"] is once.run({"x": x}, ["y"])["y"] is put[0]
    assert len(put) == 1
