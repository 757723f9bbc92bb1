"""Files for developers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from passes.base import Program, ProgramPass
from passes.errors import DumpError
from passes.graph.format_graph import format_graph
from passes.manager import dump
from passes.manager.dump import IrDump, write_reproducer


@dataclass(frozen=True, slots=True)
class Broken(ProgramPass):
    width: int = 3

    def run(self, program: Program) -> bool:
        raise RuntimeError("no")


def test_only_changed_graphs_are_written_with_a_diff(tmp_path: Path) -> None:
    writer = IrDump(tmp_path / "ir")
    writer.write_input({"encoder": "a\nb\n", "decoder": "c\n"})
    writer.write(1, "Canonicalize", {"encoder": "a\nb\n", "decoder": "c\n"}, {"encoder": "a\nB\n", "decoder": "c\n"})
    files = {path.name: path.read_text() for path in (tmp_path / "ir").iterdir()}
    assert set(files) == {
        "00_input.encoder.txt",
        "00_input.decoder.txt",
        "01_Canonicalize.encoder.txt",
        "01_Canonicalize.encoder.diff",
    }
    assert files["01_Canonicalize.encoder.txt"] == "a\nB\n"
    assert "-b\n+B\n" in files["01_Canonicalize.encoder.diff"]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_reproducer_holds_the_pass_the_error_and_modules_that_run(tmp_path: Path, tiny_program: Program) -> None:
    folder = write_reproducer(tmp_path / "failed", Broken(), tiny_program, RuntimeError("no"))
    assert (folder / "pass.txt").read_text() == "Broken(width=3)\n"
    assert "RuntimeError: no" in (folder / "error.txt").read_text()
    module = tiny_program.graphs["model"]
    assert (folder / "model.txt").read_text() == format_graph(module)
    loaded = torch.load(folder / "model.pt", weights_only=False)
    tokens = torch.zeros(2, 6, dtype=torch.long)
    torch.testing.assert_close(loaded(tokens), module(tokens))


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path, tiny_program: Program) -> None:
    (tmp_path / "file").write_text("")
    for write in (
        lambda: IrDump(tmp_path / "file").write_input({"model": "a"}),
        lambda: write_reproducer(tmp_path / "file", Broken(), tiny_program, RuntimeError("no")),
    ):
        with pytest.raises(DumpError, match=r"graphs cannot be written to .*file: File exists .*another --dump-ir"):
            write()


def test_a_full_disk_names_the_folder(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    (tmp_path / "00_input.model.txt").symlink_to("/dev/full")
    with pytest.raises(DumpError, match=rf"{tmp_path}: No space left"):
        IrDump(tmp_path).write_input({"model": "a" * 100_000})


def test_large_modules_are_left_out(tmp_path: Path, tiny_program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump, "_LARGEST_SAVED", 10)
    folder = write_reproducer(tmp_path, Broken(), tiny_program, RuntimeError("no"))
    assert {path.name for path in folder.iterdir()} == {"pass.txt", "error.txt", "model.txt"}


def test_a_module_that_cannot_be_saved_says_why(
    tmp_path: Path, tiny_program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise TypeError("no pickle")

    monkeypatch.setattr(torch, "save", fail)
    write_reproducer(tmp_path, Broken(), tiny_program, RuntimeError("no"))
    assert (tmp_path / "model.unsaved.txt").read_text() == "TypeError: no pickle\n"
