"""The stages that a run is expected to go through are those that it goes through."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.options.usual_time import usual_seconds
from myqasr_fx.process.progress import RichProgress


@pytest.mark.parametrize(
    "options",
    [{"recipe": "paper-file"}, {"recipe": "fast"}, {"recipe": "normal"}, {"recipe": "fast", "format": "affine"}],
)
def test_every_stage_is_expected_in_its_order(
    options: dict[str, Any], compile_model: Callable[..., QuantizedBundle], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = usual_seconds(resolve_config("60KB", **options))
    progress = RichProgress(expected)
    compile_model("smallest", "60KB", progress=progress, cache=None, **options)
    ran = [name for name in expected if name in progress.seconds]
    assert set(progress.seconds) <= set(expected)
    assert set(expected) - set(ran) <= {"fit trellis tables", "load model"}
    done = [int(share) for share in re.findall(r"\((\d+)% done", capsys.readouterr().err)]
    assert len(done) > 4 and done == sorted(done)
