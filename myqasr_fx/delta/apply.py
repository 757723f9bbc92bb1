"""Makes a user's bundle again, byte for byte, from its base and its delta; nobody needs to vouch for either."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.file_names import digest_of, file_inside, is_file
from myqasr_fx.bundle.output_folder import output_folder
from myqasr_fx.bundle.places import settled
from myqasr_fx.delta.make import CHUNK
from myqasr_fx.delta.record import CONTENT, SAME, WHOLE, DeltaFile, DeltaRecord
from myqasr_fx.errors import BundleError, OptionError

_MOST_MEMORY = 1 << 28
"""Bytes that reading a stream may take: ours take a thirtieth of it."""

_DAMAGED = "make the delta again, or copy it once more"


def apply_delta(base: str | Path, delta: str | Path, out: str | Path, *, force: bool = False) -> QuantizedBundle:
    """Writes the bundle that ``delta`` was made of.

    Args:
        base: Folder of the bundle that it was made from.
        delta: Folder with ``delta.json`` and ``delta.xz``.
        out: Folder to write, which appears whole or not at all.
        force: Replace an existing bundle.

    Raises:
        BundleError: The base is another one or has changed since, or the delta is damaged.
        OptionError: ``out`` is the base or holds the delta.
        OutputError: ``out`` exists or cannot be written.
    """
    base, delta, out = Path(base), Path(delta), settled(out)
    opened, record = QuantizedBundle.open(base), DeltaRecord.read(delta)
    _check_places(base, delta, out)
    if opened.manifest.fingerprint != record.fingerprint:
        problem = f"{delta} is of the model {record.model[:60]}, {base} of another"
        raise BundleError(problem, hint="give the base that the delta was made from")
    content = check_content(delta, record)
    for file in record.files:
        _check_base(opened, file)
    with output_folder(out, force=force) as folder:
        with content.open("rb") as stream:
            parts = _Stream(_decoded(stream, content))
            for file in record.files:
                _write(opened, file, parts, folder / file.name)
        QuantizedBundle.open(folder)
    return QuantizedBundle.open(out)


def check_content(delta: Path, record: DeltaRecord) -> Path:
    """The file of all differences, whose bytes are those of its record.

    Raises:
        BundleError: It is missing or damaged.
    """
    content = file_inside(delta, CONTENT)
    if not is_file(content) or content.stat().st_size != record.bytes or digest_of(content) != record.sha256:
        raise BundleError(f"{content} is missing or damaged: SHA-256 or size is not that of its record", hint=_DAMAGED)
    return content


def _check_places(base: Path, delta: Path, out: Path) -> None:
    """Refuses an output that would take away what it is made of."""
    target = out.resolve()
    if target == base.resolve():
        raise OptionError(f"--out {out} is the base", hint="choose another --out")
    if delta.resolve().is_relative_to(target):
        raise OptionError(f"--out {out} holds the delta", hint="choose another --out")


def _check_base(base: QuantizedBundle, file: DeltaFile) -> None:
    if file.stored == WHOLE:
        return
    path = base.file(file.name)
    if not is_file(path) or path.stat().st_size != file.bytes or digest_of(path) != file.base_sha256:
        raise BundleError(
            f"{path} is not the file that the delta was made from: it has changed since, or is another base's",
            hint="give the base that the delta was made from",
        )


class _Stream:
    """Bytes of an iterator, taken as many as asked."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts, self._left = parts, b""

    def read(self, most: int) -> bytes:
        """At most so many bytes; none at the end."""
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._left = part
        found, self._left = self._left[:most], self._left[most:]
        return found


def _decoded(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    """What a stream holds, no more than ``CHUNK`` bytes at a time."""
    coder = lzma.LZMADecompressor(memlimit=_MOST_MEMORY)
    try:
        while not coder.eof:
            data = stream.read(CHUNK) if coder.needs_input else b""
            if coder.needs_input and not data:
                return
            yield coder.decompress(data, max_length=CHUNK)
    except lzma.LZMAError as error:
        raise BundleError(f"{path} is damaged: {error}", hint=_DAMAGED) from error


def _write(base: QuantizedBundle, file: DeltaFile, parts: _Stream, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for data in _bytes(base, file, parts):
            out.write(data)
            digest.update(data)
    if digest.hexdigest() != file.sha256:
        raise BundleError(f"{file.name}: another SHA-256 than the delta's record tells", hint=_DAMAGED)


def _bytes(base: QuantizedBundle, file: DeltaFile, parts: _Stream) -> Iterator[bytes]:
    if file.stored == WHOLE:
        left = file.bytes
        while left and (data := parts.read(left)):
            left -= len(data)
            yield data
        return
    with base.file(file.name).open("rb") as known:
        if file.stored == SAME:
            while data := known.read(CHUNK):
                yield data
            return
        left = file.bytes
        while left and (data := parts.read(left)):
            left -= len(data)
            yield (np.frombuffer(known.read(len(data)), np.uint8) + np.frombuffer(data, np.uint8)).tobytes()
