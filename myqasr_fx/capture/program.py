"""Which capture serves which model."""

from __future__ import annotations

from collections.abc import Mapping

from transformers import PretrainedConfig, PreTrainedModel, WhisperConfig, WhisperForConditionalGeneration

from myqasr_fx.capture.ctc import MODEL, capture_ctc, ctc_signature
from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.capture.whisper import DECODER, ENCODER, capture_whisper, decoder_signature, encoder_signature
from myqasr_fx.capture.whisper_fixed import fixed_signatures
from passes.base import Program


def capture(network: PreTrainedModel) -> Program:
    """Captures a Whisper or CTC network, in eval mode, into its graphs."""
    return capture_whisper(network) if isinstance(network, WhisperForConditionalGeneration) else capture_ctc(network)


def signatures(
    config: PretrainedConfig, *, fixed_cache: bool = False, silence: int | None = None
) -> Mapping[str, GraphSignature]:
    """Graph name to signature, in the order of the captured graphs.

    Args:
        config: Of the network.
        fixed_cache: For a Whisper captured by :func:`~myqasr_fx.capture.whisper_fixed.capture_whisper_fixed`.
        silence: As for :func:`~myqasr_fx.capture.whisper.capture_whisper`.
    """
    if isinstance(config, WhisperConfig):
        if fixed_cache:
            return fixed_signatures(config)
        return {ENCODER: encoder_signature(config, silence), DECODER: decoder_signature(config)}
    return {MODEL: ctc_signature(config)}
