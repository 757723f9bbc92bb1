"""The bundle in tests/data, kept from an earlier state of the compiler: it opens, and broken copies are one line.

It was compiled from the CTC model ``smallest`` of tests/conftest.py with ``uniform_bits=4`` on four clips of noise.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from myqasr_fx.bundle.bundle import MANIFEST, MAX_LAYERS, QuantizedBundle
from myqasr_fx.bundle.file_names import digest_of
from myqasr_fx.bundle.session_options import ACCURACY_LEVEL
from myqasr_fx.cli.app import main
from myqasr_fx.errors import BundleError

KEPT = Path(__file__).parents[2] / "data" / "bundle"
MOST_BYTES = 200_000

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy that may be broken."""
    return Path(shutil.copytree(KEPT, tmp_path / "bundle"))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 8_000).astype(np.float32), 16_000)
    return tmp_path / "a.wav"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        return (int(stop.value.code or 0), *capsys.readouterr())

    return call


def change(path: Path, *places: str | int, to: Any) -> None:
    """Replaces one value of a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    inner = content
    for place in places[:-1]:
        inner = inner[place]
    inner[places[-1]] = to
    path.write_text(json.dumps(content), encoding="utf-8")


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in KEPT.rglob("*") if path.is_file()) < MOST_BYTES


def test_it_opens_with_every_command(bundle: Path, recording: Path, run: Run) -> None:
    code, out, _ = run("inspect", bundle, "--json")
    told, kept = json.loads(out), json.loads((bundle / MANIFEST).read_text())
    assert code == 0 and told.pop("path") == str(bundle)
    assert told["calibration"].pop("decides") is None  # an earlier version did not say
    unsaid = {"measures": [], "more_seconds": None, "judged": [], "advice": []}  # nor of what sureness
    assert {name: told["acceptance"].pop(name) for name in unsaid} == unsaid
    assert [file.pop("sha256") for file in told["files"]] == [None]
    assert {block.pop("format") for layer in told["layers"] for block in layer["blocks"]} == {"affine"}
    assert told == kept
    code, out, _ = run("inspect", bundle)
    assert code == 0
    assert "low-bit kernel" in out
    assert "rejected: 75.50% of 200 tokens" in out
    (bundle / "report.html").unlink()
    assert run("report", bundle)[:2] == (0, f"{bundle / 'report.html'}\n")
    assert "Transcripts" in (bundle / "report.html").read_text(encoding="utf-8")
    code, out, _ = run("transcribe", bundle, recording, "--json")
    (said,) = json.loads(out)["transcripts"]
    assert (code, said["seconds"]) == (0, 0.5)
    assert set(said["text"]) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ' ") and said["text"]


MEASURE = {"name": "agreement", "value": 0.9, "low": 0.8, "high": 0.95, "bound": 0.9, "state": "undecided"}

BROKEN: list[tuple[tuple[str | int, ...], Any]] = [
    (("model",), 3),
    (("model",), None),
    (("family",), "rnn"),
    (("config",), []),
    (("budget_bytes",), 0),
    (("model_bytes",), 0),
    (("num_weights",), 0),
    (("num_weights",), 2.5),
    (("file_bits_per_weight",), -1),
    (("files",), {}),
    (("files", 0), None),
    (("files", 0, "name"), 7),
    (("files", 0, "name"), "../model.onnx"),
    (("files", 0, "name"), "/etc/passwd"),
    (("files", 0, "bytes"), "many"),
    (("files", 0, "categories"), {"codes": -1}),
    (("session_options",), {"session.collect_node_memory_stats_to_file": "stats"}),
    (("session_options",), {ACCURACY_LEVEL: 1}),
    (("layers",), None),
    (("layers", 0, "shape"), 3),
    (("layers", 0, "name"), ["a"]),
    (("layers", 0, "blocks", 0, "stop"), -1),
    (("layers", 0, "sensitivity"), float("nan")),
    (("layers", 0, "sensitivity"), 1e300),
    (("layers",), [{}] * 3),
    (("calibration", "rejected"), "a.wav"),
    (("calibration", "seconds"), float("inf")),
    (("verification",), []),
    (("verification", "tokens"), -1),
    (("acceptance", "verdict"), "perhaps"),
    (("acceptance", "clips"), 0),
    (("acceptance", "agreement_ci95"), [0.5]),
    (("acceptance", "agreement"), 1.5),
    (("acceptance", "measures"), [{}]),
    (("acceptance", "measures"), [{**MEASURE, "name": "charm"}]),
    (("acceptance", "measures"), [{**MEASURE, "state": "perhaps"}]),
    (("acceptance", "measures"), [{**MEASURE, "high": 0.5}]),
    (("acceptance", "judged"), [1]),
    (("acceptance", "more_seconds"), -1),
    (("versions",), {"torch": 2}),
    (("format_version",), True),
    (("format_version",), "1"),
    (("format_version",), [1]),
    (("colour",), "red"),
    (("acceptance", "colour"), "red"),
]


@pytest.mark.parametrize(("places", "value"), BROKEN, ids=lambda value: str(value)[:40])
def test_a_broken_manifest_is_one_line_of_every_command(
    places: tuple[str | int, ...], value: Any, bundle: Path, recording: Path, run: Run
) -> None:
    change(bundle / MANIFEST, *places, to=value)
    page = bundle / "page.html"
    for command in (("inspect", bundle), ("report", bundle, "--out", page), ("transcribe", bundle, recording)):
        code, out, err = run(*command)
        assert (code, out) == (2, "")
        assert MANIFEST in err.splitlines()[-1]
        assert len(err.splitlines()[-1]) < 300
    assert not page.exists()


def test_what_no_reader_takes_is_not_written(tmp_path: Path) -> None:
    manifest = QuantizedBundle.open(KEPT).manifest
    layers = (replace(manifest.layers[0], sensitivity=float("nan")), *manifest.layers[1:])
    with pytest.raises(BundleError, match="a number is not finite"):
        replace(manifest, layers=layers).write(tmp_path)
    assert not list(tmp_path.iterdir())


def test_too_many_layers_are_refused(bundle: Path) -> None:
    layers = json.loads((bundle / MANIFEST).read_text())["layers"]
    change(bundle / MANIFEST, "layers", to=layers[:1] * (MAX_LAYERS + 1))
    with pytest.raises(BundleError, match="layers: 10001, expected at most 10000"):
        QuantizedBundle.open(bundle)


@pytest.mark.parametrize("text", ["", "{", "null", "3", "[" * 200_000, "\x00", '"\\ud800"'])
@pytest.mark.parametrize("name", [MANIFEST, "report.json", "config.json", "preprocessor_config.json", "vocab.json"])
def test_a_file_that_is_no_object_is_one_line(name: str, text: str, bundle: Path, recording: Path, run: Run) -> None:
    (bundle / name).write_text(text)
    command = ("report", bundle) if name == "report.json" else ("transcribe", bundle, recording)
    code, out, err = run(*command)
    assert (code, out) == (2, "")
    assert name in err.splitlines()[-1]
    assert len(err.splitlines()[-1]) < 300


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("config.json", "pad_token_id", "0"),
        ("config.json", "pad_token_id", None),
        ("preprocessor_config.json", "sampling_rate", 8_000),
        ("preprocessor_config.json", "sampling_rate", "x"),
        ("preprocessor_config.json", "feature_extractor_type", ["a" * 1000]),
        ("vocab.json", "A", None),
        ("vocab.json", "A", "x"),
        ("tokenizer_config.json", "added_tokens_decoder", []),
        ("tokenizer_config.json", "added_tokens_decoder", {"x": {}}),
        ("tokenizer_config.json", "additional_special_tokens", 3),
        ("tokenizer_config.json", "pad_token", {"text": "<pad>"}),
    ],
)
def test_configurations_of_other_types_are_one_line(
    name: str, place: str, value: Any, bundle: Path, recording: Path, run: Run
) -> None:
    change(bundle / name, place, to=value)
    code, out, err = run("transcribe", bundle, recording)
    assert (code, out) == (2, "")
    assert name.partition("_")[0] in err.splitlines()[-1]
    assert len(err.splitlines()[-1]) < 300


def test_a_manifest_writes_no_file_where_it_likes(bundle: Path, recording: Path, tmp_path: Path, run: Run) -> None:
    stats = tmp_path / "stats"
    change(bundle / MANIFEST, "session_options", to={"session.collect_node_memory_stats_to_file": str(stats)})
    assert run("transcribe", bundle, recording)[0] == 2
    assert not stats.exists()


def test_a_model_that_is_a_link_out_is_refused(bundle: Path, recording: Path, tmp_path: Path, run: Run) -> None:
    shutil.move(bundle / "model.onnx", tmp_path / "elsewhere")
    (bundle / "model.onnx").symlink_to(tmp_path / "elsewhere")
    code, _, err = run("transcribe", bundle, recording)
    assert (code, "leads out of the bundle" in err) == (2, True)


@pytest.mark.parametrize("content", [b"", b"\x00" * 99, b"\xff" * 99])
def test_a_model_file_that_is_none_is_one_line(content: bytes, bundle: Path, recording: Path, run: Run) -> None:
    (bundle / "model.onnx").write_bytes(content)
    change(bundle / MANIFEST, "files", 0, "bytes", to=len(content))
    code, out, err = run("transcribe", bundle, recording)
    assert (code, out) == (2, "")
    assert "model.onnx" in err.splitlines()[-1]
    assert len(err.splitlines()[-1]) < 300


def test_changed_bytes_of_the_same_size_are_found_by_inspect(bundle: Path, run: Run) -> None:
    model = bundle / "model.onnx"
    assert run("inspect", bundle)[0] == 0  # of an earlier version, without a digest
    change(bundle / MANIFEST, "files", 0, "sha256", to=digest_of(model))
    assert run("inspect", bundle)[0] == 0
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    code, out, err = run("inspect", bundle)
    assert (code, out) == (2, "")
    assert "model.onnx: changed since it was verified" in err.splitlines()[-1]


def test_a_bundle_is_one_line(bundle: Path) -> None:
    opened = QuantizedBundle.open(bundle)
    assert repr(opened) == f"QuantizedBundle({str(bundle)!r}: {opened.manifest.model_bytes:,} bytes, rejected)"
    unjudged = replace(opened, path=Path("a\nb"), manifest=replace(opened.manifest, acceptance=None))
    assert repr(unjudged) == f"QuantizedBundle('a\\nb': {opened.manifest.model_bytes:,} bytes, not judged)"
