"""Runs a graph with onnxruntime."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from myqasr_fx.errors import BundleError, MyqasrError
from myqasr_fx.process.freed_memory import trim
from myqasr_fx.process.library_error import first_line
from myqasr_fx.process.onnx_session import OLDEST, open_session, stored_bytes
from myqasr_fx.runtime.cross_attention import with_weights
from myqasr_fx.runtime.kept_graphs import open_kept
from myqasr_fx.runtime.ort_settings import OrtSettings

_VERSION = f"onnxruntime {onnxruntime.__version__}"


class OrtRunner:
    """A session on the CPU.

    Args:
        path: Model file.
        settings: Options of the session.

    Raises:
        BundleError: onnxruntime refuses the file.
        OutputError: Optimized graphs cannot be kept where they should be.
    """

    def __init__(self, path: Path, settings: OrtSettings | None = None) -> None:
        self._name, settings = path.name, settings or OrtSettings()
        try:
            onnxruntime.disable_telemetry_events()  # where the environment variable is not heeded
            content = with_weights(path) if settings.cross_attention else None
            if settings.kept is None or not settings.optimize:
                self._session = open_session(path, settings.session_options(), content)
            else:
                self._session = open_kept(path, settings, settings.kept, content)
            if settings.hands_back:
                trim()
        except MyqasrError:
            raise
        except Exception as error:  # onnxruntime's errors share no base class
            raise BundleError(f"{_VERSION} refuses {path}: {first_line(error)}", hint=_newer(_VERSION)) from error

    @property
    def inputs(self) -> frozenset[str]:
        """Names of the values that the graph asks for."""
        return frozenset(value.name for value in self._session.get_inputs())

    @property
    def outputs(self) -> frozenset[str]:
        """Names of the values that the graph gives."""
        return frozenset(value.name for value in self._session.get_outputs())

    def width(self, name: str) -> int | None:
        """Last size of an input or output; None where the file leaves it open or has none of that name."""
        shapes = {value.name: value.shape for value in (*self._session.get_inputs(), *self._session.get_outputs())}
        last = shapes[name][-1] if shapes.get(name) else None
        return last if isinstance(last, int) else None

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        """The named outputs for inputs by name.

        Raises:
            BundleError: The graph does not take these inputs or give these outputs.
        """
        try:
            return dict(zip(outputs, self._session.run(list(outputs), dict(feeds)), strict=True))
        except Exception as error:
            raise BundleError(f"{_VERSION} cannot run {self._name}: {first_line(error)}") from error


def largest_first(files: Mapping[str, Path]) -> list[tuple[str, Path]]:
    """Names and files in the order to open them: unfolding weights takes several times their file for a moment."""
    return sorted(files.items(), key=lambda item: stored_bytes(item[1]), reverse=True)


def _newer(version: str) -> str | None:
    """A hint where the release is older than the files ask for."""
    found = re.search(r"(\d+)\.(\d+)", version)
    if found is None or tuple(map(int, found.groups())) >= OLDEST:
        return None
    return f"install onnxruntime {OLDEST[0]}.{OLDEST[1]} or newer"
