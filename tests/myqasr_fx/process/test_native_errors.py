"""Compiled code's lines do not reach standard error, and what comes after does."""

from __future__ import annotations

import os
import sys

import pytest

from myqasr_fx.process.native_errors import no_native_errors


def test_lines_of_compiled_code_are_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    print("before", file=sys.stderr)
    with no_native_errors():
        os.write(2, b"from compiled code\n")
    print("after", file=sys.stderr)
    assert capfd.readouterr().err == "before\nafter\n"


def test_standard_error_is_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), no_native_errors():
        raise ValueError("inside")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
