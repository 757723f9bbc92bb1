"""The front end's errors, all below :class:`~passes.errors.MyqasrError`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from passes.errors import (
    AllocationError,
    BudgetError,
    DumpError,
    MyqasrError,
    PassError,
    PassOrderError,
    QuantizationError,
    VerificationError,
)

__all__ = [
    "AllocationError",
    "AudioError",
    "BudgetError",
    "BundleError",
    "CaptureError",
    "DumpError",
    "EvaluationError",
    "ExportError",
    "ModelError",
    "MyqasrError",
    "NoSizeError",
    "OptionError",
    "OutputError",
    "PassError",
    "PassOrderError",
    "ProgramInputError",
    "QuantizationError",
    "VerificationError",
    "did_you_mean",
]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The begin of a hint: a name that is much like ``word``, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {close[0]}? " if close else ""


class ModelError(MyqasrError):
    """A model cannot be found, read or used: name, folder, file format, checksum or family."""


class AudioError(MyqasrError):
    """Audio cannot be found, read or used: path, format, length or samples."""


class CaptureError(MyqasrError):
    """A network cannot be captured as graphs."""


class ExportError(MyqasrError):
    """A lowered program cannot be written as ONNX."""


class BundleError(MyqasrError):
    """A bundle cannot be read: a file is missing, damaged or of another version."""


class OutputError(MyqasrError):
    """The output folder exists, cannot be written or has no room left."""


class ProgramInputError(MyqasrError):
    """A batch does not fit the program that it shall calibrate."""


class EvaluationError(MyqasrError):
    """An evaluation has nothing to score: manifest, filter or reference text."""


class OptionError(MyqasrError):
    """An option's value is unknown, out of range or at odds with another option."""


class NoSizeError(OptionError):
    """No option says how large the result may be."""
