"""A small made-up bundle, so that pages need no compilation."""

import pytest

from myqasr_fx.acceptance import AcceptanceRecord
from myqasr_fx.acceptance.compare import ClipComparison, WordEdits
from myqasr_fx.bundle import (
    FORMAT_VERSION,
    BlockRecord,
    BundleManifest,
    CalibrationRecord,
    FileRecord,
    LayerRecord,
    VerificationRecord,
)
from myqasr_fx.report.record import Histogram, LayerDetail, ReportDetails
from myqasr_fx.resolve import resolve_config

DETAIL = LayerDetail(Histogram(-3.0, -1.5, (1, 5, 2)), Histogram(0.0, 1.0, (3, 40, 50, 2)), 0.001, 21.5)
BLOCKS = (BlockRecord(0, 64, 5, "group:64", False), BlockRecord(64, 128, 4, "group:64", False))


def layer(index: int) -> LayerRecord:
    part = "encoder" if index < 12 else "decoder"
    name = f"model.{part}.layers.{index}.fc1"
    return LayerRecord(name, "linear", (128, 64), 4.5, BLOCKS, "rtn", 0.1 * (index + 1), 4_700, "low-bit kernel")


@pytest.fixture
def manifest() -> BundleManifest:
    config = resolve_config("100KB", order="ascending", rounding="gptq")
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
        layers=(*(layer(index) for index in range(16)), product, kept),
        calibration=CalibrationRecord(24, 61.0, "00" * 32, (), None),
        verification=VerificationRecord(4, 80, 1e-5, None, 2e-3, 0.9975),
        versions={"python": "3.11", "onnxruntime": "1.32"},
        acceptance=AcceptanceRecord(
            verdict="rejected",
            failed=("token agreement 95.00%, expected at least 96.00%",),
            held_out=True,
            note="only 80 words were heard: the rates are rough",
            clips=2,
            seconds=20.0,
            sha256="00" * 32,
            positions=100,
            agreement=0.95,
            agreement_ci95=(0.93, 0.97),
            kl=0.03,
            words=80,
            substitutions=0.01,
            deletions=0.0,
            insertions=0.0125,
            changes_ci95=(0.0, 0.04),
            loops=0,
            blanks=0,
        ),
    )


@pytest.fixture
def details(manifest: BundleManifest) -> ReportDetails:
    clips = (
        ClipComparison("a.wav", 8.0, "He said </script> <b>hi</b>.", "He said hi.", 50, 47, 2.0, WordEdits(4, 1, 1, 0), False, False),  # noqa: E501
        ClipComparison("b.wav", 12.0, "All the same.", "all the same", 50, 48, 1.0, WordEdits(3, 0, 0, 0), False, False),  # noqa: E501
    )  # fmt: skip
    return ReportDetails({layer.name: DETAIL for layer in manifest.layers[:16]}, clips)
