"""Model files of other systems, made from the weights of a built-in model."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.integrations.ort_int8 import fold_constants, quantize_int8
from myqasr_fx.models.builtin import BUILTIN_MODELS
from myqasr_fx.models.ctranslate2 import read_ctranslate2
from myqasr_fx.models.ctranslate2_files import Ct2Files
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel

PROGRAMS = Path(__file__).with_name("peer_programs.py")
BLOCK = 32
VOCABULARY = 10_000
"""Sizes above it are tokens."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the files are made of.

    Args:
        model: Name of a built-in model.
        folder: Where files are kept from run to run.
        python: Interpreter of the environment of ``requirements-peers.txt``.
        full: Bundle of the same model at 32 bits.
    """

    model: str
    folder: Path
    python: Path
    full: Path

    def call(self, *arguments: str | Path) -> None:
        """Runs a command of ``peer_programs.py``.

        Raises:
            SystemExit: It failed; the last line of what it said is told.
        """
        done = subprocess.run([self.python, PROGRAMS, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise SystemExit(f"{arguments[0]} failed: {lines[-1]}")


def ctranslate2_int8(shop: Workshop) -> Path:
    """Folder of CTranslate2's int8 files."""
    _describe(shop)
    out = shop.folder / "ctranslate2-int8"
    shop.call("ctranslate2", shop.folder / "variables.npz", shop.folder / "info.json", out)
    return out


def ggml(kind: str) -> Callable[[Workshop], Path]:
    """Makes a file for whisper.cpp of one type."""

    def make(shop: Workshop) -> Path:
        _describe(shop)
        out = shop.folder / f"ggml-{kind}.bin"
        shop.call("ggml", shop.folder / "weights.npz", shop.folder / "info.json", out, kind)
        return out

    return make


def ort_dynamic(shop: Workshop) -> Path:
    """Bundle of onnxruntime's dynamic int8, every operator that it knows."""
    return _rewrite(shop, "ort-dynamic-int8", quantize_int8)


def ort_4bit(shop: Workshop) -> Path:
    """Bundle of onnxruntime's 4-bit blocks of 32, in products and embeddings."""
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    def quantize(source: Path, out: Path) -> None:
        quantizer = MatMulNBitsQuantizer(
            onnx.load(source),
            bits=4,
            block_size=BLOCK,
            is_symmetric=True,
            op_types_to_quantize=("MatMul", "Gather"),
            quant_axes=(("MatMul", 0), ("Gather", 1)),
        )
        quantizer.process()
        onnx.save(quantizer.model.model, out)

    return _rewrite(shop, "ort-4bit-block32", quantize)


def ort_mixed(shop: Workshop) -> Path:
    """Bundle of onnxruntime's 4-bit blocks of 32 in all products but the last, which has 8 bits like the embedding."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    def quantize(source: Path, out: Path) -> None:
        looked_up = out.with_suffix(".int8.onnx")
        quantize_dynamic(source, looked_up, op_types_to_quantize=["Gather"], weight_type=QuantType.QUInt8)
        model = onnx.load(looked_up)
        looked_up.unlink()
        for index, node in enumerate(model.graph.node):
            node.name = node.name or f"{node.op_type}_{index}"
        names = {tensor.name for tensor in model.graph.initializer if max(tensor.dims, default=0) > VOCABULARY}
        last = [n.name for n in model.graph.node if n.op_type == "MatMul" and n.input[1] in names]
        for settings in ({"bits": 4, "nodes_to_exclude": last}, {"bits": 8, "nodes_to_include": last}):
            quantizer = MatMulNBitsQuantizer(
                model, block_size=BLOCK, is_symmetric=True, op_types_to_quantize=("MatMul",), **settings
            )
            if settings["bits"] == 4 or last:
                quantizer.process()
            model = quantizer.model.model
        onnx.save(model, out)

    return _rewrite(shop, "ort-4bit-embedding-8bit", quantize)


def nncf(mode: str) -> Callable[[Workshop], Path]:
    """Makes a bundle whose weights NNCF compressed."""

    def make(shop: Workshop) -> Path:
        return _rewrite(shop, f"nncf-{mode}", lambda a, b: shop.call("nncf", a, b, mode))

    return make


def _rewrite(shop: Workshop, name: str, quantize: Callable[[Path, Path], object]) -> Path:
    """A copy of the full-precision bundle whose model files went through ``quantize``."""
    out = shop.folder / name
    shutil.rmtree(out, ignore_errors=True)
    bundle = QuantizedBundle.open(shop.full)
    shutil.copytree(bundle.path, out, ignore=shutil.ignore_patterns("*.onnx"))
    for record in bundle.manifest.files:
        folded = shop.folder / f"folded-{record.name}"
        fold_constants(bundle.path / record.name, folded)
        quantize(folded, out / record.name)
    files = tuple(replace(r, bytes=(out / r.name).stat().st_size) for r in bundle.manifest.files)
    total = sum(record.bytes for record in files)
    replace(bundle.manifest, files=files, model_bytes=total, session_options={}).write(out)
    return out


def _describe(shop: Workshop) -> None:
    """Writes weights, sizes and tokens in forms that need no library of ours."""
    info = shop.folder / "info.json"
    if info.exists():
        return
    files = BUILTIN_MODELS[shop.model].files()
    if files is None:
        raise SystemExit(f"{shop.model}: its packages are not installed")
    speech = load_model(shop.model)
    np.savez(shop.folder / "variables.npz", **read_ctranslate2(files.weights).variables)
    state = {k: v.numpy() for k, v in speech.network.state_dict().items() if k != "proj_out.weight"}
    filters = np.asarray(speech.feature_extractor.mel_filters).T  # (bins, frequencies)
    np.savez(shop.folder / "weights.npz", **state, mel_filters=filters)
    info.write_text(json.dumps(_info(speech, files)), encoding="utf-8")


def _info(speech: SpeechModel, files: Ct2Files) -> dict[str, object]:
    """Sizes, tokens by id, bytes of the ordinary tokens, and CTranslate2's own files."""
    size = speech.config.vocab_size
    tokens = speech.tokenizer.convert_ids_to_tokens(list(range(size)))
    letters = {letter: byte for byte, letter in byte_letters().items()}
    ordinary = tokens[: speech.generation.eos_token_id]
    return {
        "config": speech.config.to_dict(),
        # CTranslate2 decodes nonsense where an entry differs, the timestamps included.
        "tokens": files.config.with_name("vocabulary.txt").read_text(encoding="utf-8").split("\n")[:size],
        "ordinary_tokens": [bytes(letters[letter] for letter in token or "").hex() for token in ordinary],
        "ctranslate2": {"config.json": str(files.config), "tokenizer.json": str(files.tokenizer)},
    }


def byte_letters() -> dict[int, str]:
    """The letter that a byte-level tokenizer writes for each byte: itself where printable, else one from 256 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(others)}
