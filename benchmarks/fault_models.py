"""Faults in a model's folder: weights, configuration, generation settings, tokenizer, feature extractor."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from fault_base import QUANTIZE
from fault_bytes import damaged
from fault_case import Case, Kind, Make
from fault_check import whole_bundle
from fault_ct2 import TIED, ct2_bytes
from fault_folder import link_tree
from fault_json import mutated_json, mutated_value

FULL, PLANNED = 0.04, 0.12
"""Shares of inputs with which a whole bundle is made, and a plan; of the others the model is read and no more."""

MODEL = "in/model"
_SHAPES = ((), (0,), (1,), (0, 64), (1, 1, 1, 1), (5000, 3), (64, 64), (1,) * 9)
_DTYPES = (np.float32, np.float16, np.int8, np.int16, np.int32)


def replace(path: Path, content: bytes) -> None:
    """Writes a file in the place of a hard link."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def model_case(base: Path, scratch: Path, random: Random, fault: str) -> Case:
    """Quantizes what lies in ``MODEL`` of the scratch folder."""
    for name in ("f0.wav", "m0.wav"):
        (scratch / "in" / name).hardlink_to(base / "audio" / name)
    command = ("quantize", MODEL, "in/f0.wav", "in/m0.wav", *QUANTIZE, "--json")
    choice = random.random()
    if choice < FULL:
        return Case(fault, (*command, "--out", "out"), makes=("out",), check=whole_bundle("out"))
    if choice < FULL + PLANNED:
        return Case(fault, (*command, "--dry-run"))
    return only_read(scratch, fault, ("quantize", MODEL))


def only_read(scratch: Path, fault: str, command: tuple[str, ...]) -> Case:
    """Stops behind what is read before recordings: the only one is empty."""
    (scratch / "in" / "empty.wav").touch()
    return Case(fault, (*command, "in/empty.wav", *QUANTIZE, "--dry-run", "--json"), accepts="empty.wav: is empty")


def _json_in(model: str, *files: str) -> Make:
    """Faults in one of the JSON files of a healthy model."""

    def make(base: Path, scratch: Path, random: Random) -> Case:
        link_tree(base / model, scratch / MODEL)
        name = random.choice(files)
        content, fault = mutated_json((base / model / name).read_bytes(), random)
        replace(scratch / MODEL / name, content)
        return model_case(base, scratch, random, f"{name}: {fault}")

    return make


def _ct2(base: Path, scratch: Path, random: Random) -> Case:
    link_tree(base / "ct2", scratch / MODEL)
    if random.random() < 0.6:
        places = json.loads((base / "places.json").read_bytes())
        content, fault = damaged((base / "ct2" / "model.bin").read_bytes(), random, places)
    else:
        with np.load(base / "variables.npz") as stored:
            variables = dict(stored)
        aliases = dict(TIED)
        fault = _change_variables(variables, aliases, random)
        content, _ = ct2_bytes(variables, aliases)
    replace(scratch / MODEL / "model.bin", content)
    return model_case(base, scratch, random, f"model.bin: {fault}")


def _change_variables(variables: dict[str, np.ndarray], aliases: dict[str, str], random: Random) -> str:
    """Makes another model of one, as a file that is well-formed."""
    name = random.choice(list(variables))
    choice = random.randrange(5)
    if choice == 0:
        del variables[name]
        return f"{name} is missing"
    if choice == 1:
        other = random.choice(("", "encoder/layer_99999/x", "a" * 3000, "\x1b[2J", name.replace("layer_0", "layer_7")))
        variables[other] = variables.pop(name)
        return f"{name} is called {other[:40]!r}"
    if choice == 2:
        aliases[random.choice(("x", name))] = random.choice((name, "y"))
        return f"aliases are {aliases}"
    variables[name] = changed(variables[name], random)
    return f"{name} is {variables[name].dtype} {variables[name].shape}"


def changed(array: np.ndarray, random: Random) -> np.ndarray:
    """An array of another shape or type, or with other numbers."""
    choice = random.randrange(7)
    if choice == 0:
        return np.asarray(array, random.choice(_DTYPES))
    if choice == 1:
        return np.full(array.shape, random.choice((0, np.nan, np.inf, 1e30, -1)), np.float32)
    if choice == 2:
        return np.zeros(
            random.choice(((), (0,), (1,), (0, 64), (1, 1, 1, 1), (5000, 3), (64, 64), (1,) * 9)), array.dtype
        )
    if choice == 3:
        return np.concatenate([array, array]) if array.ndim else array[None]
    if choice == 4:
        return array[..., :-1] if array.ndim and array.shape[-1] > 1 else array.reshape(-1)
    if choice == 5:
        return array.T.copy() if array.ndim > 1 else array[:, None] if array.ndim else np.array(30_000, array.dtype)
    return np.array(random.choice((0, -1, 1, 3, 7, 30_000)), np.int16)


