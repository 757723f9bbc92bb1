"""Tiny random networks of every family, with one seed, and the compiler on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioForCTC,
    HubertConfig,
    HubertForCTC,
    PreTrainedModel,
    Wav2Vec2Config,
    Wav2Vec2ConformerConfig,
    Wav2Vec2ConformerForCTC,
    Wav2Vec2ForCTC,
    WavLMConfig,
    WavLMForCTC,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from myqasr_fx import pipeline
from myqasr_fx.audio import select_clips
from myqasr_fx.bundle.bundle import (
    FORMAT_VERSION,
    BlockRecord,
    BundleManifest,
    CalibrationRecord,
    FileRecord,
    LayerRecord,
    QuantizedBundle,
    VerificationRecord,
)
from myqasr_fx.bundle.layout import DEFAULT, LAYOUTS, Layout
from myqasr_fx.bundle.measure_record import MeasureRecord
from myqasr_fx.bundle.verdict_record import AcceptanceRecord
from myqasr_fx.fit import request
from myqasr_fx.fit.job import FitJob, priced
from myqasr_fx.fit.request import fit_request
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Progress, Silent

WHISPER_KINDS = {
    "english": {"vocab_size": 96, "num_mel_bins": 80},
    "multilingual": {"vocab_size": 97, "num_mel_bins": 80},
    "large-v3": {"vocab_size": 98, "num_mel_bins": 128},
}

CTC_KINDS = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2ForCTC, {}),
    "wav2vec2-stable": (Wav2Vec2Config, Wav2Vec2ForCTC, {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}),
    "conformer": (Wav2Vec2ConformerConfig, Wav2Vec2ConformerForCTC, {}),
    "conformer-rotary": (Wav2Vec2ConformerConfig, Wav2Vec2ConformerForCTC, {"position_embeddings_type": "rotary"}),
    "hubert": (HubertConfig, HubertForCTC, {}),
    "wavlm": (WavLMConfig, WavLMForCTC, {}),
    "data2vec": (Data2VecAudioConfig, Data2VecAudioForCTC, {"num_conv_pos_embeddings": 2, "conv_pos_kernel_size": 5}),
}

NetworkMaker = Callable[[str], PreTrainedModel]
CompileModel = Callable[..., QuantizedBundle]
Heard = Callable[..., tuple[MeasureJob, Measurements]]

LOOSE = Limits(spare_bytes=1 << 14)
"""No second export for the last bytes of a tiny model."""


@pytest.fixture(scope="session")
def noise() -> list[np.ndarray]:
    """Four clips of noise, one second each."""
    random = np.random.default_rng(0)
    return [random.normal(0, 0.1, 16_000).astype(np.float32) for _ in range(4)]


@pytest.fixture(scope="session")
def captured_once() -> Callable[..., Prepared]:
    """``prepare`` that captures each model once: no stage changes the graphs, so that all may share them."""
    captured = cache(prepare)

    def make(
        speech: SpeechModel,
        dump_ir: Path | None = None,
        layout: Layout = LAYOUTS[DEFAULT],
        silence: int | None = None,
    ) -> Prepared:
        if dump_ir is not None:
            return prepare(speech, dump_ir, layout, silence)
        own = layout.fixed_cache or layout.adapts
        return captured(speech, None, layout if own else LAYOUTS[DEFAULT], silence)

    return make


@pytest.fixture(scope="session")
def heard(
    make_speech_model: Callable[[str], SpeechModel], captured_once: Callable[..., Prepared], noise: list[np.ndarray]
) -> Heard:
    """A model of ``make_speech_model`` that was heard, with what that told: ``heard(name, budget, **options)``.

    It hears the first ``clips`` of ``noise``, ``samples`` of each; other options are those of ``resolve_config``, at 4
    bits where they name no size. What is asked for twice is measured once, unless it is kept in a ``cache``.
    """
    known: dict[object, tuple[MeasureJob, Measurements]] = {}

    def hear(
        name: str = "smallest",
        budget: str | int | None = None,
        clips: int = 4,
        samples: int = 16_000,
        **options: object,
    ) -> tuple[MeasureJob, Measurements]:
        config = sized(budget, options)
        prepared = captured_once(make_speech_model(name), None, LAYOUTS[config.layout])
        given = select_clips([each[:samples] for each in noise[:clips]], clips)
        job = pipeline.measuring(prepared, given, pipeline.Road(config, Silent(), LOOSE))
        key = name, clips, samples, config.layout, job.request
        if config.cache is not None:
            return job, measure(job)
        if key not in known:
            known[key] = job, measure(job)
        return known[key]

    return hear


@pytest.fixture(scope="session")
def fit_job(heard: Heard) -> Callable[..., FitJob]:
    """A model that was heard, ranked and priced: takes what ``heard`` takes."""

    def make(name: str = "smallest", budget: str | int | None = None, **options: object) -> FitJob:
        job, measurements = heard(name, budget, **options)
        config = sized(budget, {key: value for key, value in options.items() if key not in ("clips", "samples")})
        request = fit_request(job.prepared, config)
        return priced(FitJob(job.prepared, measurements, request, job.shares, limits=job.limits))

    return make


def sized(budget: str | int | None, options: dict[str, object]) -> QuantizeConfig:
    """Options, at 4 bits where they name no size, and of the recipe that measures least where they name none."""
    options = {"recipe": "paper-file", **options}
    named = budget is not None or {"avg_bits", "uniform_bits", "allocation"} & set(options)
    return resolve_config(budget, **(options if named else {"uniform_bits": 4, **options}))


@pytest.fixture(scope="session")
def statistics_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs of a session share what the observers saw."""
    return tmp_path_factory.mktemp("statistics")


