"""Faults in bytes: flipped, cut, repeated, overwritten, near places that matter where those are known."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

_WORDS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0\0\0", b"\xff" * 8, b"\0" * 8)
_LONGEST_RUN = 64


def damaged(content: bytes, random: Random, places: Sequence[int] = ()) -> tuple[bytes, str]:
    """``content`` with one to three faults, and what they are in words.

    Args:
        content: Of a file.
        random: Chooses.
        places: Offsets of what is not just data; most faults go there. Where none are given, the first 200 bytes.
    """
    faults = []
    for _ in range(random.choice((1, 1, 2, 3))):
        content, fault = _once(content, random, places)
        faults.append(fault)
    return content, "; ".join(faults)


def _once(content: bytes, random: Random, places: Sequence[int]) -> tuple[bytes, str]:
    at = _place(len(content), random, places)
    run = random.randint(1, _LONGEST_RUN)
    choice = random.randrange(9)
    if choice <= 2 and at < len(content):
        bit = 1 << random.randrange(8)
        return content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :], f"bit {bit:#04x} of byte {at} is flipped"
    if choice == 3:
        return content[:at], f"is cut at {at}"
    if choice == 4:
        return content[:at] + content[at + run :], f"{run} bytes at {at} are missing"
    if choice == 5:
        return content[:at] + random.randbytes(run) + content[at:], f"{run} bytes at {at} are inserted"
    if choice == 6:
        return content[:at] + content[at : at + run] * 3 + content[at + run :], f"{run} bytes at {at} are there 3 times"
    if choice == 7:
        word = random.choice(_WORDS)
        return content[:at] + word + content[at + len(word) :], f"{word.hex()} stands at {at}"
    return content[:at] + random.randbytes(run) + content[at + run :], f"{run} bytes at {at} are others"


def _place(size: int, random: Random, places: Sequence[int]) -> int:
    if places and random.random() < 0.85:
        return random.choice(places)
    near = min(size, 200) if random.random() < 0.7 else size
    return random.randrange(near) if near else 0
