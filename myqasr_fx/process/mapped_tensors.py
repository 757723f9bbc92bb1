"""Large tensors in files without a name: copies that leave memory when told to, or when the system needs room."""

from __future__ import annotations

import ctypes
import mmap
import os
import tempfile
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

LEAST_BYTES = 1 << 18
"""Of a tensor that is worth a file."""


def mapped(tensor: Tensor) -> Tensor:
    """The same values in a mapped file of the folder for temporary files; the tensor itself where that has no room."""
    if tensor.nbytes < LEAST_BYTES or is_mapped(tensor) or not hasattr(os, "posix_fallocate"):
        return tensor
    descriptor, path = tempfile.mkstemp(prefix="myqasr-")
    try:
        os.posix_fallocate(descriptor, 0, tensor.nbytes)  # a page that finds no room later would end the process
        found = torch.from_file(path, shared=True, size=tensor.numel(), dtype=tensor.dtype)
    except OSError:
        return tensor
    finally:
        os.close(descriptor)
        os.unlink(path)
    return found.view(tensor.shape).copy_(tensor)


def mapped_array(array: np.ndarray) -> np.ndarray:
    """The same of an array, whose pages leave memory at once."""
    tensor = mapped(tensor_of(array))
    set_aside([tensor])
    found: np.ndarray = tensor.numpy()
    return found


def tensor_of(array: np.ndarray) -> Tensor:
    """The tensor that an array was made of, else a new one of its memory, which would not know of a file."""
    return array.base if isinstance(array.base, Tensor) else torch.from_numpy(array)


def is_mapped(tensor: Tensor) -> bool:
    """True for what :func:`mapped` put into a file, and for parts of it."""
    return tensor.untyped_storage().filename is not None


def set_aside(tensors: Iterable[Tensor]) -> bool:
    """Lets the pages of mapped tensors go until they are read again; False where all of them stay in memory."""
    found = [tensor.untyped_storage() for tensor in tensors if is_mapped(tensor)]
    if not found or not hasattr(mmap, "MADV_DONTNEED"):
        return False
    madvise = ctypes.CDLL(None).madvise
    for storage in found:
        madvise(ctypes.c_void_p(storage.data_ptr()), ctypes.c_size_t(storage.nbytes()), mmap.MADV_DONTNEED)
    return True
