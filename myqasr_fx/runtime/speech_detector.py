"""Speech or not, a 32 ms frame at a time: Silero's voice activity detector on onnxruntime, an extra.

Its package also holds code that imports torch and sets its threads; only the network's file is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.errors import OptionError
from myqasr_fx.runtime.ort_runner import OrtRunner
from myqasr_fx.runtime.ort_settings import OrtSettings

FRAME = 512
"""Samples, 32 ms at 16 kHz."""

EXTRA = "install myqasr-fx[vad], or pip install --no-deps silero-vad"

_CONTEXT = 64
_FILE = Path("data", "silero_vad_16k_op15.onnx")


@dataclass(frozen=True, slots=True, eq=False)
class SpeechDetector:
    """How likely each frame is speech.

    Args:
        network: Of the package.
    """

    network: OrtRunner

    @classmethod
    def load(cls) -> SpeechDetector:
        """The detector of the installed package.

        Raises:
            OptionError: It is not installed, or holds another network.
        """
        found = find_spec("silero_vad")
        if found is None or not found.submodule_search_locations:
            raise OptionError("vad threshold: silero-vad is not installed", hint=EXTRA)
        path = Path(found.submodule_search_locations[0]) / _FILE
        if not path.is_file():
            raise OptionError(f"vad threshold: this silero-vad has no {_FILE}", hint=EXTRA)
        return cls(OrtRunner(path, OrtSettings(threads=1)))

    def probabilities(self, samples: np.ndarray) -> np.ndarray:
        """Probability of speech, 0 to 1, of each frame.

        Args:
            samples: (T,) float32 at 16 kHz; silence fills the last frame.
        """
        count = -(-len(samples) // FRAME)
        padded = np.zeros(_CONTEXT + count * FRAME, np.float32)
        padded[_CONTEXT : _CONTEXT + len(samples)] = samples
        state, rate = np.zeros((2, 1, 128), np.float32), np.array(SAMPLING_RATE, np.int64)
        found = np.empty(count, np.float32)
        for index in range(count):
            piece = padded[None, index * FRAME : (index + 1) * FRAME + _CONTEXT]
            results = self.network.run({"input": piece, "state": state, "sr": rate}, ["output", "stateN"])
            found[index], state = results["output"][0, 0], results["stateN"]
        return found


@cache
def speech_detector() -> SpeechDetector:
    """The detector, loaded once.

    Raises:
        OptionError: As :meth:`SpeechDetector.load`.
    """
    return SpeechDetector.load()
