"""Tensors in files leave memory and come back as they were."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch

from myqasr_fx.process.mapped_tensors import is_mapped, mapped, mapped_array, set_aside


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_values_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    given = torch.randn(5000, 1000)
    found = mapped(given)
    assert found.untyped_storage().filename and not list(tmp_path.iterdir())
    before = resident()
    set_aside([found, given])
    assert resident() < before - given.nbytes // 2
    assert torch.equal(found, given)


def test_small_tensors_stay_what_they_are() -> None:
    given = torch.randn(10)
    assert mapped(given) is given


def test_without_room_they_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "posix_fallocate", full)
    given = torch.randn(1000, 1000)
    assert mapped(given) is given and not list(tmp_path.iterdir())


def test_what_lies_in_a_file_goes_into_no_other() -> None:
    found = mapped(torch.randn(1000, 1000))
    assert mapped(found) is found and is_mapped(found[10:20]) and not is_mapped(torch.randn(1000, 1000))


def test_arrays_come_back_too() -> None:
    given = np.random.default_rng(0).normal(size=(5000, 1000)).astype(np.float32)
    before = resident()
    found = mapped_array(given)
    assert resident() < before + given.nbytes // 2
    np.testing.assert_array_equal(found, given)


def test_an_array_that_lies_in_a_file_goes_into_no_other() -> None:
    found = mapped_array(np.random.default_rng(0).normal(size=(1000, 1000)))
    assert mapped_array(found).ctypes.data == found.ctypes.data
