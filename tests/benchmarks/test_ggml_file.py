"""The file for whisper.cpp, read back by its layout."""

import struct
from pathlib import Path

import numpy as np
import pytest
from ggml_file import MAGIC, ggml_name, write_ggml

CONFIG = {
    "vocab_size": 3,
    "max_source_positions": 4,
    "max_target_positions": 5,
    "d_model": 2,
    "encoder_attention_heads": 1,
    "decoder_attention_heads": 1,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "num_mel_bins": 2,
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("model.encoder.conv1.weight", "encoder.conv1.weight"),
        ("model.encoder.embed_positions.weight", "encoder.positional_embedding"),
        ("model.encoder.layers.3.self_attn_layer_norm.bias", "encoder.blocks.3.attn_ln.bias"),
        ("model.encoder.layer_norm.weight", "encoder.ln_post.weight"),
        ("model.decoder.layers.0.encoder_attn.k_proj.weight", "decoder.blocks.0.cross_attn.key.weight"),
        ("model.decoder.layers.0.self_attn.out_proj.bias", "decoder.blocks.0.attn.out.bias"),
        ("model.decoder.layers.1.fc2.weight", "decoder.blocks.1.mlp.2.weight"),
        ("model.decoder.layer_norm.bias", "decoder.ln.bias"),
        ("model.decoder.embed_tokens.weight", "decoder.token_embedding.weight"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert ggml_name(name) == expected


def test_the_file_holds_what_was_written(tmp_path: Path) -> None:
    weights = {
        "model.encoder.conv1.bias": np.array([1.0, 2.0], np.float32),
        "model.decoder.layers.0.fc1.weight": np.arange(6, dtype=np.float32).reshape(3, 2),
        "mel_filters": np.ones((2, 3), np.float32),
    }
    path = tmp_path / "ggml.bin"
    write_ggml(path, weights, {"config": CONFIG, "ordinary_tokens": ["61", "e282ac"]}, "f16")
    data = path.read_bytes()
    assert struct.unpack_from("<I11i", data) == (MAGIC, 3, 4, 2, 1, 1, 5, 2, 1, 1, 2, 1)
    filters = struct.pack("<2i", 2, 3) + np.ones(6, "<f4").tobytes()
    tokens = struct.pack("<3i", 2, 1, 0x61)[:8] + b"a" + struct.pack("<i", 3) + "€".encode()
    bias = struct.pack("<5i", 2, 18, 0, 1, 2) + b"encoder.conv1.bias" + np.array([1, 2], "<f4").tobytes()
    matrix = struct.pack("<5i", 2, 29, 1, 2, 3) + b"decoder.blocks.0.mlp.0.weight" + np.arange(6, dtype="<f2").tobytes()
    assert data[48:] == filters + tokens + bias + matrix
