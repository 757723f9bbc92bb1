"""Every option of ``quantize`` on a tiny model: what ends up in the files."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import pytest

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import BundleManifest, LayerRecord, QuantizedBundle
from myqasr_fx.errors import ModelError, MyqasrError, OptionError
from myqasr_fx.measure import observe
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.runtime.whisper import WhisperRuntime

Compile = Callable[..., QuantizedBundle]


def weights(bundle: QuantizedBundle) -> Iterator[LayerRecord]:
    return (layer for layer in bundle.manifest.layers if layer.op != "matmul")


def widths(bundle: QuantizedBundle) -> list[int]:
    """Width of each weight, in network order, for bundles without row blocks."""
    return [block.bits for layer in weights(bundle) for block in layer.blocks]


def kernels(manifest: BundleManifest) -> Counter[str]:
    return Counter({kind: count for kind, count in manifest.files[0].executed.items() if "MatMul" in kind})


@pytest.mark.parametrize(
    ("bits", "granularity", "symmetric", "opset"),
    [
        (1, "group:16", False, 21),
        (2, "group:32", True, 25),
        (2, "channel", False, 25),
        (3, "channel", False, 21),
        (4, "group:64", True, 21),
        (5, "tensor", True, 23),
        (6, "channel", True, 21),
        (7, "tensor", False, 21),
        (8, "group:32", False, 21),
    ],
)
def test_uniform_widths(compile_model: Compile, bits: int, granularity: str, symmetric: bool, opset: int) -> None:
    bundle = compile_model(uniform_bits=bits, granularity=granularity, symmetric=symmetric, opset=opset)
    made = bundle.manifest
    assert made.budget_bytes is None
    assert set(widths(bundle)) == {bits}
    assert {block.symmetric for layer in weights(bundle) for block in layer.blocks} == {symmetric}
    assert {layer.executes for layer in weights(bundle) if layer.op == "linear"} == {"low-bit kernel"}
    assert {layer.executes for layer in weights(bundle) if layer.op == "conv1d"} == {"folded to float at load"}
    assert {layer.executes for layer in made.layers if layer.op == "matmul"} == {"kept in float"}
    assert kernels(made)["MatMulNBits"] == sum(layer.op == "linear" for layer in made.layers)
    model = onnx.load(bundle.path / "model.onnx")
    assert {(entry.domain, entry.version) for entry in model.opset_import} == {("", opset)}
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert (onnx.TensorProto.INT2 if symmetric else onnx.TensorProto.UINT2) in kinds or (bits, opset) != (2, 25)


@pytest.mark.parametrize(("granularity", "symmetric"), [("channel", True), ("tensor", False)])
def test_integer_activations(compile_model: Compile, granularity: str, symmetric: bool) -> None:
    made = compile_model(uniform_bits=6, activations="int8", granularity=granularity, symmetric=symmetric).manifest
    products = sum(layer.op in ("linear", "matmul") for layer in made.layers)
    integer = kernels(made)
    assert integer["MatMulIntegerToFloat"] + integer["QLinearMatMul"] == integer.total() == products
    assert {layer.executes for layer in made.layers if layer.op == "matmul"} == {"low-bit kernel"}
    assert made.verification.rounding_error is not None


@pytest.mark.parametrize("granularity", ["channel", "tensor"])
def test_integer_activations_where_damage_chooses_widths(compile_model: Compile, granularity: str) -> None:
    made = compile_model(avg_bits=11.0, recipe="fast", activations="int8", granularity=granularity).manifest
    assert made.model_bytes <= made.budget_bytes
    assert made.config["allocation"] == "optimal"
    products = sum(layer.op in ("linear", "matmul") for layer in made.layers)
    kept = sum(layer.op == "linear" and layer.blocks[0].bits > 8 for layer in made.layers)
    assert kernels(made)["MatMulIntegerToFloat"] + kernels(made)["QLinearMatMul"] >= products - kept > 0


def test_linear_widths_need_no_size(compile_model: Compile) -> None:
    bundle = compile_model(allocation="linear", min_bits=3, max_bits=6)
    assert bundle.manifest.budget_bytes is None
    assert (min(widths(bundle)), max(widths(bundle))) == (3, 6)


def test_orders_and_bounds(compile_model: Compile) -> None:
    found = {}
    for order in ("ascending", "descending", "shuffled"):
        bundle = compile_model(budget=75_000, order=order, min_bits=3, max_bits=6, seed=3)
        assert bundle.manifest.model_bytes <= 75_000
        assert set(widths(bundle)) <= {3, 4, 5, 6}
        assert max(widths(bundle)) - min(widths(bundle)) == 1
        found[order] = tuple(block.bits for layer in weights(bundle) for block in layer.blocks)
    assert len(set(found.values())) == 3


def test_the_paper_s_rule(compile_model: Compile) -> None:
    bundle = compile_model(avg_bits=5.5, budget_kind="paper")
    made = bundle.manifest
    assert set(widths(bundle)) == {5, 6}
    assert all(len(layer.blocks) == 1 for layer in weights(bundle))
    counted = sum(layer.blocks[0].bits * _num_weights(layer) for layer in weights(bundle)) / 8
    assert counted <= made.budget_bytes < made.model_bytes  # the budget counts weight bits, the report real bytes
    assert made.model_bytes == (bundle.path / "model.onnx").stat().st_size
    assert made.config["fill"] is False


def test_the_published_code_s_choices(compile_model: Compile) -> None:
    made = compile_model(avg_bits=5.5, recipe="reference").manifest
    found = {layer.name: layer for layer in made.layers if layer.op != "matmul"}
    kept = {name for name, layer in found.items() if layer.blocks[0].bits == 32}
    assert kept == {"lm_head", "wav2vec2.encoder.pos_conv_embed.conv"}
    assert {layer.blocks[0].bits for name, layer in found.items() if name not in kept} == {5, 6}
    shared = {(layer.op, layer.blocks[0].granularity) for name, layer in found.items() if name not in kept}
    assert shared == {("conv1d", "channel"), ("linear", "tensor")}
    assert made.config["budget"]["kind"] == "parameters" and made.config["calibration"] == "cosine_per_frame"


def _num_weights(layer: LayerRecord) -> int:
    count = 1
    for size in layer.shape:
        count *= size
    return count


@pytest.mark.parametrize(("bits", "nearest"), [(9, 8), (15, 16), (20, 16), (31, 32)])
def test_widths_that_no_file_holds_are_refused(compile_model: Compile, tmp_path: Path, bits: int, nearest: int) -> None:
    with pytest.raises(MyqasrError, match=f"nearest choice is {nearest}"):
        compile_model(uniform_bits=bits, budget_kind="paper")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"recipe": "paper", "avg_bits": 8.5},
        {"recipe": "reference", "avg_bits": 17.5},
        {"recipe": "paper", "allocation": "linear"},
        {"recipe": "paper", "allocation": "uniform", "avg_bits": 9.5},
    ],
)
def test_widths_that_no_file_holds_are_told_before_the_clips_are_heard(
    compile_model: Compile, monkeypatch: pytest.MonkeyPatch, options: dict[str, object]
) -> None:
    monkeypatch.setattr(pipeline, "measure", lambda *_: pytest.fail("heard the clips"))
    with pytest.raises(OptionError, match=r"which no file holds .*--max-bits 8"):
        compile_model(**options)


@pytest.mark.parametrize("bits", [16, 32])
def test_the_paper_s_floats_are_exported(compile_model: Compile, bits: int) -> None:
    bundle = compile_model(uniform_bits=bits, budget_kind="paper")
    assert set(widths(bundle)) == {bits}
    assert bundle.manifest.model_bytes > bundle.manifest.num_weights * bits / 8


def test_rules_fix_widths_and_keep_floats(compile_model: Compile, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        """
        [[layers]]
        match = "lm_head"
        keep = 32
        [[layers]]
        match = "*.feed_forward.*"
        keep = 16
        [[layers]]
        match = "*.q_proj"
        bits = 7
        granularity = "group:16"
        """
    )
    bundle = compile_model(budget=100_000, rules=rules)
    layers = {layer.name: layer for layer in weights(bundle)}
    assert bundle.manifest.model_bytes <= 100_000
    assert layers["lm_head"].bits == 32
    assert layers["lm_head"].executes == "kept in float: kept by a rule"
    assert {layer.bits for name, layer in layers.items() if ".feed_forward." in name} == {16}
    (query,) = next(layer for name, layer in layers.items() if name.endswith("q_proj")).blocks
    assert (query.bits, query.granularity) == (7, "group:16")
    stored = {(tuple(t.dims), t.data_type) for t in onnx.load(bundle.path / "model.onnx").graph.initializer}
    assert ((64, 32), onnx.TensorProto.FLOAT) in stored  # lm_head
    assert {((64, 128), onnx.TensorProto.FLOAT16), ((128, 64), onnx.TensorProto.FLOAT16)} <= stored


def test_a_rule_that_matches_nothing_is_refused(compile_model: Compile, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[layers]]\nmatch = "decoder.*"\nbits = 4\n')
    with pytest.raises(OptionError, match=r"rule for 'decoder\.\*' matches none"):
        compile_model(uniform_bits=4, rules=rules)


def test_the_language_reaches_the_decoder(compile_model: Compile, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def stop(runtime: WhisperRuntime, clips: object, language: str | None = None) -> None:
        asked.append(language)
        raise KeyboardInterrupt

    monkeypatch.setattr(WhisperRuntime, "transcribe_batch", stop)
    with pytest.raises(KeyboardInterrupt):
        compile_model("whisper-multilingual", uniform_bits=4, language="de")
    assert asked == ["de"]


def test_a_language_has_one_name_in_manifest_and_cache(compile_model: Compile, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    kept = []
    for language in ("German", "de-AT", "de"):
        made = compile_model("whisper-multilingual", uniform_bits=4, language=language, cache=cache).manifest
        assert made.config["language"] == "de"
        kept.append(sorted(path.name for path in cache.iterdir()))
    assert kept[0] == kept[1] == kept[2] != []


@pytest.mark.parametrize(
    ("name", "language"), [("whisper-multilingual", "Klingon"), ("whisper", "fr"), ("smallest", "de")]
)
def test_a_language_that_the_model_cannot_hear_is_told_before_the_audio_is_read(
    compile_model: Compile, monkeypatch: pytest.MonkeyPatch, name: str, language: str
) -> None:
    monkeypatch.setattr(pipeline, "select_clips", lambda *_, **__: pytest.fail("read the audio"))
    with pytest.raises(ModelError, match=f"'{language}'"):
        compile_model(name, uniform_bits=4, language=language)


def test_a_language_for_a_model_that_knows_none(compile_model: Compile) -> None:
    with pytest.raises(ModelError, match="language 'de'"):
        compile_model(uniform_bits=4, language="de")


def test_the_cache_serves_the_next_budget_and_no_other_clips(
    compile_model: Compile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    first = compile_model(uniform_bits=4, cache=cache).manifest
    (kept,) = cache.iterdir()

    def unreachable(*_: object) -> None:
        raise AssertionError("ran the clips again")

    monkeypatch.setattr(observe, "torch_runtime", unreachable)
    second = compile_model(uniform_bits=5, cache=cache).manifest
    assert [layer.sensitivity for layer in second.layers] == [layer.sensitivity for layer in first.layers]
    with pytest.raises(AssertionError, match="again"):
        compile_model(uniform_bits=5, cache=cache, max_clips=3)
    with pytest.raises(AssertionError, match="again"):
        compile_model("wav2vec2", uniform_bits=5, cache=cache)
    whole = kept.read_bytes()
    for damaged in (whole[:-20], whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:]):
        kept.write_bytes(damaged)
        with pytest.raises(AssertionError, match="again"):
            compile_model(uniform_bits=5, cache=cache)


def test_a_private_run_leaves_no_text_in_the_cache(compile_model: Compile, tmp_path: Path) -> None:
    def kept(folder: str, private: bool) -> tuple[QuantizedBundle, bytes]:
        options = {"uniform_bits": 4, "rounding": "gptq", "no_speech_threshold": 1}
        bundle = compile_model("whisper-smallest", cache=tmp_path / folder, private=private, **options)
        return bundle, b"\n".join(path.read_bytes() for path in sorted((tmp_path / folder).iterdir()))

    bundle, public = kept("public", private=False)
    heard = ReportDetails.read(bundle.path).comparisons
    assert heard
    said = [json.dumps(text).strip('"').encode() for text in {each.expected for each in heard} if text]
    assert said and all(text in public for text in said)
    tokens = re.findall(rb'"tokens": \[[^\]]+\]', public)
    assert tokens
    weights = {path.name: path.read_bytes() for path in bundle.path.glob("*.onnx")}
    bundle, private = kept("private", private=True)
    assert [text for text in (*said, *tokens, b'"text"', b"logits") if text in private] == []
    assert [path.name[:6] for path in (tmp_path / "private").iterdir()] == ["grams-"]
    assert {path.name: path.read_bytes() for path in bundle.path.glob("*.onnx")} == weights
