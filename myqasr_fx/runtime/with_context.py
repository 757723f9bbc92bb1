"""Another context for a runtime at hand."""

from __future__ import annotations

from dataclasses import replace

from myqasr_fx.bundle.context_record import FULL, SPEECH
from myqasr_fx.errors import OptionError
from myqasr_fx.runtime.context import USUAL_MARGIN, Context
from myqasr_fx.runtime.runtime import Runtime
from myqasr_fx.runtime.whisper import WhisperRuntime


def with_context(runtime: Runtime, context: str | None = None, *, fallback: bool = True) -> Runtime:
    """The same runtime, whose encoder hears more or less silence behind a clip.

    Args:
        runtime: Of any family.
        context: ``speech``: the margin that the bundle was judged with, or the usual one; ``full``: 30 s; None leaves
            what the bundle asks for.
        fallback: Hear a clip in 30 s after all where the text of a shorter context is doubtful.

    Raises:
        OptionError: The context is unknown, or the model's encoder takes no other length.
    """
    if context is None and fallback:
        return runtime
    if context not in (None, SPEECH, FULL):
        raise OptionError(f"context {context!r}: expected {SPEECH} or {FULL}")
    if not isinstance(runtime, WhisperRuntime):
        name = "no-fallback" if context is None else "context"
        raise OptionError(f"{name}: a CTC model hears a recording as long as it is", hint="leave the option out")
    if context == FULL:
        return replace(runtime, context=Context.of(runtime.context.silence))
    own = runtime.context
    if context == SPEECH and own.margin is None:
        own = replace(own, margin=USUAL_MARGIN)
    if own.margin is not None and not runtime.any_length:
        raise OptionError(
            "context speech: the encoder of this bundle takes 30 s only, as those of earlier versions did",
            hint="quantize again, or take --context full",
        )
    return replace(runtime, context=replace(own, fallback=fallback))
