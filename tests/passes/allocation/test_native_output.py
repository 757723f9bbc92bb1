"""Compiled code's lines do not reach standard output, and what comes after does."""

import ctypes

import pytest

from passes.allocation.native_output import no_native_output


def test_lines_of_compiled_code_are_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    libc = ctypes.CDLL(None)
    print("before")
    with no_native_output():
        libc.puts(b"from compiled code")
    print("after")
    libc.fflush(None)
    assert capfd.readouterr().out == "before\nafter\n"


def test_standard_output_is_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), no_native_output():
        raise ValueError("inside")
    print("after")
    assert capfd.readouterr().out == "after\n"
