"""Short recordings of a gliding tone, and bad files of every kind."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

Record = Callable[..., Path]


def tone(seconds: float, rate: int = 16_000, hertz: float = 300.0) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * hertz * time * (1 + 0.2 * time / max(seconds, 1e-9)))).astype(np.float32)


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Writes a recording: ``record(name, seconds or samples, rate, **soundfile options)``."""

    def write(name: str, audio: float | np.ndarray = 2.0, rate: int = 16_000, **options: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tone(audio, rate) if isinstance(audio, float) else audio, rate, **options)
        return path

    return write


BAD_KINDS = (
    "empty",
    "header only",
    "text",
    "random",
    "cut wav",
    "cut flac",
    "cut ogg",
    "cut mp3",
    "zero",
    "nan",
    "short",
)


@pytest.fixture(params=BAD_KINDS)
def bad_file(request: pytest.FixtureRequest, record: Record) -> tuple[str, Path]:
    """Each kind of bad file and its path."""
    return request.param, make_bad(request.param, record)


@pytest.fixture
def bad_files(record: Record) -> dict[str, Path]:
    """All kinds of bad files."""
    return {kind: make_bad(kind, record) for kind in BAD_KINDS}


def make_bad(kind: str, record: Record) -> Path:
    if kind.startswith("cut "):
        suffix = kind.removeprefix("cut ")
        path = record(f"bad/cut.{suffix}", np.random.default_rng(0).normal(0, 0.1, 64_000).astype(np.float32))
        data = path.read_bytes()
        path.write_bytes(data[: len(data) * 4 // 5])
        return path
    sounds = {"zero": np.zeros(32_000, np.float32), "short": tone(0.02), "header only": np.zeros(0, np.float32)}
    sounds["nan"] = np.where(np.arange(32_000) == 31_000, np.nan, tone(2.0)).astype(np.float32)
    path = record(f"bad/{kind.replace(' ', '_')}.wav", sounds.get(kind, tone(0.1)), subtype="FLOAT")
    contents = {
        "empty": b"",
        "text": b"this is not audio\n" * 100,
        "random": np.random.default_rng(0).bytes(5_000),
    }
    if kind in contents:
        path.write_bytes(contents[kind])
    return path
