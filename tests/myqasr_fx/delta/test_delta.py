"""Deltas: made from a base, and applied to it they give the bundle again; anything else is refused in one line."""

from __future__ import annotations

import json
import lzma
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import soundfile

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.cli.app import main
from myqasr_fx.delta.apply import apply_delta
from myqasr_fx.delta.record import CONTENT, RECORD, DeltaRecord
from myqasr_fx.errors import BundleError, MyqasrError, OptionError
from myqasr_fx.fit import frozen, request
from myqasr_fx.fleet.quantize_many import run_fleet
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Silent
from myqasr_fx.report.reproduce import command
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight

LIMITS = Limits(spare_bytes=1 << 14)
ANYTHING = {"min_agreement": 0.0, "max_kl": 99.0, "max_deletions": 1.0, "max_insertions": 9.0}
ANYTHING |= {"max_loops": 1.0, "max_blanks": 1.0}
"""Bounds that noise in two bits holds."""

REPORTS = {"report.html", "report.json", "run.json"}


@pytest.fixture(scope="session")
def two(
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with a ``base`` on white noise and ``user``, made from it on brown noise."""
    random, folder = np.random.default_rng(0), tmp_path_factory.mktemp("two")
    white = [random.normal(0, 0.1, 16_000).astype(np.float32) for _ in range(4)]
    brown = [0.3 * np.cumsum(clip) / np.abs(np.cumsum(clip)).max() for clip in white]
    how = {"recipe": "paper-file", "rounding": "gptq", "sequential": True, "symmetric": True}
    base = resolve_config(uniform_bits=2, **how, **ANYTHING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "prepare", captured_once)
        speech = make_speech_model("smallest")
        pipeline.quantize(speech, white, out=folder / "base", config=base, limits=LIMITS)
        own = resolve_config(delta=folder / "base")
        clips = [clip.astype(np.float32) for clip in brown]
        pipeline.quantize(speech, clips, out=folder / "user", config=own, limits=LIMITS)
    return folder


@pytest.fixture
def mine(two: Path, tmp_path: Path) -> Path:
    """A copy of ``two`` to spoil."""
    shutil.copytree(two, tmp_path / "mine")
    return tmp_path / "mine"


def tensors(bundle: Path) -> dict[str, bytes]:
    return {t.name: t.raw_data for t in onnx.load(bundle / "model.onnx").graph.initializer}


def record(folder: Path, **changes: object) -> None:
    path = folder / "user" / "delta" / RECORD
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def files(folder: Path, **changes: object) -> list[dict[str, object]]:
    """Those of the record, the first of them changed."""
    first, *others = json.loads((folder / "user" / "delta" / RECORD).read_text())["files"]
    return [first | changes, *others]


def test_codes_and_widths_stay_and_floats_are_the_users(two: Path) -> None:
    base, user = tensors(two / "base"), tensors(two / "user")
    assert base.keys() == user.keys()
    changed = {name for name in base if base[name] != user[name]}
    assert changed and all(name.endswith((".scale", ".bias")) for name in changed)
    manifests = [QuantizedBundle.open(two / name).manifest for name in ("base", "user")]
    assert manifests[0].layers == manifests[1].layers
    assert manifests[0].calibration.sha256 != manifests[1].calibration.sha256
    assert manifests[1].calibration.decides == ("scales", "biases")
    assert manifests[1].verification.exact_error < 1e-4


def test_gives_the_same_bytes(two: Path, tmp_path: Path) -> None:
    made = apply_delta(two / "base", two / "user" / "delta", tmp_path / "new" / "again")
    expected = {p.name: p.read_bytes() for p in (two / "user").iterdir() if p.is_file() and p.name not in REPORTS}
    assert {path.name: path.read_bytes() for path in made.path.iterdir()} == expected
    size = (two / "user" / "delta" / CONTENT).stat().st_size
    assert size < 0.2 * sum(map(len, expected.values()))
    (tmp_path / "copied").mkdir()
    shutil.copytree(two / "user" / "delta", tmp_path / "copied" / "ann")
    assert apply_delta(two / "base", tmp_path / "copied" / "ann", made.path, force=True).manifest == made.manifest


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda at: (at / "base" / "model.onnx").write_bytes(b"x" * 10), "expected .* bytes"),
        (lambda at: flip(at / "base" / "model.onnx"), "not the file that the delta was made from"),
        (lambda at: (at / "base" / "config.json").unlink(), "not the file that the delta was made from"),
        (lambda at: flip(at / "user" / "delta" / CONTENT), "missing or damaged"),
        (lambda at: cut(at / "user" / "delta" / CONTENT), "missing or damaged"),
        (lambda at: (at / "user" / "delta" / CONTENT).unlink(), "missing or damaged"),
        (lambda at: (at / "user" / "delta" / RECORD).unlink(), "is no delta"),
        (lambda at: (at / "user" / "delta" / RECORD).write_text("{"), "damaged"),
        (lambda at: record(at, format_version=2), "format version"),
        (lambda at: record(at, fingerprint="ab" * 32), "of another"),
        (lambda at: record(at, files=[]), "expected 1 to"),
        (lambda at: record(at, files=files(at, name="../x")), "relative path"),
        (lambda at: record(at, files=files(at, name="/tmp/x")), "relative path"),
        (lambda at: record(at, files=files(at, stored="link")), "stored"),
        (lambda at: record(at, files=files(at, sha256="zz")), "SHA-256"),
        (lambda at: record(at, files=files(at, sha256="ab" * 32)), "another SHA-256"),
        (lambda at: record(at, files=files(at, bytes=1 << 40)), "expected at most"),
        (lambda at: record(at, files=files(at, name="model.onnx/x")), "folder of another"),
        (lambda at: record(at, files=files(at, name="MODEL.onnx")), "each once"),
        (lambda at: record(at, gain={"clips": 1, "base": -1.0, "fitted": 1.0}), "expected at least 0"),
        (lambda at: bomb(at), "another SHA-256"),
    ],
)
def test_what_does_not_fit_is_refused(mine: Path, spoil: Callable[[Path], object], said: str) -> None:
    spoil(mine)
    with pytest.raises(BundleError, match=said) as caught:
        apply_delta(mine / "base", mine / "user" / "delta", mine / "out")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400
    assert sorted(path.name for path in mine.iterdir()) == ["base", "user"]


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def bomb(folder: Path) -> None:
    """A stream of far more bytes than the record tells, with the SHA-256 of itself."""
    import hashlib

    data = lzma.compress(bytes(1 << 24))
    (folder / "user" / "delta" / CONTENT).write_bytes(data)
    record(folder, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def test_places_that_would_be_lost_are_refused(mine: Path) -> None:
    base, delta = mine / "base", mine / "user" / "delta"
    for out, said in ((base, "is the base"), (mine / "user", "holds the delta")):
        with pytest.raises(OptionError, match=said):
            apply_delta(base, delta, out, force=True)
    with pytest.raises(MyqasrError, match="exists"):
        (mine / "there").mkdir()
        apply_delta(base, delta, mine / "there")


def test_the_command_applies(two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["apply", str(two / "base"), str(two / "user" / "delta"), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 0 and "bytes" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2 and "exists" in capsys.readouterr().err


def test_the_command_says_what_a_delta_is_worth(
    save_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(2).normal(0, 0.1, 16_000), 16_000)
    words, base = ["quantize", str(save_model("smallest")), str(tmp_path / "a.wav")], str(tmp_path / "base")
    with pytest.raises(SystemExit):
        main([*words, "--uniform-bits", "4", "--recipe", "paper-file", "--max-kl", "99", "--out", base])
    words += ["--delta", base]
    with pytest.raises(SystemExit) as stop:
        main([*words, "--out", str(tmp_path / "out")])
    gain = DeltaRecord.read(tmp_path / "out" / "delta").gain
    said = " ".join(capsys.readouterr().out.split())
    assert stop.value.code == 0 and gain.clips == 1
    assert f"{gain.base:.4g}" in said and f"{gain.fitted:.4g}" in said and "of the bundle" in said
    for more, about in ((["--budget", "9MB"], "budget with delta"), (["--dry-run"], "--dry-run with --delta")):
        with pytest.raises(SystemExit) as stop:
            main([*words, *more, "--out", str(tmp_path / "other")])
        assert stop.value.code == 2 and about in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_what_does_not_help_is_not_taken(
    two: Path,
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request, "prepare", captured_once)
    monkeypatch.setattr(frozen, "refit_scales", worse)
    clips = [np.random.default_rng(seed).normal(0, 0.1, 16_000).astype(np.float32) for seed in range(3)]
    out, config = tmp_path / "out", resolve_config(delta=two / "base")
    pipeline.quantize(make_speech_model("smallest"), clips, out=out, config=config, limits=LIMITS)
    assert not DeltaRecord.read(out / "delta").gain.taken
    assert (out / "model.onnx").read_bytes() == (two / "base" / "model.onnx").read_bytes()


def worse(weight: object, known: QuantizedWeight, gram: object) -> QuantizedWeight:
    """Twice the scales."""
    blocks = tuple(
        replace(block, qparams=replace(block.qparams, scale=2 * block.qparams.scale))
        if isinstance(block, QuantizedBlock)
        else block
        for block in known.blocks
    )
    return QuantizedWeight(known.shape, blocks)


def test_a_fleet_makes_a_delta_for_each(
    two: Path, make_speech_model: Callable[[str], SpeechModel], captured_once: object, tmp_path: Path
) -> None:
    users = {}
    for seed, name in enumerate(("ann", "bob")):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", np.random.default_rng(seed).normal(0, 0.1, 16_000), 16_000)
        users[name] = [tmp_path / name]
    config = resolve_config(delta=two / "base")
    rows = run_fleet(make_speech_model("smallest"), users, tmp_path / "out", config, Silent(), LIMITS)
    assert [row.error for row in rows] == [None, None]
    for name in users:
        made = apply_delta(two / "base", tmp_path / "out" / name / "delta", tmp_path / "again" / name)
        assert made.manifest == QuantizedBundle.open(tmp_path / "out" / name).manifest


def test_bases_that_no_delta_is_made_from(
    mine: Path, make_speech_model: Callable[[str], SpeechModel], monkeypatch: pytest.MonkeyPatch, captured_once: object
) -> None:
    monkeypatch.setattr(request, "prepare", captured_once)
    clips = [np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)]
    path = mine / "base" / "myqasr.json"
    whole = json.loads(path.read_text())

    def refusal(out: str = "out", **changes: object) -> str:
        path.write_text(json.dumps(whole | changes))
        config = resolve_config(delta=mine / "base")
        with pytest.raises(MyqasrError) as caught:
            pipeline.quantize(make_speech_model("smallest"), clips, out=mine / out, config=config, force=True)
        assert sorted(found.name for found in mine.iterdir()) == ["base", "user"]
        return str(caught.value)

    assert "a bundle of smallest, not of this model" in refusal(fingerprint="ab" * 32)
    assert "8-bit inputs" in refusal(config=whole["config"] | {"optimize": "speed"})
    assert "verdict is rejected" in refusal(acceptance=whole["acceptance"] | {"verdict": "rejected"})
    assert "layers are not those of the model" in refusal(layers=whole["layers"][1:])
    assert "is the base" in refusal(out="base")


def test_options_that_the_base_has_decided_are_refused(two: Path) -> None:
    for options in ({"budget": "24MB"}, {"effort": "high"}, {"layout": "onnx-asr"}, {"keep": ["*=8"]}, {"min_bits": 3}):
        with pytest.raises(OptionError, match="with delta: widths, codes and graphs are those of"):
            resolve_config(delta=two / "base", **options)
    config = resolve_config(delta=two / "base", max_kl=0.5, private=True, max_clips=7)
    assert (config.acceptance.max_kl, config.private, config.max_clips, config.symmetric) == (0.5, True, 7, True)
    assert config.budget.uniform_bits == 2
    assert config.as_dict()["delta"] == QuantizedBundle.open(two / "base").digest
    most = "--max-kl 99.0 --max-deletions 1.0 --max-insertions 9.0 --max-loops 1.0 --max-blanks 1.0"
    assert command(QuantizedBundle.open(two / "user").manifest) == (
        f"myqasr quantize smallest --audio RECORDINGS --delta BASE --min-agreement 0.0 {most} --out BUNDLE"
    )
    told = replace(QuantizedBundle.open(two / "user").manifest, config=config.as_dict())
    assert all(text in command(told) for text in ("--private", "--max-clips 7", "--max-kl 0.5"))
    assert resolve_config("9MB", rules=two / "user").delta is None
    with pytest.raises(BundleError, match="is no bundle"):
        resolve_config(delta=two)
