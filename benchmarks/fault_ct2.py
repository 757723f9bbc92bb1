"""A CTranslate2 ``model.bin`` written from a network's parameters, with the places in it that are no weights."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np

_CODES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}

TIED = {"decoder/projection/weight": "decoder/embeddings/weight"}
"""The second name of the embedding."""


def ct2_variables(state: Mapping[str, np.ndarray], width: int) -> dict[str, np.ndarray]:
    """The network's parameters under CTranslate2's names; those of attention are joined."""
    out: dict[str, np.ndarray] = {}

    def put(source: str, target: str, names: str = "") -> None:
        sources = [f"{source}.{letter}_proj" for letter in names] or [source]
        out[f"{target}/weight"] = np.concatenate([state[f"{each}.weight"] for each in sources])
        zeros = np.zeros(width, np.float32)
        out[f"{target}/bias"] = np.concatenate([state.get(f"{each}.bias", zeros) for each in sources])

    def norm(source: str, target: str) -> None:
        out[f"{target}/gamma"], out[f"{target}/beta"] = state[f"{source}.weight"], state[f"{source}.bias"]

    for side in ("encoder", "decoder"):
        source, target = f"model.{side}.layers.0", f"{side}/layer_0"
        out[f"{side}/position_encodings/encodings"] = state[f"model.{side}.embed_positions.weight"]
        norm(f"model.{side}.layer_norm", f"{side}/layer_norm")
        put(f"{source}.self_attn", f"{target}/self_attention/linear_0", "qkv")
        put(f"{source}.self_attn.out_proj", f"{target}/self_attention/linear_1")
        norm(f"{source}.self_attn_layer_norm", f"{target}/self_attention/layer_norm")
        put(f"{source}.fc1", f"{target}/ffn/linear_0")
        put(f"{source}.fc2", f"{target}/ffn/linear_1")
        norm(f"{source}.final_layer_norm", f"{target}/ffn/layer_norm")
        out[f"{side}/num_heads"] = np.array(2, np.int16)
    put("model.decoder.layers.0.encoder_attn", "decoder/layer_0/attention/linear_0", "q")
    put("model.decoder.layers.0.encoder_attn", "decoder/layer_0/attention/linear_1", "kv")
    put("model.decoder.layers.0.encoder_attn.out_proj", "decoder/layer_0/attention/linear_2")
    norm("model.decoder.layers.0.encoder_attn_layer_norm", "decoder/layer_0/attention/layer_norm")
    for name in ("conv1", "conv2"):
        put(f"model.encoder.{name}", f"encoder/{name}")
    out["decoder/embeddings/weight"] = state["model.decoder.embed_tokens.weight"]
    out["decoder/pre_norm"] = np.array(1, np.int8)
    return out


def ct2_bytes(variables: Mapping[str, np.ndarray], aliases: Mapping[str, str]) -> tuple[bytes, list[int]]:
    """A ``model.bin``, and the offsets in it of all that is no weight.

    Args:
        variables: Name to array of a type in CTranslate2's list.
        aliases: Second name to name.
    """
    out, places = bytearray(), []

    def add(data: bytes) -> None:
        places.extend(range(len(out), len(out) + len(data)))
        out.extend(data)

    def text(value: str) -> bytes:
        data = value.encode() + b"\0"
        return struct.pack("<H", len(data)) + data

    add(struct.pack("<I", 6) + text("WhisperSpec") + struct.pack("<II", 3, len(variables)))
    for name, array in variables.items():
        add(text(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape))
        add(struct.pack("<BI", _CODES[array.dtype.name], array.nbytes))
        out.extend(array.tobytes())
    add(struct.pack("<I", len(aliases)) + b"".join(text(a) + text(b) for a, b in aliases.items()))
    return bytes(out), places
