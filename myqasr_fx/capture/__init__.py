"""From a Hugging Face model to ATen FX graphs, and from a lowered graph back to an ``ExportedProgram``."""

from myqasr_fx.capture.ctc import capture_ctc, ctc_signature
from myqasr_fx.capture.export import export_graph
from myqasr_fx.capture.program import capture, signatures
from myqasr_fx.capture.signature import GraphSignature, TensorSpec
from myqasr_fx.capture.whisper import capture_whisper, decoder_signature, encoder_signature

__all__ = [
    "GraphSignature",
    "TensorSpec",
    "capture",
    "capture_ctc",
    "capture_whisper",
    "ctc_signature",
    "decoder_signature",
    "encoder_signature",
    "export_graph",
    "signatures",
]
