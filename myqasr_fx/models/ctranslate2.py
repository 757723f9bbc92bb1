"""Reader of CTranslate2's ``model.bin``.

Little-endian: uint32 version, string spec, uint32 revision, uint32 count; per variable a string name, uint8 rank,
uint32 dimensions, uint8 dtype, uint32 bytes and the data; then uint32 count of aliases and as many pairs of strings. A
string is a uint16 length and that many bytes, the last of them NUL. The file may be cut into parts, read as one.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from types import MappingProxyType

import numpy as np

from myqasr_fx.errors import ModelError
from myqasr_fx.models.refusal import place, reason, shown

_VERSION = 6
_DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_MAX_RANK = 8


@dataclass(frozen=True, slots=True, eq=False)
class Ct2Model:
    """The content of a ``model.bin``.

    Args:
        spec: Kind of model, for example ``WhisperSpec``.
        variables: Name to array; arrays are read-only views of the mapped file, copied only where a part ends. A
            variable with two names is one array object.
    """

    spec: str
    variables: Mapping[str, np.ndarray]


def read_ctranslate2(parts: Sequence[Path]) -> Ct2Model:
    """Maps a ``model.bin``.

    Args:
        parts: The file, or its consecutive parts.

    Raises:
        ModelError: The file cannot be opened, ends early, goes on after its end, or is of another version or type.
    """
    cursor = _Cursor(parts)
    version = cursor.integer("<I")
    if version != _VERSION:
        raise cursor.error(f"format version {version}, expected {_VERSION}", "convert the model with CTranslate2 4")
    spec = cursor.string()
    cursor.integer("<I")  # revision of the spec: adds variables that only its own runtime reads
    variables: dict[str, np.ndarray] = {}
    for _ in range(cursor.integer("<I")):
        name, array = _variable(cursor)
        if name in variables:
            raise cursor.error(f"variable {shown(name)} is stored twice")
        variables[name] = array
    for _ in range(cursor.integer("<I")):
        alias, name = cursor.string(), cursor.string()
        if name not in variables:
            raise cursor.error(f"alias {alias!r:.80} names {name!r:.80}, which does not exist")
        if alias in variables:
            raise cursor.error(f"alias {shown(alias)} is the name of a variable")
        variables[alias] = variables[name]
    if cursor.left:
        raise cursor.error(f"{cursor.left} bytes after the end of the model")
    return Ct2Model(spec, MappingProxyType(variables))


def _variable(cursor: _Cursor) -> tuple[str, np.ndarray]:
    name = cursor.string()
    rank = cursor.integer("<B")
    if rank > _MAX_RANK:
        raise cursor.error(f"variable {name!r:.80} has {rank} dimensions, expected at most {_MAX_RANK}")
    shape = tuple(cursor.integer("<I") for _ in range(rank))
    code = cursor.integer("<B")
    if code not in _DTYPES:
        raise cursor.error(f"variable {name!r:.80} has data type {code}", "convert the model to float16 or float32")
    dtype = np.dtype(_DTYPES[code]).newbyteorder("<")
    size = cursor.integer("<I")
    if size != math.prod(shape) * dtype.itemsize:
        raise cursor.error(f"variable {name!r:.80} of shape {shape} and type {dtype} takes {size} bytes")
    return name, np.frombuffer(cursor.take(size), dtype).reshape(shape)


class _Cursor:
    """A read position in the mapped parts."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._path = parts[0]
        self._views = [_map(path) for path in parts]
        self._stops = list(accumulate(len(view) for view in self._views))
        self._offset = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self._stops[-1] - self._offset

    def error(self, problem: str, hint: str = "copy or convert the model again") -> ModelError:
        """An error that names the file."""
        return ModelError(f"{place(self._path)}: {problem}", hint=hint)

    def take(self, size: int) -> memoryview | bytes:
        """The next ``size`` bytes."""
        if size > self.left:
            raise self.error(f"truncated: {size} bytes expected at offset {self._offset}, {self.left} left")
        start, stop = self._offset, self._offset + size
        self._offset = stop
        pieces = [
            view[max(start - (end - len(view)), 0) : stop - (end - len(view))]
            for view, end in zip(self._views, self._stops, strict=True)
            if start < end and stop > end - len(view)
        ]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def integer(self, form: str) -> int:
        """An unsigned integer of ``struct`` format ``form``."""
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        return int(value)

    def string(self) -> str:
        """A NUL-terminated string."""
        data = bytes(self.take(self.integer("<H")))
        try:
            if not data.endswith(b"\0"):
                raise ValueError("no NUL at its end")
            return data[:-1].decode()
        except ValueError as error:
            raise self.error(f"no CTranslate2 model: unreadable string at offset {self._offset}") from error


def _map(path: Path) -> memoryview:
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
        raise ModelError(f"{place(path)}: cannot be read: {reason(error)}", hint="copy the model again") from error
