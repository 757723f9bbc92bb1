"""What ``myqasr.json`` says, and what reading it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.bundle.bundle import MANIFEST, BundleManifest, QuantizedBundle
from myqasr_fx.bundle.byte_category import Category
from myqasr_fx.errors import BundleError
from myqasr_fx.fit.manifest import TOOLS


@pytest.fixture
def bundle(compile_model: Callable[..., QuantizedBundle]) -> QuantizedBundle:
    return compile_model(uniform_bits=4)


def test_content_and_errors(bundle: QuantizedBundle, tmp_path: Path) -> None:
    made = bundle.manifest
    assert BundleManifest.read(bundle.path) == made
    assert made.config["granularity"] == "group:64"
    assert made.config["budget"] == {"bytes": None, "avg_bits": None, "uniform_bits": 4, "kind": "file"}
    assert set(made.versions) == {"python", "myqasr_fx", *TOOLS}
    assert (made.calibration.clips, made.calibration.seconds, made.calibration.rejected) == (4, 4.0, ())
    assert made.file_bits_per_weight == pytest.approx(8 * made.model_bytes / made.num_weights, abs=1e-3)
    assert sum(layer.bytes for layer in made.layers) < made.model_bytes
    assert str(tmp_path) not in (bundle.path / MANIFEST).read_text()  # nothing of this machine
    for layer in made.layers:
        assert (layer.bits is None) == (layer.op == "matmul") == (layer.blocks == ())
        assert layer.sensitivity > 0
    _every_byte_has_a_category(bundle)
    _refusals(bundle.path)


def _every_byte_has_a_category(bundle: QuantizedBundle) -> None:
    made = bundle.manifest
    for file in made.files:
        assert sum(file.categories.values()) == file.bytes == (bundle.path / file.name).stat().st_size
        assert file.sha256 is not None
    bundle.check_bytes()
    spent = made.categories
    assert list(spent) == [str(category) for category in Category if str(category) in spent]
    assert spent["codes"] + spent["scales"] + spent["zero points"] == sum(layer.bytes for layer in made.layers)


def _refusals(folder: Path) -> None:
    """Every way in which a bundle can be damaged has its own line."""
    good = (folder / MANIFEST).read_text()
    content = json.loads(good)
    del content["layers"][0]["bits"]
    for damaged, words in (
        (good[:-30], "is not JSON"),
        ("[]", "format version None, expected 1"),
        (good.replace('"format_version": 1', '"format_version": 2'), "format version 2, expected 1"),
        (json.dumps(content), "damaged: .*bits"),
    ):
        (folder / MANIFEST).write_text(damaged)
        with pytest.raises(BundleError, match=words):
            QuantizedBundle.open(folder)
    (folder / MANIFEST).write_text(good)
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"0")
    with pytest.raises(BundleError, match=r"model\.onnx: \d+ bytes, expected \d+"):
        QuantizedBundle.open(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx: missing"):
        QuantizedBundle.open(folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(BundleError, match="is no bundle"):
        QuantizedBundle.open(folder)
