"""Keeps freed memory for the next tensor of a command, instead of handing it back and asking for it again.

The attention weights of one encoder layer take tens of megabytes. The C library of most Linux systems maps and unmaps
so large a piece on every use, and the system fills every page with zeros each time: a seventh of the processor time
of a first budget for whisper-tiny.en. Pieces below :data:`LARGEST` stay with the process instead, up to :data:`SPARE`
of them.
"""

from __future__ import annotations

import ctypes
import gc
import os
import platform

LARGEST = 64 << 20
"""Bytes from which on a piece is still handed back at once, so that weights of a large model are not kept."""

SPARE = 256 << 20
"""Most free bytes that are kept at the end of the heap."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of malloc.h


def give_back() -> None:
    """Hands back what a stage leaves; graphs refer to themselves, so their tensors wait for the collector."""
    gc.collect()
    trim()


def settle() -> None:
    """Takes what is there for good: modules, traces and graphs, which the collector need not look through again."""
    gc.collect()
    gc.freeze()


def trim() -> None:
    """Hands back the free pieces between those in use, which a backward pass leaves by the gigabyte."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def keep_freed_memory() -> bool:
    """Tells glibc so; True when it took it.

    Does nothing with another C library, or where the user's own ``MALLOC_`` or ``GLIBC_TUNABLES`` settings speak.
    """
    own = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if own or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, LARGEST) and mallopt(_TRIM_THRESHOLD, SPARE))
