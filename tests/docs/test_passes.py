"""The examples of docs/passes.md do what the page says."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from myqasr_fx.choices import available
from myqasr_fx.errors import MyqasrError
from myqasr_fx.resolve import resolve_config
from passes.registry import lookup
from passes.sensitivity import ENTRY_POINTS, REGISTRY

PAGE = Path(__file__).parents[2] / "docs" / "passes.md"
BLOCKS = re.findall(r"^```(\S+) ?([^\n]*)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def install(folder: Path, module: str, entries: dict[str, str]) -> None:
    """What pip leaves of a distribution."""
    (folder / "my_metrics.py").write_text(module, encoding="utf-8")
    info = folder / "my_metrics-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-metrics\nVersion: 1.0\n")
    lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n{lines}")


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for language, title, code in BLOCKS:
        if language == "python" and not title:
            exec(compile(code, str(PAGE), "exec"), names)
    (shown,) = (code for language, _, code in BLOCKS if language == "text")
    assert capsys.readouterr().out == shown
    (module,) = (code for _, title, code in BLOCKS if title == "my_metrics.py")
    (project,) = (tomllib.loads(code)["project"] for language, _, code in BLOCKS if language == "toml")
    install(tmp_path, module, project["entry-points"][ENTRY_POINTS])
    monkeypatch.syspath_prepend(tmp_path)
    (use,) = (code for _, title, code in BLOCKS if title == "installed")
    exec(compile(use, str(PAGE), "exec"), names)
    assert available("sensitivity")[-1] == "outlier_bits"
    assert resolve_config("1MB", sensitivity="outlier_bits").sensitivity == "outlier_bits"


def test_the_metric_takes_ten_lines() -> None:
    (module,) = (code for _, title, code in BLOCKS if title == "my_metrics.py")
    assert len([line for line in module.splitlines() if line]) <= 10


@pytest.mark.parametrize(
    ("entry", "says"),
    [("my_metrics:missing", "has no attribute 'missing'"), ("my_metrics:SIX", "is of type int, expected Metric")],
)
def test_a_broken_metric_is_one_line(entry: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "SIX = 6\n", {"broken": entry, "median": "my_metrics:SIX"})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_metrics", raising=False)
    with pytest.raises(MyqasrError, match=says):
        lookup(REGISTRY, "broken", "sensitivity")
    assert len(REGISTRY) == len(list(REGISTRY)) == len(set(REGISTRY))
    assert lookup(REGISTRY, "median", "sensitivity").role == "output"  # a name of ours cannot be taken
