"""What an error that nobody foresaw leaves behind: a file to attach to a report, without audio and without folders."""

from __future__ import annotations

import os
import platform
import re
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("myqasr-fx", "torch", "transformers", "onnxruntime", "numpy")

_FOLDERS = re.compile(r"(?<![\w.])~?/(?:[^/\s'\":,;()]+/)+")
"""The folders of an absolute path."""


def write_fault(error: BaseException, arguments: Sequence[str]) -> Path | None:
    """Writes versions, options and the trace into the temporary folder.

    Args:
        error: What nobody foresaw.
        arguments: Of the command line; of paths the last part is kept.

    Returns:
        The file; None where it cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix="myqasr-error-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write("".join(f"{line}\n" for line in _lines(error, arguments)))
    except OSError:
        return None
    return Path(name)


def _lines(error: BaseException, arguments: Sequence[str]) -> Iterator[str]:
    yield f"python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield ", ".join(f"{package} {_version(package)}" for package in _PACKAGES)
    yield f"myqasr {' '.join(map(_last_part, arguments))}"
    for found in _chain(error):
        yield ""
        for frame in traceback.extract_tb(found.__traceback__):
            yield f"{_module(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line}"
        yield f"{type(found).__name__}: {_without(str(found), arguments)}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and those behind it, the first one first."""
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if behind is not None:
        yield from _chain(behind)
    yield error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _last_part(argument: str) -> str:
    option, equals, value = argument.partition("=")
    if equals and option.startswith("--"):
        return f"{option}={os.path.basename(value.rstrip('/'))}"
    return os.path.basename(argument.rstrip("/"))


def _module(filename: str) -> str:
    """The file below its package's folder."""
    parts = Path(filename).parts
    for root in ("site-packages", "myqasr_fx", "passes"):
        if root in parts:
            place = len(parts) - 1 - parts[::-1].index(root)
            return "/".join(parts[place + (root == "site-packages") :])
    return parts[-1] if parts else filename


def _without(text: str, arguments: Sequence[str]) -> str:
    for argument in sorted(arguments, key=len, reverse=True):
        if "/" in argument.rstrip("/"):
            text = text.replace(argument, _last_part(argument))
    return _FOLDERS.sub("", text)
