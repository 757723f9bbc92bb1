"""Whisper weights as a file for whisper.cpp.

Little-endian int32 unless said otherwise: magic ``ggml``; vocabulary, audio context, width, heads and layers, text
context, width, heads and layers, mel bins, type of the file; mel filters as bins, frequencies and float32 values;
number of tokens and each as length and bytes; then the tensors: rank, length of the name, type, dimensions from the
innermost on, name, data. Matrices take the file's type, convolutions float16, vectors and position tables float32; a
convolution's bias is a column. K-quants share scales among 256 weights of a row: there are none for rows of tiny (384).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

MAGIC = 0x67676D6C
QUANTIZATION_VERSION = 2
_VERSION_FACTOR = 1000
_FLOAT32, _FLOAT16 = 0, 1
_POSITIONS = "positional_embedding"


@dataclass(frozen=True, slots=True)
class GgmlType:
    """Type of the matrices.

    Args:
        name: In the ``gguf`` package, which rounds to all but the k-quants.
        tensor: Code in a tensor's header.
        file: Code in the file's header.
    """

    name: str
    tensor: int
    file: int


TYPES = {
    kind.name.lower(): kind
    for kind in (
        GgmlType("F16", 1, 1),
        GgmlType("Q4_0", 2, 2),
        GgmlType("Q5_0", 6, 8),
        GgmlType("Q5_1", 7, 9),
        GgmlType("Q8_0", 8, 7),
        GgmlType("Q2_K", 10, 10),
        GgmlType("Q3_K", 11, 11),
        GgmlType("Q4_K", 12, 12),
    )
}

_PARTS = {
    "self_attn_layer_norm": "attn_ln",
    "encoder_attn_layer_norm": "cross_attn_ln",
    "final_layer_norm": "mlp_ln",
    "self_attn": "attn",
    "encoder_attn": "cross_attn",
    "q_proj": "query",
    "k_proj": "key",
    "v_proj": "value",
    "out_proj": "out",
    "fc1": "mlp.0",
    "fc2": "mlp.2",
    "layers": "blocks",
    "embed_tokens": "token_embedding",
}


def ggml_name(name: str) -> str:
    """Name in whisper.cpp of a parameter of the Hugging Face network."""
    side, *parts = name.removeprefix("model.").split(".")
    if parts[0] == "embed_positions":
        return f"{side}.{_POSITIONS}"
    if parts[0] == "layer_norm":
        parts[0] = "ln_post" if side == "encoder" else "ln"
    return ".".join([side, *(_PARTS.get(part, part) for part in parts)])


def write_ggml(path: Path, weights: Mapping[str, np.ndarray], info: Mapping[str, Any], kind: str) -> None:
    """Writes ``path``.

    Args:
        path: File.
        weights: Parameter of the Hugging Face network to float32 array, tied ones once; ``mel_filters`` (bins, F).
        info: ``config``, a Whisper configuration, and ``ordinary_tokens``, their bytes in hexadecimal in order of ids.
        kind: Type of the matrices, a key of ``TYPES``.
    """
    with path.open("wb") as file:
        _write_header(file, info["config"], TYPES[kind])
        filters = weights["mel_filters"].astype("<f4")
        file.write(struct.pack("<2i", *filters.shape) + filters.tobytes())
        tokens = [bytes.fromhex(token) for token in info["ordinary_tokens"]]
        file.write(struct.pack("<i", len(tokens)))
        for token in tokens:
            file.write(struct.pack("<i", len(token)) + token)
        for name, array in weights.items():
            if name != "mel_filters":
                _write_tensor(file, ggml_name(name), array, TYPES[kind])


def _write_header(file: BinaryIO, config: Mapping[str, Any], kind: GgmlType) -> None:
    version = 0 if kind.name == "F16" else QUANTIZATION_VERSION * _VERSION_FACTOR
    values = [config["vocab_size"]]
    for side, context in (("encoder", "max_source_positions"), ("decoder", "max_target_positions")):
        values += [config[context], config["d_model"], config[f"{side}_attention_heads"], config[f"{side}_layers"]]
    file.write(struct.pack("<I11i", MAGIC, *values, config["num_mel_bins"], kind.file + version))


def _write_tensor(file: BinaryIO, name: str, array: np.ndarray, kind: GgmlType) -> None:
    if ".conv" in name and name.endswith("bias"):
        array = array[:, None]
    code, data = _encode(name, array, kind)
    encoded = name.encode()
    file.write(struct.pack("<3i", array.ndim, len(encoded), code))
    file.write(struct.pack(f"<{array.ndim}i", *reversed(array.shape)) + encoded + data)


def _encode(name: str, array: np.ndarray, kind: GgmlType) -> tuple[int, bytes]:
    """Type and bytes of a tensor."""
    if array.ndim == 1 or name.endswith((_POSITIONS, "conv1.bias", "conv2.bias")):
        return _FLOAT32, array.astype("<f4").tobytes()
    if array.ndim > 2 or kind.name == "F16":
        return _FLOAT16, array.astype("<f2").tobytes()
    if kind.name.endswith("_K"):
        return kind.tensor, _by_ggml(array.astype(np.float32), kind.tensor)
    from gguf import GGMLQuantizationType, quants

    return kind.tensor, quants.quantize(array.astype(np.float32), GGMLQuantizationType[kind.name]).tobytes()


def _by_ggml(array: np.ndarray, tensor: int) -> bytes:
    """Blocks of a matrix as whisper.cpp's own library makes them."""
    import pywhispercpp

    (library,) = Path(pywhispercpp.__file__).parents[1].glob("libggml-base.so")
    quantize = ctypes.CDLL(library).ggml_quantize_chunk
    quantize.restype = ctypes.c_size_t
    quantize.argtypes = [ctypes.c_int, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 3, ctypes.c_void_p]
    source, out = np.ascontiguousarray(array), np.empty(array.nbytes, np.uint8)
    size = quantize(tensor, source.ctypes.data, out.ctypes.data, 0, *source.shape, None)
    return out[:size].tobytes()
