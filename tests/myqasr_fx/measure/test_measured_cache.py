from pathlib import Path

import pytest

from myqasr_fx.errors import OutputError
from myqasr_fx.measure.measured_cache import MeasuredCache
from passes.observe.activation_stats import ActivationStats

ONE = {("fc1", "kl@8"): ActivationStats(3, 0.1, 0.5, 0.3, 0.1, 0.3, 0.2, 2.5)}
TWO = {("fc2", "kl@8"): ActivationStats(3, 0.2, 0.5, 0.3, 0.1, 0.3)}


def test_lines_add_up_and_a_cut_one_is_lost_alone(tmp_path: Path) -> None:
    cache = MeasuredCache.of(tmp_path / "new", ("model", "clips"))
    assert cache.read() == {}
    cache.append(ONE)
    assert cache.path is not None
    cache.path.write_text(cache.path.read_text() + '{"layer": "cut", "ro')
    cache.append(TWO)
    assert MeasuredCache.of(tmp_path / "new", ("model", "clips")).read() == ONE | TWO
    assert MeasuredCache.of(tmp_path / "new", ("model", "others")).read() == {}


def test_no_folder_keeps_nothing_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    cache = MeasuredCache.of(None, ("model",))
    cache.append(ONE)
    assert cache.read() == {}
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another --cache"):
        MeasuredCache.of(tmp_path / "file", ("model",))
