"""Another rule for when nobody speaks, for a runtime at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from myqasr_fx.errors import OptionError
from myqasr_fx.runtime.ctc import CtcRuntime
from myqasr_fx.runtime.runtime import Runtime
from myqasr_fx.runtime.speech_detector import speech_detector
from myqasr_fx.runtime.whisper import WhisperRuntime


def with_thresholds(runtime: Runtime, given: Mapping[str, float | None]) -> Runtime:
    """The same runtime with some bounds of its rule changed.

    Args:
        runtime: Of any family.
        given: Fields of :class:`~myqasr_fx.runtime.no_speech.NoSpeechRule`; None leaves a bound as it is.

    Raises:
        OptionError: A bound cannot be reached, or the model does not tell whether somebody speaks.
    """
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        return runtime
    if "vad_threshold" in changes:
        speech_detector()  # missing: told at once
    own = [name for name in changes if name != "vad_threshold"]
    if isinstance(runtime, CtcRuntime) and not own:
        return replace(runtime, no_speech=replace(runtime.no_speech, **changes))
    if not isinstance(runtime, WhisperRuntime):
        name = next(iter(own or changes)).replace("_", " ")
        raise OptionError(f"{name}: a CTC model does not tell whether somebody speaks", hint="leave the option out")
    return replace(runtime, no_speech=replace(runtime.no_speech, **changes))
