"""What the sampler sees, and what the table of sizes says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import sampled_run
import scale
import torch
from rows_file import write_rows
from transformers import WhisperForConditionalGeneration

HOLD = """
import sys, time
print("first", file=sys.stderr, flush=True)
held = bytearray(100_000_000)
time.sleep(0.4)
del held
print("second", file=sys.stderr, flush=True)
time.sleep(0.4)
sys.exit(3)
"""


def test_a_stage_has_its_own_peak() -> None:
    run = sampled_run.sampled_run([sys.executable, "-c", HOLD], {})
    assert run.code == 3
    first, second = (run.stages[name][0] for name in ("first", "second"))
    assert first.own > 100_000_000 > second.own
    assert run.peak.own == first.own <= run.peak.resident


def test_what_a_process_starts_counts() -> None:
    nested = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {HOLD!r}]))"
    run = sampled_run.sampled_run([sys.executable, "-c", nested], {})
    assert run.code == 3 and run.peak.own > 100_000_000


def row(model: str, weights: int, seconds: float, peak: int) -> scale.Row:
    return scale.Row(model, weights, 8, 40.0, f"--budget {weights}", 1, "x", 0, seconds, peak, peak, "verify")


def test_growth_is_told_as_an_exponent() -> None:
    rows = [row("tiny", 10**7, 10.0, 100), row("base", 10**8, 100.0, 200), row("small", 10**9, 1000.0, 400)]
    (line,) = scale.exponents(rows)
    assert line == "8 clips, in proportion, tiny, base, small: seconds ^ 1.00, peak ^ 0.30"
    assert scale.exponents(rows[:1]) == []


def test_the_table_has_a_line_a_run() -> None:
    lines = scale.table([row("tiny", 37_760_640, 10.0, 2100)])
    assert lines[-1] == "| tiny | 38 M | 8, 40 s | `--budget 37760640` | 10 | 2.10 | 2.10 | verify |"
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(("size", "weights"), [("tiny", 37_760_640), ("large-v3", 1_543_490_560)])
def test_sizes_are_those_of_the_published_models(size: str, weights: int) -> None:
    with torch.device("meta"):
        network = WhisperForConditionalGeneration(scale.SIZES[size].config())
    assert sum(weight.numel() for weight in network.parameters()) == weights


def test_without_a_size_it_prints_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_rows(scale.Row, tmp_path / "scale.csv", [row("tiny", 38_000_000, 77.0, 1970)])
    monkeypatch.setattr(sys, "argv", ["scale.py", "--out", str(tmp_path)])
    scale.main()
    assert "| tiny | 38 M |" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["scale.py", "huge"])
    with pytest.raises(SystemExit):
        scale.main()
    assert "'huge' is none of tiny, base" in capsys.readouterr().err