def _safetensors(base: Path, scratch: Path, random: Random) -> Case:
    model = random.choice(("ctc", "ctc", "whisper"))
    link_tree(base / model, scratch / MODEL)
    content = (base / model / "model.safetensors").read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header, data = content[8 : 8 + size], content[8 + size :]
    choice = random.random()
    if choice < 0.35:
        content, fault = damaged(content, random, range(8 + size))
    elif choice < 0.65:
        text, fault = mutated_json(header, random)
        content = struct.pack("<Q", len(text)) + text + data
    else:
        content, fault = _other_tensors(json.loads(header), data, random)
    replace(scratch / MODEL / "model.safetensors", content)
    return model_case(base, scratch, random, f"model.safetensors of {model}: {fault}")


def _other_tensors(header: dict[str, Any], data: bytes, random: Random) -> tuple[bytes, str]:
    """A well-formed file with one tensor changed."""
    header.pop("__metadata__", None)
    tensors = {
        name: np.frombuffer(data[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
        for name, entry in header.items()
    }
    name = random.choice(list(tensors))
    if random.random() < 0.2:
        other = random.choice(
            ("", "extra.weight", "\x1b[2J", name + ".weight", name.replace("layers.0", "layers.99999"))
        )
        tensors[other] = tensors.pop(name)
        fault = f"{name} is called {other!r}"
    else:
        tensors[name] = changed(tensors[name], random)
        fault = f"{name} is {tensors[name].dtype} {tensors[name].shape}"
    names = {"float32": "F32", "float16": "F16", "int8": "I8", "int16": "I16", "int32": "I32"}
    out, at = {}, 0
    for key, array in tensors.items():
        out[key] = {"dtype": names[str(array.dtype)], "shape": array.shape, "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(out).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(a.tobytes() for a in tensors.values()), fault


def _merges(base: Path, scratch: Path, random: Random) -> Case:
    """A tokenizer of ``vocab.json`` and ``merges.txt`` alone, two of whose tokens are merged from others."""
    link_tree(base / "whisper", scratch / MODEL)
    (scratch / MODEL / "tokenizer.json").unlink()
    tokens = json.loads((base / "whisper" / "vocab.json").read_bytes())
    for merged, seldom in zip(("ab", "abc"), sorted(tokens)[-2:], strict=True):
        tokens[merged] = tokens.pop(seldom)
    files = {
        "vocab.json": json.dumps(tokens).encode(),
        "merges.txt": (base / "whisper" / "merges.txt").read_bytes() + b"a b\nab c\n",
    }
    name = random.choice(("vocab.json", "merges.txt", "merges.txt"))
    change = mutated_json if name.endswith("json") else damaged
    files[name], fault = change(files[name], random)
    for file, content in files.items():
        replace(scratch / MODEL / file, content)
    return model_case(base, scratch, random, f"{name}: {fault}")


def _lora(base: Path, scratch: Path, random: Random) -> Case:
    """Files that do not belong there."""
    link_tree(base / "ctc", scratch / MODEL)
    name = random.choice(
        ("adapter_config.json", "adapter.fra.safetensors", "added_tokens.json", "pytorch_model.bin", "model.bin")
    )
    value, fault = mutated_value({"<pad>": 0, "x": 40, "r": [8]}, random)
    replace(scratch / MODEL / name, json.dumps(value).encode())
    if random.random() < 0.5:
        (scratch / MODEL / "model.safetensors").unlink()
        fault += "; model.safetensors is missing"
    return model_case(base, scratch, random, f"{name} is there: {fault}")


_TOKENIZER = ("tokenizer_config.json", "special_tokens_map.json")
_EXTRACTOR = ("preprocessor_config.json", "processor_config.json")

KINDS = (
    Kind("CTranslate2 model.bin", 160, _ct2),
    Kind(
        "CTranslate2 config.json and tokenizer.json",
        70,
        _json_in("ct2", "config.json", "config.json", "tokenizer.json"),
    ),
    Kind("safetensors", 180, _safetensors),
    Kind("safetensors index", 40, _json_in("sharded", "model.safetensors.index.json")),
    Kind("config.json, Whisper", 100, _json_in("whisper", "config.json")),
    Kind("config.json, CTC", 120, _json_in("ctc", "config.json")),
    Kind("generation_config.json", 90, _json_in("whisper", "generation_config.json")),
    Kind("tokenizer, Whisper", 90, _json_in("whisper", "tokenizer.json", *_TOKENIZER)),
    Kind("tokenizer of vocabulary and merges", 40, _merges),
    Kind("tokenizer, CTC", 90, _json_in("ctc", "vocab.json", "vocab.json", *_TOKENIZER)),
    Kind("feature extractor, Whisper", 40, _json_in("whisper", *_EXTRACTOR)),
    Kind("feature extractor, CTC", 40, _json_in("ctc", *_EXTRACTOR)),
    Kind("files that do not belong there", 20, _lora),
)
