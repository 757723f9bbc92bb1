"""Runs a bundle: features, graphs, decoding, text. Needs numpy, onnxruntime and tokenizers, not torch.

``myqasr_fx.runtime.torch_runner``, not imported here, runs the same code on graphs in torch.
"""

from myqasr_fx.runtime.bundle import load_bundle
from myqasr_fx.runtime.context import Context
from myqasr_fx.runtime.ctc import CtcRuntime
from myqasr_fx.runtime.decoding import Decoding
from myqasr_fx.runtime.greedy import Written, greedy_decode
from myqasr_fx.runtime.live import Heard, Listener
from myqasr_fx.runtime.no_speech import NoSpeechRule
from myqasr_fx.runtime.ort_runner import OrtRunner
from myqasr_fx.runtime.ort_settings import OrtSettings
from myqasr_fx.runtime.runtime import GraphRunner, Runtime, Segment, Transcript, Word
from myqasr_fx.runtime.whisper import WhisperRuntime
from myqasr_fx.runtime.with_context import with_context
from myqasr_fx.runtime.with_decoding import with_decoding, without_redraws
from myqasr_fx.runtime.with_thresholds import with_thresholds

__all__ = [
    "Context",
    "CtcRuntime",
    "Decoding",
    "GraphRunner",
    "Heard",
    "Listener",
    "NoSpeechRule",
    "OrtRunner",
    "OrtSettings",
    "Runtime",
    "Segment",
    "Transcript",
    "WhisperRuntime",
    "Word",
    "Written",
    "greedy_decode",
    "load_bundle",
    "with_context",
    "with_decoding",
    "with_thresholds",
    "without_redraws",
]
