"""Sums of matrices: in memory or, where they are many and large, in a file.

Second moments of what layers read take some twenty times ``d_model ** 2`` numbers a layer of a transformer, more than
its weights, and are looked at one at a time. Beyond a bound they lie in a file without a name, which goes with the
process.
"""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np
import torch
from torch import Tensor

from passes.errors import PassError

IN_MEMORY = 200_000_000
"""Bytes of sums that a shelf keeps in memory."""


class Shelf:
    """Where sums lie.

    Args:
        most_bytes: In memory; what is begun beyond lies in a file in the folder for temporary files.
    """

    def __init__(self, most_bytes: int = IN_MEMORY) -> None:
        self._left = most_bytes
        self._file: IO[bytes] | None = None
        self._end = 0

    def place(self, size: int) -> tuple[IO[bytes], int] | None:
        """A file and an offset for ``size`` bytes; None where memory has room for them."""
        if size <= self._left:
            self._left -= size
            return None
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)
        self._end += size
        return self._file, self._end - size


class Sum:
    """Of float32 matrices of one shape.

    Args:
        shelf: Where it lies.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._total: Tensor | None = None
        self._place: tuple[IO[bytes], int] | None = None
        self._shape: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        """Something was added."""
        return bool(self._shape)

    @property
    def in_memory(self) -> bool:
        """It is looked at without reading a file; as long as nothing was added, too."""
        return self._place is None

    def add(self, matrix: Tensor) -> None:
        """Adds a matrix, which may be kept.

        Raises:
            PassError: The folder for temporary files is full.
        """
        if not self:
            self._shape, self._place = tuple(matrix.shape), self._shelf.place(matrix.nbytes)
            total = matrix
        else:
            total = self.value().add_(matrix)
        if self._place is None:
            self._total = total
        else:
            self._write(total)

    def value(self) -> Tensor:
        """The sum: itself in memory, a copy from a file.

        Raises:
            PassError: Nothing was added.
        """
        if self._place is None:
            if self._total is None:
                raise PassError("a sum of nothing")
            return self._total
        file, offset = self._place
        found = np.empty(self._shape, np.float32)
        file.seek(offset)
        left = found.data.cast("B")
        while left:  # one call reads 2 GB at most
            count = file.readinto(left)  # type: ignore[attr-defined]  # of an unbuffered file
            if not count:
                raise PassError(f"{tempfile.gettempdir()}: a file of sums ends early")
            left = left[count:]
        return torch.from_numpy(found)

    def _write(self, total: Tensor) -> None:
        if self._place is None:
            return
        file, offset = self._place
        content = np.ascontiguousarray(total.numpy()).data.cast("B")
        try:
            file.seek(offset)
            while content:
                content = content[file.write(content) :]
        except OSError as error:
            raise PassError(
                f"{tempfile.gettempdir()}: {error.strerror}",
                hint="free some space, or set TMPDIR to a folder with more room",
            ) from error
