"""What verification lets through and what it stops: whole files, and files with one wrong number."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import VerificationError
from myqasr_fx.export.activation_rounding import roundings, write_without_roundings
from myqasr_fx.fit.fit import fit
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.manifest import low_bit_products
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.process.limits import Limits
from myqasr_fx.runtime import GraphRunner, OrtSettings, WhisperRuntime
from myqasr_fx.runtime.opened import Opened
from myqasr_fx.runtime.ort_runner import OrtRunner
from myqasr_fx.runtime.torch_runner import torch_runtime
from myqasr_fx.verify import bench
from myqasr_fx.verify import verify_files as module
from myqasr_fx.verify.fake_quant import Reference, make_reference
from myqasr_fx.verify.forced_logits import Sample, forced_logits
from myqasr_fx.verify.verify_files import Verified, verify_files

Corrupt = Callable[[Path, Path, str, str], None]


@dataclass(frozen=True)
class Made:
    """Written files and what verification needs to judge them."""

    folder: Path
    speech: SpeechModel
    reference: Reference
    samples: list[Sample]
    fused: dict[str, int]

    def verify(self, folder: Path | None = None, limits: Limits | None = None) -> Verified:
        paths = {path.stem: path for path in sorted((folder or self.folder).glob("*.onnx"))}
        return verify_files(paths, self.speech, self.reference, self.samples, self.fused, limits or Limits())


def make(job: FitJob, folder: Path) -> Made:
    fitted = fit(job, folder)
    samples = [Sample(clip.samples, said.tokens, said.language) for clip, said in job.measurements.observed.pairs()]
    fused = dict(low_bit_products(fitted.program, job.prepared.layers))
    return Made(folder, job.prepared.speech, make_reference(fitted.program), samples, fused)


@pytest.fixture(scope="module")
def ctc(fit_job: Callable[..., FitJob], tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(fit_job("smallest", uniform_bits=5), tmp_path_factory.mktemp("ctc"))


@pytest.fixture(scope="module")
def whisper(fit_job: Callable[..., FitJob], tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make(fit_job("whisper", uniform_bits=4), tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def integer(fit_job: Callable[..., FitJob], tmp_path_factory: pytest.TempPathFactory) -> Made:
    job = fit_job("smallest", uniform_bits=6, activations="int8", granularity="channel")
    return make(job, tmp_path_factory.mktemp("integer"))


def test_whole_files_pass(ctc: Made, whisper: Made) -> None:
    for made in (ctc, whisper):
        verified = made.verify()
        assert verified.record.clips == 4
        assert verified.record.exact_error < 1e-5
        assert verified.record.rounding_error is None
        assert verified.record.agreement >= 0.99
        assert set(verified.executed) == {path.name for path in made.folder.glob("*.onnx")}


class ShortEncoder:
    """An encoder that notes how many frames it is given, and hears as many of them as a random model takes."""

    def __init__(self, runner: GraphRunner) -> None:
        self.runner, self.frames = runner, list[int]()

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        features = feeds["input_features"]
        self.frames.append(features.shape[-1])
        return self.runner.run({"input_features": features[:, :, :64]}, outputs)


@pytest.mark.parametrize(("silence", "frames"), [(None, 1024), (20, 2 * (400 + 40))])
def test_the_first_clip_is_heard_in_30_s_and_the_others_in_less(
    tiny_whisper: SpeechModel, silence: int | None, frames: int
) -> None:
    runtime = torch_runtime(tiny_whisper, tiny_whisper.capture(), silence=silence)
    assert isinstance(runtime, WhisperRuntime)
    encoder, bins = ShortEncoder(runtime.encoder), tiny_whisper.config.num_mel_bins
    runtime = replace(runtime, encoder=encoder, features=lambda _: np.zeros((1, bins, 3000), np.float32))
    samples = [Sample(np.zeros(80_000, np.float32), (7,), None)] * 3
    assert [logits.shape[0] for logits in forced_logits(runtime, samples)] == [2, 2, 2]
    assert encoder.frames == [3000, frames, frames]


@pytest.mark.parametrize("part", ["codes", "scale", "zero_point"])
@pytest.mark.parametrize(
    ("fixture", "layer"),
    [
        ("ctc", "lm_head"),
        ("ctc", "wav2vec2.feature_extractor.conv_layers.1.conv"),
        ("ctc", "wav2vec2.encoder.layers.0.feed_forward.intermediate_dense"),
        ("whisper", "model.encoder.conv2"),
        ("whisper", "model.encoder.layers.1.fc1"),
        ("whisper", "model.decoder.embed_tokens"),
        ("whisper", "model.decoder.layers.0.encoder_attn.v_proj"),
    ],
)
def test_one_wrong_number_is_caught(
    fixture: str, layer: str, part: str, corrupt: Corrupt, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    made: Made = request.getfixturevalue(fixture)
    corrupt(made.folder, tmp_path, layer, part)
    with pytest.raises(VerificationError, match="differ from torch"):
        made.verify(tmp_path)


def test_rounded_activations_are_verified_apart(integer: Made) -> None:
    record = integer.verify().record
    assert record.exact_error < 1e-5
    assert record.rounding_error is not None
    assert sorted(path.name for path in integer.folder.iterdir()) == ["model.onnx"]  # no helper file stays


@pytest.mark.parametrize("part", ["codes", "scale"])
def test_one_wrong_number_is_caught_with_rounded_activations(
    integer: Made, part: str, corrupt: Corrupt, tmp_path: Path
) -> None:
    corrupt(integer.folder, tmp_path, "lm_head", part)
    with pytest.raises(VerificationError, match="differ from torch"):
        integer.verify(tmp_path)


@pytest.mark.parametrize("which", [1, 2])
def test_a_wrong_scale_or_zero_point_of_an_activation_is_caught(integer: Made, which: int, tmp_path: Path) -> None:
    model = onnx.load(integer.folder / "model.onnx")
    name = next(node for node in model.graph.node if node.op_type == "QuantizeLinear").input[which]
    (tensor,) = (t for t in model.graph.initializer if t.name == name)
    wrong = onnx.numpy_helper.to_array(tensor) + tensor_type(tensor)(1)
    tensor.CopyFrom(onnx.numpy_helper.from_array(wrong, name))
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(VerificationError, match="scales and zero points of activations are not those calibrated"):
        integer.verify(tmp_path)


def tensor_type(tensor: onnx.TensorProto) -> type:
    kind: type = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).type
    return kind


def test_missing_roundings_are_caught(integer: Made, tmp_path: Path) -> None:
    assert roundings(integer.folder / "model.onnx")
    shutil.copy(integer.folder / "model.onnx", tmp_path)
    write_without_roundings(tmp_path / "model.onnx").rename(tmp_path / "model.onnx")
    assert roundings(tmp_path / "model.onnx") == frozenset()
    with pytest.raises(VerificationError):
        integer.verify(tmp_path)


def test_a_truncated_file_is_no_onnx(ctc: Made, tmp_path: Path) -> None:
    content = (ctc.folder / "model.onnx").read_bytes()
    (tmp_path / "model.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(VerificationError, match=r"model.onnx is no valid ONNX"):
        ctc.verify(tmp_path)


def test_a_kernel_that_is_not_fused_is_caught(ctc: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ctc.fused, "model", ctc.fused["model"] + 1)
    with pytest.raises(VerificationError, match="run fused"):
        ctc.verify()


def test_other_tokens_are_caught(ctc: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "agreement", lambda *_: 0.98)
    with pytest.raises(VerificationError, match=r"prefers another token than torch at 2\.0% of positions"):
        ctc.verify()


def test_exact_kernels_are_shipped_where_rounding_inside_kernels_costs_tokens(
    ctc: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = iter((0.98, 0.98, 1.0))
    monkeypatch.setattr(module, "agreement", lambda *_: next(shares))
    verified = ctc.verify()
    assert verified.session_options == {"session.qdq_matmulnbits_accuracy_level": "1"}
    assert verified.record.shipped_error < 1e-5


def test_the_limits_say_what_must_hold_and_on_how_much(ctc: Made) -> None:
    with pytest.raises(VerificationError, match=r"differ from torch .*, expected at most 0e"):
        ctc.verify(limits=Limits(exact_error=0.0))
    with pytest.raises(VerificationError, match="prefers another token than torch"):
        ctc.verify(limits=Limits(verified_agreement=1.01))
    everything = ctc.verify().record
    some = ctc.verify(limits=Limits(verified_clips=2, verified_positions=1)).record
    assert (some.clips, everything.clips) == (2, 4)
    assert some.tokens == everything.tokens / 2


def test_a_violation_leaves_no_bundle(compile_model: Callable[..., QuantizedBundle], tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="differ from torch"):
        compile_model(uniform_bits=4, limits=Limits(exact_error=0.0))
    assert list(tmp_path.iterdir()) == []


def test_the_decoder_is_opened_when_the_encoder_is_closed(whisper: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large model an open file takes a gigabyte."""
    said: list[str] = []

    class Told(bench.OrtRunner):
        def __init__(self, path: Path, settings: OrtSettings | None = None) -> None:
            said.append(f"open {path.stem}")
            super().__init__(path, settings)

    def close(opened: Opened) -> None:
        said.append("close")
        closes(opened)

    closes = Opened.close
    monkeypatch.setattr(bench, "OrtRunner", Told)
    monkeypatch.setattr(Opened, "close", close)
    whisper.verify()
    assert said[:3] == ["open encoder_model", "close", "open decoder_model_merged"]


@pytest.mark.parametrize("family", ["ctc", "whisper"])
def test_weights_that_are_unfolded_for_every_clip_are_the_same(family: str, request: pytest.FixtureRequest) -> None:
    made: Made = request.getfixturevalue(family)
    settings = [replace(bench.EXACT, unfolds=unfolds) for unfolds in (True, False)]
    paths = {path.stem: path for path in sorted(made.folder.glob("*.onnx"))}
    compared = bench.Bench(made.speech, paths, made.samples[:2], Limits(), None)
    once, anew = (
        list(compared.heard_by({name: OrtRunner(path, each) for name, path in paths.items()})) for each in settings
    )
    for one, other in zip(once, anew, strict=True):
        assert np.linalg.norm(one - other) <= 1e-5 * np.linalg.norm(one)
    verified = made.verify(limits=Limits(unfolded_bytes=0)).record
    assert verified.exact_error < 1e-5
    assert verified.agreement == made.verify().record.agreement
