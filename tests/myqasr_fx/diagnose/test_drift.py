import numpy as np

from myqasr_fx.diagnose.drift import Drift


def test_energies_add_up_over_clips() -> None:
    drift = Drift()
    one, ten = np.ones(10, np.float32), np.full(10, 10.0, np.float32)
    drift.add({"a": ten, "b": one, "c": one}, {"a": ten + 1, "b": one, "d": one})
    assert drift.db("a") == 20.0
    drift.add({"a": ten}, {"a": ten + 1})
    assert drift.db("a") == 20.0
    assert drift.db("b") is None  # nothing differs
    assert drift.db("c") is None  # one side only


def test_other_shapes_are_left_out() -> None:
    drift = Drift()
    drift.add({"a": np.ones(3, np.float32)}, {"a": np.zeros(4, np.float32)})
    assert drift.db("a") is None
