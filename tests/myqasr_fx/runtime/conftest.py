"""Bundles of unquantized tiny models, made once for all tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx_ir as ir
import pytest

from myqasr_fx.bundle.bundle import (
    FORMAT_VERSION,
    BundleManifest,
    CalibrationRecord,
    FileRecord,
    VerificationRecord,
)
from myqasr_fx.capture import signatures
from myqasr_fx.export.to_onnx import to_onnx
from myqasr_fx.models.speech_model import SpeechModel


def write_bundle(folder: Path, model: SpeechModel) -> Path:
    model.save_configs(folder)
    graphs, files = model.capture().graphs, []
    for name, signature in signatures(model.config).items():
        ir.save(to_onnx(graphs[name], signature, opset=21), folder / f"{name}.onnx")
        files.append(FileRecord(f"{name}.onnx", (folder / f"{name}.onnx").stat().st_size, {}))
    BundleManifest(
        format_version=FORMAT_VERSION,
        model=model.name,
        fingerprint=model.fingerprint,
        family=model.family.name,
        config={},
        budget_bytes=None,
        model_bytes=sum(file.bytes for file in files),
        num_weights=1,
        file_bits_per_weight=32.0,
        files=tuple(files),
        session_options={},
        layers=(),
        calibration=CalibrationRecord(0, 0.0, "", (), None),
        verification=VerificationRecord(0, 0, 0.0, None, 0.0, 1.0),
        versions={},
    ).write(folder)
    return folder


@pytest.fixture(scope="session")
def unquantized() -> Callable[[Path, SpeechModel], Path]:
    """Writes a bundle of a model as it is."""
    return write_bundle


@pytest.fixture(scope="session")
def models(make_speech_model: Callable[[str], SpeechModel]) -> list[SpeechModel]:
    return [make_speech_model("whisper-multilingual"), make_speech_model("smallest")]


@pytest.fixture(scope="session")
def bundles(models: list[SpeechModel], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [write_bundle(tmp_path_factory.mktemp(model.name), model) for model in models]
