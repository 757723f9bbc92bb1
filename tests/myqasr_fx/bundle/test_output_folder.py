import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from myqasr_fx.bundle import output_folder as output
from myqasr_fx.bundle.bundle import MANIFEST, BundleManifest
from myqasr_fx.bundle.hidden_name import hidden_prefix
from myqasr_fx.bundle.output_folder import output_folder, remove_leftovers
from myqasr_fx.bundle.run_record import RUN_FILE
from myqasr_fx.errors import OutputError
from myqasr_fx.models.sherpa import write_tokens
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.report.record import DETAILS
from myqasr_fx.report.render import REPORT

CHILD = """
import sys, time
from pathlib import Path
import os
from myqasr_fx.bundle import output_folder as output
from myqasr_fx.bundle.bundle import MANIFEST
target, stage = Path(sys.argv[1]), sys.argv[2]

def pause(at):
    global stage
    if at == stage:
        stage = None
        print("ready", flush=True)
        time.sleep(60)

rename = os.rename
def slow_rename(a, b):
    pause("before " + ("old" if Path(b).name == "old" else "new"))
    rename(a, b)
    pause("after " + ("old" if Path(b).name == "old" else "new"))
os.rename = slow_rename

with output.output_folder(target, force=True) as folder:
    (folder / "myqasr.json").write_text(sys.argv[3])
    pause("half written")
    (folder / "model.onnx").write_text("new")
    pause("written")
print("done", flush=True)
"""
STAGES = ["half written", "written", "before old", "after old", "before new", "after new"]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out"


def manifest_of(text: str) -> str:
    """A manifest whose model is called ``text``, with one file."""
    needed = {
        "format_version": 1,
        "model": text,
        "fingerprint": "",
        "family": "ctc",
        "config": {},
        "budget_bytes": None,
    }
    needed |= {"model_bytes": 3, "num_weights": 1, "file_bits_per_weight": 24.0, "session_options": {}, "layers": []}
    needed |= {"files": [{"name": "model.onnx", "bytes": 3, "executed": {}}], "versions": {}}
    needed["calibration"] = {"clips": 1, "seconds": 1.0, "sha256": "", "rejected": [], "note": None}
    errors = {"exact_error": 0.0, "rounding_error": None, "shipped_error": 0.0}
    return json.dumps(needed | {"verification": {"clips": 1, "tokens": 1, "agreement": 1.0, **errors}})


def write(folder: Path, text: str) -> None:
    (folder / MANIFEST).write_text(manifest_of(text))
    (folder / "model.onnx").write_text(text)


def old_bundle(target: Path) -> None:
    target.mkdir()
    write(target, "old")


def content(target: Path) -> set[str] | None:
    """What the files say, or None for an absent folder; a half-written folder fails the test."""
    if not target.exists():
        return None
    assert sorted(p.name for p in target.iterdir()) == ["model.onnx", MANIFEST]
    return {BundleManifest.read(target).model, (target / "model.onnx").read_text()}


