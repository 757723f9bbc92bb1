"""Writer of CTranslate2 files, by the format's description and apart from the reader's code."""

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.models.speech_model import SpeechModel

CODES = {"float32": 0, "int8": 1, "int16": 2, "int32": 3, "float16": 4}
FLOATS = ("float32", "float16")


def _string(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


@pytest.fixture
def ct2_bytes() -> Callable[..., bytes]:
    """Makes the bytes of a ``model.bin``."""

    def make(variables: Mapping[str, np.ndarray], aliases: Mapping[str, str] | None = None, **header: object) -> bytes:
        out = [struct.pack("<I", header.get("version", 6)), _string(str(header.get("spec", "WhisperSpec")))]
        out += [struct.pack("<II", 3, len(variables))]
        for name, array in variables.items():
            out += [_string(name), struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)]
            out += [struct.pack("<BI", CODES[array.dtype.name], array.nbytes), array.tobytes()]
        aliases = aliases or {}
        out += [struct.pack("<I", len(aliases))]
        out += [_string(alias) + _string(name) for alias, name in aliases.items()]
        return b"".join(out)

    return make


@pytest.fixture
def ct2_variables(tiny_whisper: SpeechModel) -> Callable[[str], dict[str, np.ndarray]]:
    """Makes the variables of the tiny Whisper, with floats of the given type."""
    state = {name: tensor.numpy() for name, tensor in tiny_whisper.network.state_dict().items()}

    def make(dtype: str) -> dict[str, np.ndarray]:
        out: dict[str, np.ndarray] = {}

        def put(source: str, target: str) -> None:
            for theirs, ours in (("weight", "weight"), ("bias", "bias")):
                out[f"{target}/{ours}"] = state[f"{source}.{theirs}"]

        def norm(source: str, target: str) -> None:
            out[f"{target}/gamma"], out[f"{target}/beta"] = state[f"{source}.weight"], state[f"{source}.bias"]

        def stack(source: str, target: str, names: str) -> None:
            weights = [state[f"{source}.{n}_proj.weight"] for n in names]
            biases = [state.get(f"{source}.{n}_proj.bias", np.zeros(64, np.float32)) for n in names]
            out[f"{target}/weight"], out[f"{target}/bias"] = np.concatenate(weights), np.concatenate(biases)

        for side in ("encoder", "decoder"):
            out[f"{side}/position_encodings/encodings"] = state[f"model.{side}.embed_positions.weight"]
            norm(f"model.{side}.layer_norm", f"{side}/layer_norm")
            for i in range(2):
                source, target = f"model.{side}.layers.{i}", f"{side}/layer_{i}"
                stack(f"{source}.self_attn", f"{target}/self_attention/linear_0", "qkv")
                put(f"{source}.self_attn.out_proj", f"{target}/self_attention/linear_1")
                norm(f"{source}.self_attn_layer_norm", f"{target}/self_attention/layer_norm")
                if side == "decoder":
                    put(f"{source}.encoder_attn.q_proj", f"{target}/attention/linear_0")
                    stack(f"{source}.encoder_attn", f"{target}/attention/linear_1", "kv")
                    put(f"{source}.encoder_attn.out_proj", f"{target}/attention/linear_2")
                    norm(f"{source}.encoder_attn_layer_norm", f"{target}/attention/layer_norm")
                put(f"{source}.fc1", f"{target}/ffn/linear_0")
                put(f"{source}.fc2", f"{target}/ffn/linear_1")
                norm(f"{source}.final_layer_norm", f"{target}/ffn/layer_norm")
        for name in ("conv1", "conv2"):
            put(f"model.encoder.{name}", f"encoder/{name}")
        out["decoder/embeddings/weight"] = state["model.decoder.embed_tokens.weight"]
        out = {name: array.astype(dtype) for name, array in out.items()}
        heads = {f"{side}/num_heads": np.array(2, np.int16) for side in ("encoder", "decoder")}
        return out | heads | {"decoder/pre_norm": np.array(1, np.int8)}

    return make


@pytest.fixture
def ct2_folder(
    tmp_path: Path,
    tiny_whisper: SpeechModel,
    ct2_bytes: Callable[..., bytes],
    ct2_variables: Callable[[str], dict[str, np.ndarray]],
) -> Path:
    """A CTranslate2 folder of the tiny Whisper in float32."""
    folder = tmp_path / "ct2"
    folder.mkdir()
    tied = {"decoder/projection/weight": "decoder/embeddings/weight"}
    (folder / "model.bin").write_bytes(ct2_bytes(ct2_variables("float32"), tied))
    hints = {"suppress_ids": [1, 2], "suppress_ids_begin": [5, 256], "alignment_heads": [[0, 1]], "lang_ids": [9]}
    (folder / "config.json").write_text(json.dumps(hints))
    tiny_whisper.tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    return folder
