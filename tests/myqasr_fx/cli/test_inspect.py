import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from myqasr_fx.bundle.bundle import (
    FORMAT_VERSION,
    MANIFEST,
    BlockRecord,
    BundleManifest,
    CalibrationRecord,
    FileRecord,
    LayerRecord,
    QuantizedBundle,
    VerificationRecord,
)
from myqasr_fx.cli.app import main
from myqasr_fx.cli.views import summary
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.render import render_report

LAYERS = (
    LayerRecord(
        name="model.decoder.embed_tokens",
        op="linear",
        shape=(100, 64),
        bits=4.5,
        blocks=(BlockRecord(0, 50, 5, "group:64", False), BlockRecord(50, 100, 4, "group:64", False)),
        rounding="rtn",
        sensitivity=0.25,
        bytes=3_600,
        executes="low-bit kernel",
    ),
    LayerRecord("model.encoder.layers.0.self_attn.qk_matmul", "matmul", (), None, (), None, 1.5, 0, "kept in float"),
)
BUNDLE = BundleManifest(
    format_version=FORMAT_VERSION,
    model="whisper-tiny.en",
    fingerprint="00",
    family="whisper",
    config={"order": "ascending"},
    budget_bytes=10_000,
    model_bytes=9_900,
    num_weights=6_400,
    file_bits_per_weight=12.375,
    files=(FileRecord("model.onnx", 9_900, {"MatMulNBits": 1}),),
    session_options={},
    layers=LAYERS,
    calibration=CalibrationRecord(2, 61.0, "00", ("bad.wav: no audio",), "2 of 9 windows are used"),
    verification=VerificationRecord(4, 80, 1e-5, None, 2e-3, 0.9975),
    versions={},
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    BUNDLE.write(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"0" * 9_900)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["inspect", *arguments])
    return (int(stop.value.code or 0), *capsys.readouterr())


def test_shows_bytes_notes_and_every_layer(
    bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = run(capsys, str(bundle))
    assert code == 0
    for text in ("9,900 of 10,000 (99.0%)", "99.75%", "1 min 01 s", "2 of 9 windows", "bad.wav: no audio"):
        assert text in out
    (row,) = (line for line in out.splitlines() if "embed_tokens" in line)
    assert row.split() == "model.decoder.embed_tokens linear 100x64 5/4 group:64 0.25 3,600 low-bit kernel".split()
    (row,) = (line for line in out.splitlines() if "qk_matmul" in line)
    assert "kept in float" in row
    assert out.index("qk_matmul") < out.index("9,900 of 10,000"), "a long table must not scroll the summary away"
    assert "trellis" not in out


def test_a_width_of_trellis_codes_is_explained(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = tuple(replace(block, format="trellis") for block in LAYERS[0].blocks)
    replace(BUNDLE, layers=(replace(LAYERS[0], blocks=blocks), LAYERS[1])).write(bundle)
    out = run(capsys, str(bundle))[1]
    assert "5t/4t" in out
    assert "t: trellis codes" in out.splitlines()


def test_counts_layers_as_the_report_does(manifest: BundleManifest, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=200, highlight=False)
    console.print(summary(QuantizedBundle(Path("bundle"), manifest)))
    assert "scales included; 17 of 18 layers hold weights, at 4, 5, 16 bits" in capsys.readouterr().out
    weights = tuple(layer for layer in manifest.layers if layer.blocks)
    console.print(summary(QuantizedBundle(Path("bundle"), replace(manifest, layers=weights))))
    assert "scales included; 17 layers at 4, 5, 16 bits" in capsys.readouterr().out
    page = render_report(manifest, ReportDetails({}, None))
    assert "18 layers, 4.80 bits a weight" in page


def test_json_is_the_manifest_and_the_path(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, str(bundle), "--json")
    assert code == 0
    assert json.loads(out) == {"path": str(bundle), **json.loads((bundle / MANIFEST).read_text())}


def test_bundle_without_a_budget(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(BUNDLE, budget_bytes=None).write(bundle)
    assert "9,900\n" in run(capsys, str(bundle))[1].replace(" ", "")


def test_a_budget_of_weight_bits_is_not_one_of_files(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    replace(BUNDLE, budget_bytes=3_200, config={"budget": {"kind": "paper"}}).write(bundle)
    out = run(capsys, str(bundle))[1]
    assert "9,900 in files; the budget of 3,200 counts bits of weights" in out
    assert "309" not in out  # per cent


@pytest.mark.parametrize("damage", ["missing", "no json", "no manifest", "old", "cut"])
def test_what_is_no_bundle_is_one_line(bundle: Path, damage: str, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, model = bundle / MANIFEST, bundle / "model.onnx"
    if damage == "missing":
        bundle = bundle / "none"
    elif damage == "no json":
        manifest.write_text("{")
    elif damage == "no manifest":
        manifest.write_text("[]")
    elif damage == "old":
        manifest.write_text(manifest.read_text().replace('"format_version": 1', '"format_version": 99'))
    else:
        model.write_bytes(b"0")
    code, out, err = run(capsys, str(bundle))
    assert (code, out, err.count("\n")) == (2, "", 1)