def visible(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_appears_only_at_the_end(target: Path) -> None:
    with output_folder(target) as folder:
        write(folder, "new")
        assert not target.exists()
    assert content(target) == {"new"}
    assert visible(target.parent) == ["out"]


def test_folder_has_ordinary_permissions(target: Path) -> None:
    with output_folder(target) as folder:
        write(folder, "new")
    target.with_name("plain").mkdir()
    assert target.stat().st_mode == target.with_name("plain").stat().st_mode


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_remains_of_a_failure(target: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), output_folder(target) as folder:
        write(folder, "new")
        raise error
    assert visible(target.parent) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_keeps_the_old_one(target: Path, error: type[BaseException]) -> None:
    old_bundle(target)
    with pytest.raises(error), output_folder(target, force=True) as folder:
        write(folder, "new")
        raise error
    assert content(target) == {"old"}
    assert visible(target.parent) == ["out"]


def test_existing_target_is_refused_before_any_work(target: Path) -> None:
    old_bundle(target)
    with pytest.raises(OutputError, match=r"out exists .*--force"), output_folder(target):
        pytest.fail("the block must not run")
    assert content(target) == {"old"}


def test_target_that_appears_meanwhile_is_refused(target: Path) -> None:
    with pytest.raises(OutputError, match="exists"), output_folder(target) as folder:
        write(folder, "new")
        old_bundle(target)
    assert content(target) == {"old"}
    assert visible(target.parent) == ["out"]


def test_force_replaces_a_bundle_and_an_empty_folder(target: Path) -> None:
    old_bundle(target)
    (target / "report.html").touch()
    with output_folder(target, force=True) as folder:
        write(folder, "new")
    assert content(target) == {"new"}
    empty = target.with_name("empty")
    empty.mkdir()
    with output_folder(empty, force=True) as folder:
        write(folder, "new")
    assert content(empty) == {"new"}
    assert visible(target.parent) == ["empty", "out"]


def test_force_spares_what_is_no_bundle(target: Path) -> None:
    target.mkdir()
    (target / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="not ours"), output_folder(target, force=True):
        pytest.fail("the block must not run")
    target.with_name("file").write_text("precious")
    with pytest.raises(OutputError, match="not a folder"), output_folder(target.with_name("file"), force=True):
        pytest.fail("the block must not run")
    assert (target / "thesis.txt").read_text() == target.with_name("file").read_text() == "precious"


@pytest.mark.parametrize("name", ["holiday.jpg", "album/holiday.jpg", "empty/", "model.onnx.bak", ".hidden", "link"])
def test_force_spares_and_names_what_is_not_of_the_bundle(target: Path, name: str) -> None:
    old_bundle(target)
    mine = target / name
    if name.endswith("/"):
        mine.mkdir()
    elif name == "link":
        mine.symlink_to(target.parent)
    else:
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("precious")
    with pytest.raises(OutputError, match=f"{name} in it are not"), output_folder(target, force=True):
        pytest.fail("the block must not run")
    assert os.path.lexists(mine)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format_version": 1}', '{"format_version": 2}', "a letter"])
def test_force_spares_a_folder_whose_manifest_is_none(target: Path, text: str) -> None:
    target.mkdir()
    (target / MANIFEST).write_text(text)
    (target / "holiday.jpg").write_text("precious")
    with pytest.raises(OutputError, match="is not replaced"), output_folder(target, force=True):
        pytest.fail("the block must not run")
    assert (target / "holiday.jpg").read_text() == "precious"


def test_everything_that_a_model_saves_may_be_replaced(
    target: Path, tiny_whisper: SpeechModel, tiny_wav2vec2: SpeechModel
) -> None:
    for speech in (tiny_whisper, tiny_wav2vec2):
        speech.save_configs(target)
    write_tokens(tiny_whisper.tokenizer, target)
    for name in (REPORT, DETAILS, RUN_FILE):
        (target / name).touch()
    write(target, "old")
    with output_folder(target, force=True) as folder:
        write(folder, "new")
    assert content(target) == {"new"}


@pytest.mark.parametrize("name", ["a" * 300, "a/" + "b" * 300])
def test_a_name_that_no_file_system_takes(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match="cannot write"), output_folder(tmp_path / name):
        pytest.fail("the block must not run")
    assert visible(tmp_path) == []


def test_force_through_a_link_replaces_what_it_points_to(target: Path) -> None:
    old_bundle(target)
    link = target.with_name("link")
    link.symlink_to(target)
    with output_folder(link, force=True) as folder:
        write(folder, "new")
    assert link.is_symlink()
    assert content(target) == {"new"}


def test_missing_parents_are_made_and_removed_on_failure(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "out"
    with pytest.raises(ValueError), output_folder(target):
        raise ValueError
    assert visible(tmp_path) == []
    with output_folder(target) as folder:
        write(folder, "new")
    assert content(target) == {"new"}


def test_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write"), output_folder(tmp_path / "file" / "out"):
        pytest.fail("the block must not run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_parent(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="cannot write"), output_folder(locked / "out"):
        pytest.fail("the block must not run")


def test_unwritable_file_system() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("needs a file system that nobody can write to")
    with pytest.raises(OutputError), output_folder(Path("/proc/out")):
        pytest.fail("the block must not run")


def test_full_disk(target: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OutputError, match="no space left"), output_folder(target):
        Path("/dev/full").write_bytes(b"x" * 100_000)
    assert visible(target.parent) == []


def test_full_disk_that_shows_at_the_flush(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space left"), output_folder(target) as folder:
        write(folder, "new")
    assert visible(target.parent) == []


def test_other_files_errors_pass_through(target: Path) -> None:
    with pytest.raises(PermissionError), output_folder(target):
        raise PermissionError(errno.EACCES, "no", "/somewhere/else")


def default_signals() -> None:
    """A test run in the background or under nohup ignores some signals, and its children would inherit that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def start(target: Path, stage: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, str(target), stage, manifest_of("new")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=default_signals)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("stage", STAGES)
def test_killed_process_leaves_absent_old_or_new(target: Path, stage: str) -> None:
    old_bundle(target)
    process = start(target, stage)
    assert remove_leftovers(target) == ()  # its owner lives
    process.kill()
    process.communicate()
    before = content(target)
    assert before in (None, {"old"}, {"new"})
    remove_leftovers(target)
    assert content(target) == (before or {"old"})  # the old one comes back
    assert visible(target.parent) == ["out"]


def test_next_run_removes_leftovers(target: Path) -> None:
    process = start(target, "written")
    process.kill()
    process.communicate()
    assert len(visible(target.parent)) == 1
    with output_folder(target) as folder:
        write(folder, "next")
    assert content(target) == {"next"}
    assert visible(target.parent) == ["out"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("stage", ["half written", "before new"])
def test_signals_clean_up(target: Path, number: signal.Signals, stage: str) -> None:
    old_bundle(target)
    process = start(target, stage)
    process.send_signal(number)
    process.communicate()
    assert process.returncode in (128 + number, -number, 1)
    assert content(target) == {"old"}
    assert visible(target.parent) == ["out"]


def test_leftover_with_the_pid_of_a_living_process_is_removed(target: Path) -> None:
    leftover = target.with_name(f".out.myqasr-{os.getpid()}-abcd")
    (leftover / "new").mkdir(parents=True)
    assert remove_leftovers(target) == (leftover,)


def test_other_names_are_left_alone(target: Path) -> None:
    for name in (".out2.myqasr-1-x", "out.myqasr-1-x", ".xout.myqasr-1-x"):
        target.with_name(name).mkdir()
    assert remove_leftovers(target) == ()
    assert remove_leftovers(target.with_name("[o]ut")) == ()
    assert len(visible(target.parent)) == 3


def test_two_writers_do_not_disturb_each_other(target: Path) -> None:
    with output_folder(target.with_name("a")) as first, output_folder(target.with_name("b")) as second:
        write(first, "a")
        write(second, "b")
    assert visible(target.parent) == ["a", "b"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_handlers_are_restored(target: Path, interruptible: None, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with output_folder(target):
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit), (signal.SIGHUP, SystemExit)]
)
def test_a_signal_that_a_library_swallows_counts_all_the_same(
    target: Path, interruptible: None, number: signal.Signals, error: type[BaseException]
) -> None:
    with pytest.raises(error), output_folder(target) as folder:
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            signal.raise_signal(number)
        write(folder, "new")
    assert visible(target.parent) == []


def test_replacement_that_fails_halfway_is_undone(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old_bundle(target)
    rename = os.rename

    def broken(source: Path, destination: Path) -> None:
        if Path(source).name == "new":
            raise KeyboardInterrupt
        rename(source, destination)

    monkeypatch.setattr(output.os, "rename", broken)
    with pytest.raises(KeyboardInterrupt), output_folder(target, force=True) as folder:
        write(folder, "new")
    assert content(target) == {"old"}
    assert visible(target.parent) == ["out"]


@pytest.mark.parametrize("name", ["a" * 255, "[ü" * 85])
def test_the_longest_name_is_made_and_cleaned_up(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    left = tmp_path / f"{hidden_prefix(name)}1-abcd"
    left.mkdir()
    with output_folder(target) as folder:
        (folder / "a").touch()
    assert [path.name for path in tmp_path.iterdir()] == [name]
