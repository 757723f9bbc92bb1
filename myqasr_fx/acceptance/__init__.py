"""Judges a quantized model without labels: how far does it still say what the full-precision model says?"""

from myqasr_fx.acceptance.record import ACCEPTED, REJECTED, AcceptanceRecord
from myqasr_fx.acceptance.thresholds import Thresholds

__all__ = ["ACCEPTED", "REJECTED", "AcceptanceRecord", "Thresholds"]
