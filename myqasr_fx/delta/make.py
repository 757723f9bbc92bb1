"""Writes a delta: all files of a bundle, as differences from those of its base, in one compressed stream.

Bundles of one layout with the same codes differ in few bytes at the same places. Differences modulo 256 are zeros
elsewhere, and of scales, which are indices into a grid, small numbers: both compress well.
"""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.file_names import digest_of, is_file
from myqasr_fx.delta.record import CONTENT, DIFFERENCE, FORMAT_VERSION, SAME, WHOLE, DeltaFile, DeltaRecord, Gain

FOLDER = "delta"
"""Where a bundle that was made from another keeps its delta."""

LEFT_OUT = ("report.html", "report.json", "run.json")
"""Files of a bundle that no delta brings: what was said, and how long it took."""

CHUNK = 1 << 20
_PRESET = 6


def write_delta(base: QuantizedBundle, bundle: Path, gain: Gain) -> DeltaRecord:
    """Writes the delta that makes a bundle of its base into the folder ``delta`` of the bundle.

    Args:
        base: The cohort's.
        bundle: Folder of the user's.
        gain: What the fit was worth.

    Raises:
        OSError: A file cannot be read or written.
    """
    names = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    kept = [name for name in names if name not in LEFT_OUT and not name.startswith(f"{FOLDER}/")]
    files = tuple(_file(base.path / name, bundle / name, name) for name in kept)
    folder = bundle / FOLDER
    folder.mkdir()
    coder, digest, size = lzma.LZMACompressor(preset=_PRESET), hashlib.sha256(), 0
    with (folder / CONTENT).open("wb") as out:
        for data in (*(coder.compress(part) for part in _content(base.path, bundle, files)), coder.flush()):
            out.write(data)
            digest.update(data)
            size += len(data)
    manifest = base.manifest
    record = DeltaRecord(FORMAT_VERSION, manifest.model, manifest.fingerprint, size, digest.hexdigest(), files, gain)
    record.write(folder)
    return record


def _file(base: Path, own: Path, name: str) -> DeltaFile:
    size, digest = own.stat().st_size, digest_of(own)
    if not is_file(base) or base.stat().st_size != size:
        return DeltaFile(name, size, digest, WHOLE)
    known = digest_of(base)
    return DeltaFile(name, size, digest, SAME if known == digest else DIFFERENCE, known)


def _content(base: Path, bundle: Path, files: tuple[DeltaFile, ...]) -> Iterator[bytes]:
    for file in files:
        if file.stored == SAME:
            continue
        with (bundle / file.name).open("rb") as own:
            if file.stored == WHOLE:
                yield from iter(lambda own=own: own.read(CHUNK), b"")  # type: ignore[misc]  # own is bound here
                continue
            with (base / file.name).open("rb") as other:
                while part := own.read(CHUNK):
                    pair = [np.frombuffer(data, np.uint8) for data in (part, other.read(len(part)))]
                    yield (pair[0] - pair[1]).tobytes()
