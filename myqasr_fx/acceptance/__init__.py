"""Judges a quantized model without labels: how far does it still say what the full-precision model says?"""
