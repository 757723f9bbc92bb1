"""Another way to find texts for a runtime at hand."""

from __future__ import annotations

from dataclasses import fields, replace

from myqasr_fx.errors import BundleError, OptionError
from myqasr_fx.runtime.client_inputs import of_file
from myqasr_fx.runtime.cross_attention import PREFIX
from myqasr_fx.runtime.decoding import LOOPS, NEVER, TRANSLATE, USUAL, WORD, Decoding
from myqasr_fx.runtime.growing_cache import CacheShape
from myqasr_fx.runtime.runtime import Runtime
from myqasr_fx.runtime.whisper import WhisperRuntime


def with_decoding(runtime: Runtime, decoding: Decoding) -> Runtime:
    """The same runtime, which finds texts in another way.

    Args:
        runtime: Of any family.
        decoding: How; for times of words, the runtime was loaded with ``OrtSettings(cross_attention=True)``.

    Raises:
        OptionError: The model or the bundle cannot do that.
        BundleError: The bundle names alignment heads that its decoder does not have.
    """
    if not isinstance(runtime, WhisperRuntime):
        decoding = replace(decoding, redraws=LOOPS) if decoding.redraws == NEVER else decoding
        if decoding == USUAL:
            return runtime
        names = [field.name for field in fields(Decoding) if getattr(decoding, field.name) != field.default]
        raise OptionError(f"{names[0]}: a CTC model does not write a text token by token", hint="leave the option out")
    if decoding == runtime.decoding:
        return runtime
    if decoding.task == TRANSLATE and not runtime.settings.is_multilingual:
        raise OptionError("task translate: an English-only model cannot translate", hint="take a multilingual model")
    if decoding.timestamps is not None and (file := of_file(runtime.decoder)) is not None:
        width = file.width("logits")
        if width is not None and width <= runtime.settings.first_timestamp_id:
            raise OptionError("timestamps: the model has no tokens for times", hint="leave the option out")
    if decoding.timestamps == WORD:
        _check_words(runtime)
    return replace(runtime, decoding=decoding)


def without_redraws(runtime: Runtime) -> Runtime:
    """The same runtime, which draws no text again."""
    if not isinstance(runtime, WhisperRuntime):
        return runtime
    return replace(runtime, decoding=replace(runtime.decoding, redraws=NEVER))


def _check_words(runtime: WhisperRuntime) -> None:
    if not isinstance(runtime.cache, CacheShape):
        raise OptionError("timestamps word: the sherpa-onnx layout has none", hint="quantize with --layout hf")
    file = of_file(runtime.decoder)
    if file is None or f"{PREFIX}0" not in file.outputs:
        raise OptionError(
            "timestamps word: the decoder does not give the weights of its cross-attention",
            hint="load a bundle with OrtSettings(cross_attention=True)",
        )
    shape = runtime.cache
    for layer, head in runtime.settings.alignment_heads:
        if layer >= shape.layers or head >= shape.heads:
            raise BundleError(
                f"generation_config.json: alignment head [{layer}, {head}] of a decoder of {shape.layers} layers and "
                f"{shape.heads} heads",
                hint="quantize again",
            )
