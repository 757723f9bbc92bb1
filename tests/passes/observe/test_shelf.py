"""Sums in memory and in a file are the same, bit for bit."""

from __future__ import annotations

import errno
import io

import pytest
import torch

from passes.errors import PassError
from passes.observe.shelf import Shelf, Sum


def matrices(count: int, side: int = 5) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(side, side, generator=generator) for _ in range(count)]


@pytest.mark.parametrize(("most_bytes", "in_memory"), [(100, True), (99, False)])
def test_a_sum_is_the_same_wherever_it_lies(most_bytes: int, in_memory: bool) -> None:
    given = matrices(3)
    expected = given[0] + given[1] + given[2]
    total = Sum(Shelf(most_bytes))
    assert not total
    for matrix in given:
        total.add(matrix.clone())
    assert total and total.in_memory is in_memory
    assert torch.equal(total.value(), expected)


def test_sums_in_one_file_do_not_touch_each_other() -> None:
    shelf = Shelf(0)
    given, sums = matrices(4), [Sum(shelf) for _ in range(4)]
    for _ in range(2):
        for total, matrix in zip(sums, given, strict=True):
            total.add(matrix)
    for total, matrix in zip(sums, given, strict=True):
        assert torch.equal(total.value(), 2 * matrix)


def test_what_was_read_from_a_file_is_a_copy() -> None:
    total = Sum(Shelf(0))
    total.add(torch.ones(2, 2))
    total.value().zero_()
    assert torch.equal(total.value(), torch.ones(2, 2))


def test_nothing_has_no_sum() -> None:
    with pytest.raises(PassError, match="a sum of nothing"):
        Sum(Shelf()).value()


class Full:
    """A file on a disk that is full."""

    def seek(self, offset: int) -> int:
        return offset

    def write(self, content: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("passes.observe.shelf.tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(PassError, match=r"No space left on device.*TMPDIR"):
        Sum(Shelf(0)).add(torch.ones(2, 2))


class InPieces:
    """A file of which a call reads less than it is asked for, as of very large ones."""

    def __init__(self, most: int) -> None:
        self.file, self.most = io.BytesIO(), most

    def seek(self, offset: int) -> int:
        return self.file.seek(offset)

    def write(self, content: memoryview) -> int:
        return self.file.write(content)

    def readinto(self, into: memoryview) -> int:
        return self.file.readinto(into[: self.most])


def test_what_is_read_in_pieces_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = InPieces(7)
    monkeypatch.setattr("passes.observe.shelf.tempfile.TemporaryFile", lambda **_: pieces)
    (matrix,), total = matrices(1), Sum(Shelf(0))
    total.add(matrix)
    assert torch.equal(total.value(), matrix)
    pieces.file.truncate(50)
    with pytest.raises(PassError, match="ends early"):
        total.value()
