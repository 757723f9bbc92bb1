"""Metrics of other packages, as docs/passes.md tells to write them; tests/docs/test_blocks.py runs the page itself."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from myqasr_fx.errors import MyqasrError
from myqasr_fx.options.choices import available
from myqasr_fx.options.resolve import resolve_config
from passes.registry import lookup
from passes.sensitivity import REGISTRY

Install = Callable[[Path, dict[str, dict[str, str]]], None]


@pytest.fixture
def shown(read_blocks: Callable[[str], list[Any]]) -> dict[str, str]:
    """The files that the page shows."""
    return {block.title: block.code for block in read_blocks("docs/passes.md") if "." in block.title}


@pytest.fixture
def metrics(shown: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path that holds the page's module, and more names in it."""
    (tmp_path / "my_metrics.py").write_text(shown["my_metrics.py"] + "\nSIX = 6\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_metrics", raising=False)
    return tmp_path


def test_an_installed_metric_is_known_everywhere(shown: dict[str, str], metrics: Path, install: Install) -> None:
    install(metrics, tomllib.loads(shown["pyproject.toml"])["project"]["entry-points"])
    assert available("sensitivity")[-1] == "outlier_bits"
    assert resolve_config("1MB", sensitivity="outlier_bits").sensitivity == "outlier_bits"


def test_the_metric_takes_ten_lines(shown: dict[str, str]) -> None:
    assert len([line for line in shown["my_metrics.py"].splitlines() if line]) <= 10


@pytest.mark.parametrize(
    ("entry", "says"),
    [("my_metrics:missing", "has no attribute 'missing'"), ("my_metrics:SIX", "is of type int, expected Metric")],
)
def test_a_broken_metric_is_one_line(entry: str, says: str, metrics: Path, install: Install) -> None:
    install(metrics, {"myqasr_fx.sensitivity": {"broken": entry, "median": "my_metrics:SIX"}})
    with pytest.raises(MyqasrError, match=says):
        lookup(REGISTRY, "broken", "sensitivity")
    assert len(REGISTRY) == len(list(REGISTRY)) == len(set(REGISTRY))
    assert lookup(REGISTRY, "median", "sensitivity").role == "output"  # a name of ours cannot be taken
