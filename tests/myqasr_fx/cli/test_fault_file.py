"""What an unforeseen error leaves behind."""

import tempfile
from pathlib import Path

import pytest

from myqasr_fx.cli.fault_file import write_fault


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def fail() -> None:
    try:
        raise KeyError("/home/anna/secret diary/a.wav")
    except KeyError as error:
        raise ZeroDivisionError("of /home/anna/b.wav and '/srv/data/c.wav'") from error


def test_it_has_versions_options_and_the_trace_without_folders(temporary: Path) -> None:
    arguments = ["quantize", "/home/anna/models/mine", "--audio", "/home/anna/secret diary/a.wav", "--out=/srv/x/out"]
    with pytest.raises(ZeroDivisionError) as failed:
        fail()
    path = write_fault(failed.value, arguments)
    assert path is not None and path.parent == temporary
    text = path.read_text(encoding="utf-8")
    for part in ("python 3.", "onnxruntime ", "myqasr quantize mine --audio a.wav --out=out", "KeyError", "in fail: "):
        assert part in text
    assert "ZeroDivisionError: of b.wav and 'c.wav'" in text
    for part in ("/home", "anna", "diary", "/srv"):
        assert part not in text.split("raise")[0]
    assert "secret" not in "\n".join(line for line in text.splitlines() if "raise" not in line)


def test_paths_of_modules_begin_at_their_package(temporary: Path) -> None:
    from myqasr_fx.options.units import format_size

    with pytest.raises(TypeError) as failed:
        format_size(None)  # type: ignore[arg-type]
    path = write_fault(failed.value, [])
    assert path is not None
    assert "\nmyqasr_fx/options/units.py:" in path.read_text(encoding="utf-8")


def test_no_room_for_it_is_no_second_fault(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "none"))
    assert write_fault(ValueError("x"), []) is None
