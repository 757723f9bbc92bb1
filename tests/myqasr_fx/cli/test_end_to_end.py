"""The commands on a tiny random model, and what remains when a run is stopped."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.bundle.bundle import MANIFEST
from myqasr_fx.cli import quantize
from myqasr_fx.process.progress import Advance, Silent

STAGES = (
    "load model",
    "read audio",
    "capture graphs",
    "observe activations",
    "allocate, round and export",
    "verify on onnxruntime",
    "judge without labels",
)
CHILD = """
import sys, time
from contextlib import contextmanager
from myqasr_fx.cli import quantize
from myqasr_fx.cli.app import main
from myqasr_fx.process.progress import Silent

class Pausing(Silent):
    def __init__(self, usual):
        super().__init__()

    @contextmanager
    def _shown(self, name, total):
        yield lambda steps: None
        if name == "read audio":
            print("ready", flush=True, file=sys.__stdout__)
            time.sleep(60)

quantize.RichProgress = Pausing
main(sys.argv[1:])
"""


class Stopping(Silent):
    """Ctrl-C at the end of one stage."""

    last: str
    seen: tuple[str, ...] = ()

    def __init__(self, usual: Mapping[str, float]) -> None:
        super().__init__()

    @contextmanager
    def _shown(self, name: str, total: int | None) -> Iterator[Advance]:
        yield lambda steps: None
        Stopping.seen += (name,)
        if name == self.last:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audio")
    noise = np.random.default_rng(0)
    for name in ("a.wav", "b.wav", "c.wav", "d.wav"):
        soundfile.write(folder / name, noise.normal(0, 0.1, 24_000).astype(np.float32), 16_000)
    (folder / "broken.wav").write_bytes(b"this is no audio")
    return folder


@pytest.fixture
def command(model: Path, audio: Path, tmp_path: Path) -> list[str]:
    files = [str(audio / name) for name in ("a.wav", "b.wav", "broken.wav", "c.wav", "d.wav")]
    return [
        "quantize",
        str(model),
        "--out",
        str(tmp_path / "out"),
        "--uniform-bits",
        "4",
        "--recipe",
        "paper-file",
        "--audio",
        *files,
    ]


def test_from_recordings_to_a_scored_bundle(
    command: list[str], model: Path, audio: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    out = tmp_path / "out"
    code, text, _ = run(*command, "--json")
    made = json.loads(text)
    assert code == 3  # a random network at 4 bits is another network
    assert made["acceptance"]["verdict"] == "rejected"
    assert made["acceptance"]["failed"]
    assert "Transcripts" in (out / "report.html").read_text()
    assert "a.wav" in (out / "report.json").read_text()
    assert made["calibration"]["clips"] == 4  # --audio takes what follows it, and the broken file is passed over
    assert "broken.wav" in made["calibration"]["rejected"][0]
    assert sum(p.stat().st_size for p in out.glob("*.onnx*")) == made["model_bytes"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]

    code, text, _ = run("inspect", str(out), "--json")
    assert json.loads(text) == made
    assert made == {"path": str(out), **json.loads((out / MANIFEST).read_text())}

    said = [json.loads(run("transcribe", str(out), str(audio / "a.wav"), "--json")[1])["transcripts"][0]]
    assert said[0]["seconds"] == pytest.approx(1.5)

    code, text, _ = run("report", str(out), "--private")
    assert (code, text) == (0, f"{out / 'report.html'}\n")
    assert "a.wav" not in (out / "report.html").read_text()

    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text(json.dumps({"audio": str(audio / "a.wav"), "text": "anything"}))
    for target in (out, model):
        code, text, _ = run("evaluate", str(target), "--manifest", str(manifest), "--json")
        assert (code, json.loads(text)["utterances"]) == (0, 1)

    code, text, err = run(*command)
    assert (code, text) == (2, "")
    assert "--force" in err


def test_nothing_but_broken_audio(
    model: Path, audio: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    options = ("--uniform-bits", "4", "--out", str(tmp_path / "out"), "--audio", str(audio / "broken.wav"))
    code, out, err = run("quantize", str(model), *options)
    assert (code, out) == (2, "")
    assert "broken.wav" in err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stage", STAGES)
def test_interruption_at_every_stage_leaves_nothing(
    command: list[str],
    stage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    run: Callable[..., tuple[int, str, str]],
) -> None:
    monkeypatch.setattr(quantize, "RichProgress", Stopping)
    monkeypatch.setattr(Stopping, "last", stage, raising=False)
    monkeypatch.setattr(Stopping, "seen", ())
    assert run(*command)[0] == 130
    assert Stopping.seen == STAGES[: STAGES.index(stage) + 1]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_to_the_process(command: list[str], number: signal.Signals, tmp_path: Path) -> None:
    run = [sys.executable, "-c", CHILD, *command]
    # A test run in the background ignores SIGINT, and its children would inherit that.
    child = subprocess.Popen(
        run, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(number)
    child.communicate()
    left = [p.name for p in tmp_path.iterdir()]
    if number == signal.SIGKILL:  # a later run removes what is left, see tests/myqasr_fx/bundle/test_output_folder.py
        assert child.returncode == -number
        assert len(left) == 1
        assert left[0].startswith(".out.myqasr-")
    else:
        assert child.returncode == 128 + number
        assert left == []
