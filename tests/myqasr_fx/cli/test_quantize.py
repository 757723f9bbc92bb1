import json
from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import BundleManifest, QuantizedBundle
from myqasr_fx.bundle.verdict_record import ACCEPTED, REJECTED, UNCERTAIN, AcceptanceRecord
from myqasr_fx.cli.app import main
from myqasr_fx.cli.quantize import exit_code
from myqasr_fx.fit.plan import Plan, PlannedLayer

RECORD = AcceptanceRecord(
    verdict=ACCEPTED,
    failed=(),
    held_out=True,
    note=None,
    clips=2,
    seconds=20.0,
    sha256="00",
    positions=100,
    agreement=0.98,
    agreement_ci95=(0.97, 0.99),
    kl=0.01,
    words=80,
    substitutions=0.01,
    deletions=0.0,
    insertions=0.0,
    changes_ci95=(0.0, 0.02),
    loops=0,
    blanks=0,
)
BASE = ["quantize", "whisper-tiny.en", "--audio", __file__]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no size was given: give --budget, such as 24MB, or --avg-bits, --uniform-bits"),
        (["--budget", "24MB", "--avg-bits", "4"], "got budget and avg-bits"),
        (["--budget", "24 bananas"], "'24 bananas' is not a size"),
        (["--budget", "0"], "expected 1 byte"),
        (["--budget", "24"], "a budget of 24 bytes holds no model (did you mean 24MB?)"),
        (["--budget", "24.5"], "did you mean 24.5MB?"),
        (["--budget", "-5MB"], "'-5MB' is not a size"),
        (["--uniform-bits", "9"], "uniform bits 9: expected 1 to 8"),
        (["--uniform-bits", "four"], "valid integer"),
        (["--budget", "24MB", "--sensitivity", "kl@9"], "write kl@4, 1 to 8 bits"),
        (["--uniform-bits", "4", "--allocation", "optimal"], "take --allocation uniform"),
        (["--budget", "24MB", "--allocation", "linear"], "budget with allocation 'linear'"),
        (["--budget", "24MB", "--rounding", "refine"], "unknown rounding 'refine'"),
        (
            ["--budget", "24MB", "--rounding", "refined", "--calibration", "cosine"],
            "calibration 'cosine' with rounding 'refined', which searches scales itself",
        ),
        (["--budget", "24MB", "--sensitivity", "colour"], "unknown sensitivity 'colour'"),
        (["--budget", "24MB", "--order", "sideways"], "order 'sideways'"),
        (["--budget", "24MB", "--granularity", "group:7"], "group size 7"),
        (["--budget", "24MB", "--activations", "int8"], "granularity group:64 with int8 activations"),
        (["--budget", "24MB", "--opset", "13"], "opset 13: expected 21 to 25"),
        (["--budget", "24MB", "--rules", "/nowhere.toml"], "No such file"),
        (["--budget", "24MB", "--bogus"], "No such option: --bogus"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*BASE, "--out", str(tmp_path / "out"), *options])
    out, err = capsys.readouterr()
    assert (stop.value.code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--min-agreement", "1.5"], "min agreement 1.5: expected 0 to 1"),
        (["--max-kl", "-1"], "max kl -1.0: expected a number of at least 0"),
        (["--holdout", "1"], "holdout 1.0: expected a share"),
    ],
)
def test_bad_bounds_are_one_line(options: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*BASE, "--out", "/nowhere", "--budget", "24MB", *options])
    _, err = capsys.readouterr()
    assert (stop.value.code, err.count("\n")) == (2, 1)
    assert message in err


def test_only_a_rejected_bundle_changes_the_exit_code() -> None:
    assert exit_code(None) == 0
    assert exit_code(RECORD) == 0
    assert exit_code(replace(RECORD, verdict=UNCERTAIN)) == 0
    assert exit_code(replace(RECORD, verdict=REJECTED)) == 3