@pytest.fixture
def compile_model(
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    statistics_folder: Path,
    noise: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> CompileModel:
    """Runs the pipeline on a model of ``make_speech_model`` and on ``noise``; options as for ``resolve_config``,
    whose recipe is ``paper-file`` where none is named.

    A model is captured and observed once for all tests; with ``cache=None`` it is observed again.
    """
    monkeypatch.setattr(request, "prepare", captured_once)

    def compile_(
        name: str = "smallest",
        budget: str | int | None = None,
        limits: Limits = LOOSE,
        progress: Progress | None = None,
        **options: object,
    ) -> QuantizedBundle:
        config = resolve_config(budget, **{"cache": statistics_folder, "recipe": "paper-file", **options})
        speech, out = make_speech_model(name), tmp_path / "out"
        return pipeline.quantize(speech, noise, out=out, config=config, force=True, limits=limits, progress=progress)

    return compile_


@pytest.fixture(scope="session")
def make_whisper() -> NetworkMaker:
    """Makes a tiny Whisper of a kind of ``WHISPER_KINDS``; 20 encoder frames."""

    def make(kind: str) -> PreTrainedModel:
        torch.manual_seed(0)
        sizes = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 2}
        sizes |= {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
        sizes |= {"encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_source_positions": 20, "max_target_positions": 32}
        tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 3}
        config = WhisperConfig(**sizes, **tokens, **WHISPER_KINDS[kind], begin_suppress_tokens=None)
        return WhisperForConditionalGeneration(config).eval()

    return make


