"""The code blocks of the pages, and a folder in which what the pages name is there, small and made on the spot."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.cli.app import main
from myqasr_fx.models.speech_model import SpeechModel

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(\S*) ?([^\n]*)\n(.*?)^```$", re.M | re.S)
_SPEAKERS, _CLIPS = ("ann", "bob"), 6


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Args:
        page: File name.
        language: First word behind the fence; empty for a figure.
        title: The rest of that line: a file's name when it has a dot.
        code: What is inside.
    """

    page: str
    language: str
    title: str
    code: str

    @property
    def first_line(self) -> str:
        return self.code.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Reader:
    """Does what a page says, from its top to its end, in one folder and one Python session.

    Args:
        folder: The working directory.
        names: Of the Python session.
    """

    folder: Path
    names: dict[str, object] = field(default_factory=dict)

    def run(self, block: Block) -> str:
        """Standard output of a block of Python or of commands."""
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            if block.language == "python":
                exec(compile(block.code, block.page, "exec"), self.names)
            else:
                for command in block.code.replace("\\\n", " ").splitlines():
                    _command(command)
        return shown.getvalue()

    def write(self, block: Block) -> None:
        """Writes the file that a block shows; a project file leaves what installing the project would leave."""
        (self.folder / block.title).write_text(block.code, encoding="utf-8")
        if block.title == "pyproject.toml":
            _install(self.folder, tomllib.loads(block.code)["project"]["entry-points"])


def _command(text: str) -> None:
    """Runs one command of ours, in this process, which has torch loaded already."""
    program, *words = shlex.split(text, comments=True)
    assert program == "myqasr", f"{text}: list the block in test_blocks.py with the reason why it is not run"
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert not stop.value.code, f"{text}: ends with {stop.value.code}"


def _install(folder: Path, entry_points: dict[str, dict[str, str]]) -> None:
    info = folder / "my_metrics-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-metrics\nVersion: 1.0\n")
    groups = {group: "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in entry_points.items()}
    (info / "entry_points.txt").write_text("".join(f"[{group}]\n{lines}" for group, lines in groups.items()))


@pytest.fixture(scope="session")
def install() -> Callable[[Path, dict[str, dict[str, str]]], None]:
    """Leaves in a folder what pip leaves of a distribution with these entry points."""
    return _install


@pytest.fixture(scope="session")
def read_blocks() -> Callable[[str], list[Block]]:
    """The blocks of ``README.md`` or of a page under ``docs``."""

    def read(page: str) -> list[Block]:
        text = (ROOT / page).read_text(encoding="utf-8")
        blocks = [Block(page, *found) for found in _BLOCK.findall(text)]
        fences = re.findall(r"^\s*(?:```|~~~)", text, re.M)
        assert len(fences) == 2 * len(blocks), f"{page}: a fence that opens no block, or is indented"
        return blocks

    return read


@pytest.fixture(scope="session")
def workshop(
    make_speech_model: Callable[[str], SpeechModel], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path], None]:
    """Fills a folder with what the pages name.

    ``whisper-tiny.en`` is a random Whisper in a folder of that name, which goes before the built-in model; ``w2v2`` a
    random Wav2Vec2. Recordings hold noise.
    """
    made = tmp_path_factory.mktemp("workshop")
    for folder, name in (("whisper-tiny.en", "whisper-smallest"), ("w2v2", "smallest")):
        speech = make_speech_model(name)
        speech.network.save_pretrained(made / folder)
        speech.save_configs(made / folder)
    noise = np.random.default_rng(0)

    def record(name: str) -> str:
        path = made / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, noise.normal(0, 0.1, 16_000).astype(np.float32), 16_000)
        return name

    for index in range(4):
        record(f"recordings/{index}.wav")
    record("new_recording.wav")
    record("another.wav")
    test = [{"audio": "new_recording.wav", "text": "hello there", "lang": "en"}]
    people = [
        {"audio": record(f"speech/{name}{index}.wav"), "text": "hello", "speaker": name, "lang": "en"}
        for name in _SPEAKERS
        for index in range(_CLIPS)
    ]
    for name, rows in (("test.jsonl", test), ("speakers.jsonl", people)):
        (made / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return lambda folder: shutil.copytree(made, folder, dirs_exist_ok=True)


@pytest.fixture
def reader(workshop: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """A reader in a folder of their own."""
    workshop(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_metrics", raising=False)
    return Reader(tmp_path)
