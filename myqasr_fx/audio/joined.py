"""Recordings that lie one behind the other in a file, of which libsndfile reads the first alone."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

from myqasr_fx.errors import AudioError

_OGG_FIRST = 0x02
"""Flag of the first page of an Ogg stream. Source: RFC 3533, section 6."""

_FLAC_FIRST = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
"""Marker of a stream and head of its first block, in front of 34 bytes. Source: RFC 9639, sections 6 and 8."""

_FLAC_FIRST_SIZE = 8

_STRETCH = 1 << 20
_HEAD = 4096
_PAGE_HEAD = 27
_TWO_FRAMES = 2 * 1441
"""Bytes of MPEG audio, frames of the largest size: one that some encoders do not count, and no recording yet."""


def check_single(form: str, path: Path) -> None:
    """Refuses a file of several recordings.

    Args:
        form: soundfile's name of the format.
        path: The file.

    Raises:
        AudioError: Another recording begins where the first ends.
        OSError: The file cannot be read.
    """
    goes_on = _GOES_ON.get(form)
    if goes_on is None:
        return
    with path.open("rb") as file:
        joined = goes_on(file)
    if joined:
        raise AudioError(
            f"{path}: holds several recordings one behind the other, and only the first would be heard",
            hint=f"make one of them, such as with ffmpeg -i {path.name} joined.wav",
        )


def mp3_start(file: BinaryIO) -> int:
    """Where the first frame lies, behind an ID3 tag: of a size in four times seven bits."""
    file.seek(0)
    head = file.read(10)
    if not head.startswith(b"ID3"):
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _goes_on_mp3(file: BinaryIO) -> bool:
    """Frames or a tag begin behind the bytes that a table of contents declares.

    Source: Xing's and Fraunhofer's headers, as LAME and its decoders have them.
    """
    file.seek(start := mp3_start(file))
    head = file.read(_HEAD)
    declared = None
    for name in (b"Xing", b"Info"):
        place = head.find(name)
        if place >= 0 and len(head) >= place + 16 and head[place + 7] & 2:
            frames = head[place + 7] & 1  # their number comes before the bytes
            (declared,) = struct.unpack_from(">I", head, place + 8 + 4 * frames)
            break
    else:
        place = head.find(b"VBRI")
        if place >= 0 and len(head) >= place + 14:
            (declared,) = struct.unpack_from(">I", head, place + 10)
    if not declared:
        return False
    file.seek(start + declared)
    rest = file.read(_TWO_FRAMES + 1)
    return len(rest) > _TWO_FRAMES and (rest.startswith(b"ID3") or (rest[0] == 0xFF and rest[1] & 0xE0 == 0xE0))


def _goes_on_ogg(file: BinaryIO) -> bool:
    """A stream begins behind a page that is no first one: all streams of one recording begin together."""
    place, begun = 0, False
    while True:
        file.seek(place)
        head = file.read(_PAGE_HEAD)
        if len(head) < _PAGE_HEAD or not head.startswith(b"OggS"):
            return False
        if head[5] & _OGG_FIRST and begun:
            return True
        begun = begun or not head[5] & _OGG_FIRST
        sizes = file.read(head[26])
        place += _PAGE_HEAD + len(sizes) + sum(sizes)


def _goes_on_flac(file: BinaryIO) -> bool:
    """A stream begins behind the first one's notes, which may hold anything: what is decoded never looks like one."""
    place = mp3_start(file) + 4
    while True:
        file.seek(place)
        head = file.read(4)
        if len(head) < 4:
            return False
        place += 4 + int.from_bytes(head[1:])
        if head[0] & 0x80:  # the last note
            break
    file.seek(place)
    kept = b""
    while stretch := file.read(_STRETCH):
        if _FLAC_FIRST.search(kept + stretch):
            return True
        kept = stretch[1 - _FLAC_FIRST_SIZE :]
    return False


_GOES_ON = {"MP3": _goes_on_mp3, "OGG": _goes_on_ogg, "FLAC": _goes_on_flac}
