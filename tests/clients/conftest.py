"""Real clients on real bundles. Deselected by default: ``benchmarks/clients.py`` installs the clients and runs these.

Environment: ``MYQASR_OPTIMUM_PYTHON``, ``MYQASR_SHERPA_PYTHON``, ``MYQASR_ONNX_ASR_PYTHON`` and
``MYQASR_OPTIMUM_CLI_PYTHON``, ``MYQASR_OLIVE_PYTHON`` and ``MYQASR_EXECUTORCH_PYTHON`` (interpreters that have the
client), ``MYQASR_NODE_MODULES`` (a folder with @huggingface/transformers), ``MYQASR_CLIENTS_RECORD`` (a JSONL file to
write what each client heard, beside ours).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import myqasr_fx
from myqasr_fx.audio import load_audio
from myqasr_fx.cli import demo_run as demo

SECONDS = 12
"""What is taken of each recording: well below 30 s, from where on clients cut audio each in their own way."""

MODELS = {
    "whisper": ("whisper-tiny.en", {"budget": "24MB"}),
    "multilingual": ("whisper-base", {"budget": "45MB", "recipe": "paper-file"}),
    "ctc": ("w2v2-digits", {"avg_bits": 6.0}),
    "ctc, by the paper's rule": ("w2v2-digits", {"avg_bits": 6.0, "recipe": "paper-file"}),
}
"""Family to model and size."""


@dataclass(frozen=True)
class Case:
    """A bundle, recordings, and what our own runtime hears in them."""

    family: str
    layout: str
    size: str
    bundle: Path
    recordings: tuple[Path, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """What a client printed; and what is heard in between our way and the client's, where that was tried."""

    versions: dict[str, str]
    texts: list[str]
    between: tuple[str, ...] = ()
    way: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    command: str = ""


MakeCase = Callable[..., Case]
RunClient = Callable[..., Heard]


@pytest.fixture(scope="session")
def make_case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MakeCase:
    """Family, layout and maybe a budget to a bundle of a real model, made once, and recordings of ``SECONDS``."""

    @cache
    def make(family: str, layout: str, budget: str | None = None) -> Case:
        folder = tmp_path_factory.mktemp("client")
        model, size = MODELS[family]
        size = {"budget": budget} if budget else size
        if not family.startswith("ctc"):
            calibration, unheard = (list(demo._locate(files)) for files in (demo._CALIBRATION, demo._UNHEARD))
            unheard += _utterances()
        else:
            shared = request.getfixturevalue("shared")
            model = str(shared / "models" / model)
            calibration, unheard = _digits(shared / "data" / "digits")
        options = {**size, "layout": layout}
        bundle = myqasr_fx.quantize(model, calibration, out=folder / "bundle", **options).path
        recordings = tuple(_cut(path, folder / f"{index}.wav") for index, path in enumerate(unheard))
        runtime = myqasr_fx.load(bundle)
        texts = tuple(runtime.transcribe(path).text for path in recordings)
        return Case(family, layout, budget or "", bundle, recordings, texts)

    return make


@pytest.fixture(scope="session")
def record() -> Callable[[str, Case, Heard], None]:
    """Adds a line about a client to the file that ``MYQASR_CLIENTS_RECORD`` names."""

    def write(client: str, case: Case, heard: Heard) -> None:
        path = os.environ.get("MYQASR_CLIENTS_RECORD")
        if path:
            known = {"family": case.family, "layout": case.layout, "size": case.size, "ours": case.texts}
            line = {"client": client, **known, **asdict(heard)}
            with open(path, "a", encoding="utf-8") as file:
                file.write(json.dumps(line, ensure_ascii=False) + "\n")

    return write


@pytest.fixture
def heard_type() -> type[Heard]:
    """For clients that are no command."""
    return Heard


@pytest.fixture
def run_client() -> RunClient:
    """Runs a client, without access to a model hub, and reads the JSON of its last line."""

    def run(*command: str | Path) -> Heard:
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 0, done.stderr[-4000:]
        return Heard(**json.loads(done.stdout.splitlines()[-1]), command=_shown(command))

    return run


@pytest.fixture
def needed() -> Callable[[str], str]:
    """Value of an environment variable, without which the test is skipped."""

    def value(variable: str) -> str:
        if not os.environ.get(variable):
            pytest.skip(f"{variable} is not set; benchmarks/clients.py sets it")
        return os.environ[variable]

    return value


@pytest.fixture
def samples_file() -> Callable[[Path], Path]:
    """Writes a recording's samples, raw float32, beside it: what a client without an audio reader takes."""

    def write(recording: Path) -> Path:
        path = recording.with_suffix(".f32")
        load_audio(recording).samples.astype(np.float32).tofile(path)
        return path

    return write


def _shown(command: Iterable[str | Path]) -> str:
    """A command for readers, without the folders of this machine."""
    words: list[str] = []
    for part in map(Path, command):
        kinds = {".wav": "RECORDING…", ".f32": "SAMPLES…"}
        word = kinds.get(part.suffix, part.name)
        word = f"tests/clients/{word}" if part.parent == Path(__file__).parent else word
        words += [word] if word not in words else []
    return " ".join(words)


def _digits(folder: Path) -> tuple[list[Path], list[Path]]:
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    of = {split: [folder / row["audio"] for row in rows if row["split"] == split] for split in ("calib", "test")}
    return of["calib"][::8], of["test"][::30]


def _utterances() -> list[Path]:
    """Read speech of four people, where there is development data."""
    if "MYQASR_SHARED" not in os.environ:
        return []
    folder = Path(os.environ["MYQASR_SHARED"], "data", "speech")
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    read = [folder / row["audio"] for row in rows if row["dataset"] == "librispeech_test_other"]
    return read[1 : 4 * 15 : 15]  # 15 utterances a speaker


def _cut(source: Path, target: Path) -> Path:
    samples = load_audio(source).samples[: SECONDS * 16_000]
    soundfile.write(target, samples, 16_000, subtype="FLOAT")
    return target


@pytest.fixture
def hear_with_features() -> Callable[[Any, Path, float], str]:
    """What our runtime writes, given the features that a client wrote beside the recording, raw float32.

    Features that differ in their last digits decide where the model hesitates between two tokens. They may be apart by
    a tolerance, relative to the largest of ours.
    """

    def hear(runtime: Any, recording: Path, tolerance: float) -> str:
        own = runtime.features(load_audio(recording).samples)
        its = np.fromfile(recording.with_suffix(".features"), np.float32).reshape(own.shape)
        np.testing.assert_allclose(its, own, rtol=0, atol=tolerance * np.abs(own).max())
        return str(replace(runtime, features=lambda _: its).transcribe(recording).text)

    return hear
