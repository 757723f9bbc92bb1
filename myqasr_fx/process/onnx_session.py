"""Sessions of onnxruntime, which says nothing beside our own lines."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import onnxruntime

OLDEST = (1, 25)
"""The oldest release that runs every file as it was verified, as in ``setup.py``."""

OPTIMIZED_TENSORS = "session.optimized_model_external_initializers_file_name"
"""Session option: the file for the tensors of an optimized graph, since one of protobuf ends at 2 GiB."""


_TENSORS = "session.model_external_initializers_file_folder_path"


def stored_bytes(path: Path) -> int:
    """Bytes of a graph's file and of its external data."""
    return sum(file.stat().st_size for file in stored_files(path))


def stored_files(path: Path) -> list[Path]:
    """A graph's file and those of its external data, whose names begin with its own."""
    return sorted(path.parent.glob(f"{path.name}*"))


def open_session(
    path: Path, options: onnxruntime.SessionOptions, content: bytes | None = None
) -> onnxruntime.InferenceSession:
    """Opens a file on the processor.

    What onnxruntime refuses with certain errors it reports on standard output and tries again in the same way.

    Args:
        path: ONNX file.
        options: Of the session.
        content: What is opened in place of the file's own; external data still lies beside the file.

    Raises:
        Exception: onnxruntime refuses the file; its errors share no base class.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise ValueError("its path is no UTF-8: rename the file or folder") from error
    if content is not None:
        options.add_session_config_entry(_TENSORS, str(path.parent))
    with contextlib.redirect_stdout(io.StringIO()):
        return onnxruntime.InferenceSession(
            path if content is None else content, options, providers=["CPUExecutionProvider"]
        )
