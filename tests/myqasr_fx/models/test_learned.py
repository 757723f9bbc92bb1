"""A bundle of a model that has learned: what is in its folder, and who reads that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, load_file, save

from myqasr_fx import pipeline
from myqasr_fx.bundle.adaptation_record import LEARNED, AdaptationRecord
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.diagnose.diagnose import diagnose
from myqasr_fx.diagnose.recordings import choose
from myqasr_fx.errors import BundleError, OptionError
from myqasr_fx.models.learned import Learned, digest_of, read_learned
from myqasr_fx.models.prepared import Prepared, with_learned
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Silent

RECORD = AdaptationRecord(True, "divergence", 5, 10.0, 5, 0.3, 0.2, -0.2, -0.05, 40, 3)
NORM = "wav2vec2.encoder.layer_norm.bias"
Compile = Callable[..., QuantizedBundle]


@pytest.fixture
def compile_learned(
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    noise: list[np.ndarray],
    tmp_path: Path,
) -> Compile:
    def make(adopted: bool = True, **options: object) -> QuantizedBundle:
        prepared = captured_once(make_speech_model("smallest"))
        values = prepared.speech.network.get_parameter(NORM).detach()
        generator = torch.Generator().manual_seed(0)
        tensors = {NORM: values + torch.randn(values.shape, generator=generator)}
        record = replace(RECORD, sha256=digest_of(tensors)) if adopted else replace(RECORD, adopted=False, high=0.1)
        config = resolve_config(recipe="paper-file", uniform_bits=8, **options)
        model = with_learned(prepared, Learned(record, tensors if adopted else {}))
        limits = Limits(spare_bytes=1 << 14)
        return pipeline.quantize(model, noise, out=tmp_path / "out", config=config, force=True, limits=limits)

    return make


def test_the_files_are_those_of_the_model_that_has_learned(
    compile_learned: Compile, make_speech_model: Callable[[str], SpeechModel], noise: list[np.ndarray]
) -> None:
    bundle = compile_learned()
    found = read_learned(bundle)
    assert found is not None and bundle.manifest.adaptation == replace(RECORD, sha256=found.digest)
    assert QuantizedBundle.open(bundle.path).manifest == bundle.manifest
    speech = make_speech_model("smallest")
    assert bundle.manifest.fingerprint == speech.fingerprint
    (tensor,) = load_file(bundle.path / LEARNED).values()
    assert tensor.shape == speech.network.get_parameter(NORM).shape
    verdict = bundle.manifest.acceptance
    assert verdict is not None and verdict.kl < 0.01  # beside the model that has learned; the other one is far off:
    chosen = choose(noise, bundle.manifest, 2)
    assert diagnose(bundle, speech, chosen, None, Silent()).bundle_kl < 0.01
    plain = QuantizedBundle(bundle.path, replace(bundle.manifest, adaptation=None))
    assert diagnose(plain, speech, chosen, None, Silent()).bundle_kl > 0.05


def test_where_nothing_was_adopted_the_files_are_the_plain_ones(
    compile_learned: Compile, compile_model: Compile
) -> None:
    adopted, left = ({f.name: f.sha256 for f in compile_learned(adopted=a).manifest.files} for a in (True, False))
    plain = {file.name: file.sha256 for file in compile_model(uniform_bits=8).manifest.files}
    assert left == plain != adopted
    bundle = compile_learned(adopted=False)
    assert not (bundle.path / LEARNED).exists()
    found = read_learned(bundle)
    assert found is not None and not found.record.adopted and not found.tensors and found.digest == ""


def test_a_bundle_that_was_not_asked_has_no_record(compile_model: Compile) -> None:
    bundle = compile_model(uniform_bits=8)
    assert "adaptation" not in bundle.manifest.content() and "adapt" not in bundle.manifest.config
    assert read_learned(bundle) is None


def test_a_file_that_is_missing_or_damaged_is_told(compile_learned: Compile) -> None:
    bundle = compile_learned()
    whole = (bundle.path / LEARNED).read_bytes()
    (bundle.path / LEARNED).write_bytes(whole[:-8])
    with pytest.raises(BundleError, match=r"learned\.safetensors: damaged"):
        read_learned(bundle)
    (bundle.path / LEARNED).write_bytes(save({name: -tensor for name, tensor in load(whole).items()}))
    with pytest.raises(BundleError, match=r"learned\.safetensors: not what the model of this bundle learned"):
        read_learned(bundle)
    (bundle.path / LEARNED).unlink()
    with pytest.raises(BundleError, match=r"learned\.safetensors: missing"):
        read_learned(bundle)


def test_what_was_learned_is_no_base_for_others(
    compile_learned: Compile, make_speech_model: Callable[[str], SpeechModel], noise: list[np.ndarray], tmp_path: Path
) -> None:
    base = compile_learned()
    config = resolve_config(delta=base.path)
    with pytest.raises(OptionError, match="its model learned from recordings before"):
        pipeline.quantize(make_speech_model("smallest"), noise, out=tmp_path / "own", config=config)
    assert not (tmp_path / "own").exists()


def test_the_report_and_the_card_say_so(compile_learned: Compile) -> None:
    folder = compile_learned().path
    page, card = ((folder / name).read_text(encoding="utf-8") for name in ("report.html", "README.md"))
    assert "Learned from 5 clips, without labels, and kept" in page
    assert "`learned.safetensors` holds them" in card


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"adapt": "teacher"}, "adapt 'teacher': expected none or self"),
        ({"adapt": "self", "layout": "sherpa-onnx"}, "layout 'sherpa-onnx' with adapt 'self'"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, str], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        resolve_config("24MB", **options)