@pytest.fixture(scope="session")
def make_ctc() -> NetworkMaker:
    """Makes a tiny CTC encoder of a kind of ``CTC_KINDS``; two frames need 120 samples."""

    def make(kind: str) -> PreTrainedModel:
        torch.manual_seed(0)
        config_class, network_class, options = CTC_KINDS[kind]
        sizes = {"vocab_size": 12, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        sizes |= {"intermediate_size": 64, "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2}
        convolutions = {"conv_dim": (16, 16, 16), "conv_kernel": (10, 8, 4), "conv_stride": (5, 4, 2)}
        config = config_class(**(sizes | convolutions | {"num_feat_extract_layers": 3} | options))
        return network_class(config).eval()

    return make


@pytest.fixture(scope="session")
def corrupt() -> Callable[[Path, Path, str, str], None]:
    """Copies model files from one folder to another with one wrong number in ``part`` of ``layer``.

    Twice a scale, or the highest bit of a code or of a zero point.
    """

    def copy(source: Path, target: Path, layer: str, part: str) -> None:
        found = 0
        for path in source.glob("*.onnx"):
            model = onnx.load(path)
            for tensor in model.graph.initializer:
                if tensor.name.startswith(f"{layer}.0.{part}") and not found:
                    raw = bytearray(tensor.raw_data)
                    raw[len(raw) // 2 | 1] ^= 0x04 if part == "scale" else 0x80  # odd: the upper half of a float16
                    tensor.raw_data = bytes(raw)
                    found += 1
            onnx.save(model, target / path.name)
        assert found == 1, f"no {part} of {layer}"

    return copy


_BLOCKS = (BlockRecord(0, 64, 5, "group:64", False), BlockRecord(64, 128, 4, "group:64", False))


def _layer(index: int) -> LayerRecord:
    part = "encoder" if index < 12 else "decoder"
    name = f"model.{part}.layers.{index}.fc1"
    return LayerRecord(name, "linear", (128, 64), 4.5, _BLOCKS, "rtn", 0.1 * (index + 1), 4_700, "low-bit kernel")


@pytest.fixture
def manifest() -> BundleManifest:
    """Of a small made-up bundle, so that pages need no compilation."""
    config = replace(resolve_config("100KB", rounding="gptq"), order="ascending")
    product = LayerRecord("model.encoder.layers.0.qk", "matmul", (), None, (), None, 2.5, 0, "kept in float")
    kept = LayerRecord(
        "model.head", "linear", (10, 64), 16.0, (BlockRecord(0, 10, 16, None, False),), None, 0.5, 1280, "kept in float"
    )
    return BundleManifest(
        format_version=FORMAT_VERSION,
        model="tiny <model> & co",
        fingerprint="ab" * 32,
        family="whisper",
        config=config.as_dict(),
        budget_bytes=100_000,
        model_bytes=90_000,
        num_weights=150_000,
        file_bits_per_weight=4.8,
        files=(
            FileRecord("encoder_model.onnx", 60_000, {"MatMulNBits": 3}, {"codes": 50_000, "graph": 10_000}),
            FileRecord("decoder_model_merged.onnx", 30_000, {}, {"codes": 25_000, "scales": 5_000}),
        ),
        session_options={},
        layers=(*(_layer(index) for index in range(16)), product, kept),
        calibration=CalibrationRecord(24, 61.0, "00" * 32, (), None),
        verification=VerificationRecord(4, 80, 1e-5, None, 2e-3, 0.9975),
        versions={"python": "3.11", "onnxruntime": "1.32"},
        acceptance=AcceptanceRecord(
            verdict="rejected",
            failed=("token agreement 85.00% [78.00%, 89.00%], expected at least 90.00%",),
            held_out=True,
            note="only 80 words were heard: the rates are rough",
            clips=2,
            seconds=20.0,
            sha256="00" * 32,
            positions=100,
            agreement=0.85,
            agreement_ci95=(0.78, 0.89),
            kl=0.03,
            words=80,
            substitutions=0.01,
            deletions=0.0,
            insertions=0.0125,
            changes_ci95=(0.0, 0.04),
            loops=0,
            blanks=0,
            measures=(
                MeasureRecord("agreement", 0.85, 0.78, 0.89, 0.9, "fails"),
                MeasureRecord("kl", 0.03, 0.01, 0.08, 0.07, "undecided"),
                MeasureRecord("deletions", 0.0, 0.0, 0.09, 0.1, "holds"),
                MeasureRecord("insertions", 0.0125, 0.0, 0.11, 0.1, "undecided"),
            ),
            advice=("--effort high looks longer for codes, in the same bytes", "more recordings"),
        ),
    )
