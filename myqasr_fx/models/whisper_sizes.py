"""What sizes a Whisper model may have."""

from __future__ import annotations

from pathlib import Path

from transformers import PretrainedConfig

from myqasr_fx.models.json_file import is_count
from myqasr_fx.models.refusal import wrong
from myqasr_fx.models.sizes import Shapes, Size, check_divides, check_equal, check_range, check_shown, count_layers

_MEL_BINS = (8, 201)
"""The spectrum of 400 samples has 201 frequencies."""

_TEXT_POSITIONS = (8, 1 << 16)
"""The prompt takes four."""

_SHOWN = (
    ("vocab_size", "decoder.embed_tokens.weight", 0),
    ("d_model", "decoder.embed_tokens.weight", 1),
    ("num_mel_bins", "encoder.conv1.weight", 1),
    ("max_source_positions", "encoder.embed_positions.weight", 0),
    ("max_target_positions", "decoder.embed_positions.weight", 0),
    ("encoder_ffn_dim", "encoder.layers.0.fc1.weight", 0),
    ("decoder_ffn_dim", "decoder.layers.0.fc1.weight", 0),
)
_SIDES = ("encoder", "decoder")
_TOKENS = ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
_LISTS = ("suppress_tokens", "begin_suppress_tokens")


def check_whisper_sizes(path: Path, config: PretrainedConfig, shapes: Shapes, prefix: str) -> None:
    """Checks counts, widths, heads, positions, mel bins and tokens.

    Args:
        path: The file that says the sizes.
        config: With fields of the right types.
        shapes: Of the tensors, under the network's names.
        prefix: Of the encoder's and the decoder's tensors, with a dot.

    Raises:
        ModelError: A size differs from the tensors, or is none that a Whisper model can have.
    """
    sizes = (Size(field, getattr(config, field), f"{prefix}{tensor}", axis) for field, tensor, axis in _SHOWN)
    check_shown(path, sizes, shapes)
    for side in _SIDES:
        root = f"{prefix}{side}.layers."
        check_equal(path, f"{side}_layers", getattr(config, f"{side}_layers"), count_layers(shapes, root), f"{root}*")
    check_range(path, config, "num_mel_bins", *_MEL_BINS)
    check_range(path, config, "max_target_positions", *_TEXT_POSITIONS)
    if config.d_model < 4 or config.d_model % 2:  # positions are sines and cosines
        raise wrong(path, "d_model", config.d_model, "an even number of at least 4")
    for side in _SIDES:
        check_divides(path, config, f"{side}_attention_heads", config.d_model)
    named = [(field, getattr(config, field)) for field in _TOKENS]
    named += [(f"a token in {field}", token) for field in _LISTS for token in getattr(config, field) or ()]
    for field, token in named:
        if token is not None and not is_count(token, 0, config.vocab_size - 1):
            raise wrong(path, field, token, f"an id below vocab_size, {config.vocab_size}")
