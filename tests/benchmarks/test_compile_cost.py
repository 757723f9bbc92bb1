"""The table of costs takes medians over rounds, and ratios within a round."""

import sys

import pytest
from compile_cost import Cost, cost, rows


def test_medians_and_ratios() -> None:
    rounds = [
        {"ours": Cost(10.0, 100.0), "theirs": Cost(20.0, 50.0)},
        {"ours": Cost(20.0, 110.0), "theirs": Cost(20.0, 60.0)},
        {"ours": Cost(30.0, 120.0), "theirs": Cost(90.0, 70.0)},
    ]
    assert rows(rounds) == [("ours", "20.0", "1.00", "110"), ("theirs", "20.0", "2.00", "60")]


def test_a_process_is_measured_with_those_that_it_starts() -> None:
    size = 200_000_000
    inner = f"b = bytearray({size}); b[::4096] = b'x' * len(b[::4096])"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    assert cost([sys.executable, "-c", outer]).peak_mb > size / 1e6


def test_a_maker_that_fails_is_told() -> None:
    with pytest.raises(SystemExit, match=r"exit code 1.*no such luck"):
        cost([sys.executable, "-c", "raise SystemExit('no such luck')"])