@pytest.mark.parametrize("command", ["quantize", "inspect"])
def test_quantize_and_inspect_say_the_same_of_a_verdict(
    command: str,
    manifest: BundleManifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tip = "about 1 min 00 s more held-out speech would decide: give 4 min 00 s of further recordings"
    assert manifest.acceptance is not None
    doubt = replace(manifest.acceptance, verdict=UNCERTAIN, failed=(), more_seconds=60.0, advice=(tip,))
    monkeypatch.setenv("COLUMNS", "200")
    for record, code in ((manifest.acceptance, 3), (doubt, 0)):
        made = replace(manifest, acceptance=record)
        bundle = QuantizedBundle(tmp_path, made)
        made.write(tmp_path)
        for file in made.files:
            (tmp_path / file.name).write_bytes(bytes(file.bytes))
        monkeypatch.setattr(pipeline, "quantize", lambda *_, made=bundle, **__: made)
        arguments = [*BASE, "--budget", "24MB", "--out", "x"] if command == "quantize" else ["inspect", str(tmp_path)]
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        assert (stop.value.code or 0) == (code if command == "quantize" else 0)
        out = " ".join(capsys.readouterr().out.split())
        assert f"verdict {record.verdict}: 85.00% of 100 tokens as at full precision on 2 held-out clips" in out
        assert "undecided: divergence 0.0300 nats [0.0100, 0.0800] nats, expected at most 0.07 nats" in out
        assert (tip in out) is (record is doubt)
        steps = "what would help, in this order: 1. --effort high looks longer for codes, in the same bytes 2. more"
        assert (steps in out) is (record is not doubt)


def test_a_dry_run_shows_the_plan_and_needs_no_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = (
        PlannedLayer("model.fc1", "linear", (64, 32), 4.5, ((5, 32), (4, 32)), 0.25),
        PlannedLayer("model.qk", "matmul", (), None, (), 1.5),
    )
    monkeypatch.setattr(
        pipeline, "plan", lambda *_, **__: Plan("tiny", 2_000, 1_900, 2_048, 3, ("a.wav: is no audio",), layers)
    )
    options = ["--budget", "24MB", "--dry-run"]
    for extra in ([], ["--json"]):
        with pytest.raises(SystemExit) as stop:
            main([*BASE, *options, *extra])
        assert not stop.value.code
    text, _, data = capsys.readouterr().out.partition("{")
    assert "1,900 of 2,000 bytes predicted" in text
    assert "32 at 5, 32 at 4" in text
    assert "not used: a.wav: is no audio" in text
    assert json.loads("{" + data)["layers"][0]["rows"] == [[5, 32], [4, 32]]


def test_recordings_are_needed_and_may_stand_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["quantize", "whisper-tiny.en", "--budget", "2000", "--dry-run"])
    assert stop.value.code == 2
    assert "no recordings (give --audio" in capsys.readouterr().err
    heard: list[list[Path]] = []

    def fake(_: str, audio: list[Path], **__: object) -> Plan:
        heard.append(audio)
        return Plan("tiny", 2_000, 1_900, 2_048, 1, (), ())

    monkeypatch.setattr(pipeline, "plan", fake)
    monkeypatch.chdir(tmp_path)
    Path("a").touch()
    Path("b").touch()
    for arguments in (["a", "b"], ["a", "--audio", "b"]):
        with pytest.raises(SystemExit):
            main(["quantize", "whisper-tiny.en", *arguments, "--budget", "24MB", "--dry-run"])
    assert heard == [[Path("a"), Path("b")], [Path("b"), Path("a")]]


@pytest.mark.parametrize("end", [["--out"], ["--dry-run"]])
def test_recordings_that_are_not_there_are_told_before_the_model_loads(
    end: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(pipeline, "load_model", lambda name, _: loaded.append(name))
    if end == ["--out"]:
        end = ["--out", str(tmp_path / "out")]
    (tmp_path / "empty").mkdir()
    for name, words in (("none", "no such file or folder"), ("empty", "no audio found")):
        with pytest.raises(SystemExit) as stop:
            main(["quantize", "whisper-tiny.en", "--audio", str(tmp_path / name), "--budget", "24MB", *end])
        out, err = capsys.readouterr()
        assert (stop.value.code, out, err.count("\n")) == (2, "", 1)
        assert f"{tmp_path / name}: {words}" in err
    assert loaded == []
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_without_a_dry_run_a_folder_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*BASE, "--budget", "24MB"])
    assert stop.value.code == 2
    assert "give --out DIR, or --dry-run" in capsys.readouterr().err


def test_explain_shows_the_road_and_needs_neither_model_nor_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    shown = {}
    for recipe in ("paper-file", "best", "paper-hessian"):
        with pytest.raises(SystemExit) as stop:
            main(["quantize", "x", "--avg-bits", "5", "--recipe", recipe, "--explain", "--json"])
        assert not stop.value.code
        shown[recipe] = {stage["name"]: stage for stage in json.loads(capsys.readouterr().out)["stages"]}
    plain, best, hessian = shown.values()
    assert list(plain) == ["prepare", "observe", "price", "allocate", "round", "lower", "write", "verify", "judge"]
    assert plain["round"]["passes"] == ["Calibrate", "RoundWeights"] and plain["round"]["clips"] is None
    assert best["round"]["passes"] == ["Calibrate", "RoundWeights", "CorrectBiases"]
    assert [best[name]["clips"] for name in ("observe", "measure curvature", "round")] == [
        "observe",
        "curvature",
        "sequence",
    ]
    assert "gradients of their outputs" in hessian["read rows"]["does"]
