"""Judges a quantized model without labels: how far does it still say what the full-precision model says?"""

from myqasr_fx.bundle.verdict_record import ACCEPTED, REJECTED, AcceptanceRecord
from myqasr_fx.options.thresholds import Thresholds

__all__ = ["ACCEPTED", "REJECTED", "AcceptanceRecord", "Thresholds"]
