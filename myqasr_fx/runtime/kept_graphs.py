"""Graphs as onnxruntime optimizes them, kept for the next start.

Opening a session takes seconds, nearly all of it to unfold what a file stores small. Written out once, the same graph
opens in a tenth of the time, at two to three times the bytes. It is made for one release of onnxruntime and one
processor: its name tells both, the file and the session's options.
"""

from __future__ import annotations

import contextlib
import hashlib
import platform
import shutil
import tempfile
from functools import cache
from pathlib import Path

import onnxruntime

from myqasr_fx.errors import OutputError
from myqasr_fx.process.abandoned import remove_abandoned
from myqasr_fx.process.library_error import first_line
from myqasr_fx.process.onnx_session import open_session, stored_files
from myqasr_fx.runtime.ort_settings import OrtSettings

_CHUNK = 1 << 20
_CPU_FACTS = ("model name", "flags", "Features", "CPU implementer", "CPU part")


def open_kept(
    path: Path, settings: OrtSettings, folder: Path, content: bytes | None = None
) -> onnxruntime.InferenceSession:
    """A session of what is kept of a file; where there is nothing, or something damaged, of the file, which is kept.

    Args:
        path: ONNX file; its external data lies beside it, in files whose names begin with its own.
        settings: Options of the session.
        folder: Made when it is missing.
        content: What is opened in place of the file's own.

    Raises:
        OutputError: The folder cannot be written; itself it is gone again where it was made for this.
        Exception: onnxruntime refuses the file; its errors share no base class.
    """
    kept = folder / f"{path.stem}-{_key(path, settings, content)}"
    try:
        return open_session(kept / path.name, _as_it_is(settings))
    except Exception:  # not there, cut off or changed
        pass
    found, temporary = folder.exists(), None
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            remove_abandoned(folder)
            temporary = Path(tempfile.mkdtemp(dir=folder, prefix=f".{kept.name}."))
        except OSError as error:
            raise _refused(folder, error.strerror or str(error)) from error
        session = _written(path, settings, temporary / path.name, content)
        shutil.rmtree(kept, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process was faster
            temporary.rename(kept)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        if not found:
            with contextlib.suppress(OSError):  # it holds what was kept
                folder.rmdir()
    return session


def _as_it_is(settings: OrtSettings) -> onnxruntime.SessionOptions:
    options = settings.session_options()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def _written(
    path: Path, settings: OrtSettings, target: Path, content: bytes | None = None
) -> onnxruntime.InferenceSession:
    """A session whose graph is written to ``target``, its tensors to a file beside it."""
    try:
        return open_session(path, settings.written_to(target).session_options(), content)
    except Exception as error:
        open_session(path, settings.session_options(), content)  # where the file itself is bad, that is told
        folder = target.parent.parent
        full = shutil.disk_usage(folder).free < _CHUNK
        raise _refused(folder, "no space left on the disk" if full else first_line(error)) from error


def _refused(folder: Path, reason: str) -> OutputError:
    return OutputError(
        f"{folder}: optimized graphs cannot be kept: {reason}", hint="choose another folder, or keep none"
    )


def _key(path: Path, settings: OrtSettings, content: bytes | None) -> str:
    """Of all that an optimized graph depends on."""
    digest = hashlib.sha256(f"{onnxruntime.__version__} {_processor()} {sorted(settings.entries.items())}".encode())
    for file in stored_files(path):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    digest.update(b"" if content is None else content)
    return digest.hexdigest()[:32]


@cache
def _processor() -> str:
    """What onnxruntime may choose kernels by: machine and, where Linux tells them, model and instruction sets."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        lines = [platform.processor()]
    return " ".join([platform.machine(), *(line for line in lines if line.split("\t")[0].strip() in _CPU_FACTS)])
