"""Metrics of other packages, as docs/passes.md tells to write them; tests/docs/test_blocks.py runs the page itself."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from myqasr_fx.errors import MyqasrError
from myqasr_fx.options.choices import available
from myqasr_fx.options.resolve import resolve_config
from passes.needs import NOTHING
from passes.numbers.affine import dequantize, qparams_from_range
from passes.registry import lookup
from passes.rounding import REGISTRY as ROUNDINGS
from passes.sensitivity import REGISTRY

Install = Callable[[Path, dict[str, dict[str, str]]], None]


@pytest.fixture
def shown(read_blocks: Callable[[str], list[Any]]) -> dict[str, str]:
    """The files that the page shows."""
    return {block.title: block.code for block in read_blocks("docs/passes.md") if "." in block.title}


def test_an_installed_rounding_keeps_what_outliers_cost_others(
    shown: dict[str, str], tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_rounding.py").write_text(shown["my_rounding.py"], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_rounding", raising=False)
    install(tmp_path, tomllib.loads(shown["pyproject-rounding.toml"])["project"]["entry-points"])
    assert available("rounding")[-1] == "hqq"
    assert resolve_config("1MB", rounding="hqq").rounding == "hqq"
    method = lookup(ROUNDINGS, "hqq", "rounding")
    assert method.needs == NOTHING
    random = torch.Generator().manual_seed(0)
    weight = torch.randn(32, 128, generator=random) / torch.rand(32, 128, generator=random).sqrt()
    groups = weight.reshape(32, -1, 32)
    qparams = qparams_from_range(groups.amin(-1), groups.amax(-1), 3, False, 32)
    errors = []
    for each in (ROUNDINGS["rtn"], method):
        found = each.run(weight, qparams, None)
        errors.append((dequantize(found.codes, found.qparams) - weight).abs().pow(0.7).sum())
    assert errors[1] < errors[0]


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
