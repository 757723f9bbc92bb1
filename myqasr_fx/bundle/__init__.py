"""The folder that ``quantize`` leaves, and what is written in it."""
