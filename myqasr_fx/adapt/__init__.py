"""A model that learns from its user's recordings, without labels, before it is quantized."""
