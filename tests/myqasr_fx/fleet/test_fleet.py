"""Many users: a bundle each, as by itself; failures are listed; what is done is not done again."""

from __future__ import annotations

import errno
import json
import linecache
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from myqasr_fx import pipeline
from myqasr_fx.bundle import output_folder
from myqasr_fx.bundle.sole_run import sole_run
from myqasr_fx.cli.app import main
from myqasr_fx.errors import MyqasrError, OptionError, OutputError
from myqasr_fx.fleet import quantize_many as fleet
from myqasr_fx.fleet.ledger import LEDGER, Ledger, UserRow
from myqasr_fx.fleet.quantize_many import quantize_many, run_fleet
from myqasr_fx.fleet.users import find_users, told_users
from myqasr_fx.fleet.workers import Workers
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.graph_sources import kept_sources
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Silent

CONFIG = resolve_config(uniform_bits=3, recipe="paper-file", rounding="gptq")
LIMITS = Limits(spare_bytes=1 << 14)


@pytest.fixture
def run(make_speech_model: Callable[[str], SpeechModel], tmp_path: Path) -> Callable[..., tuple[UserRow, ...]]:
    def call(users: dict[str, list[Path]], config: object = CONFIG, out: str = "out") -> tuple[UserRow, ...]:
        return run_fleet(make_speech_model("smallest"), users, tmp_path / out, config, Silent(), LIMITS)

    return call


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}


def test_everybody_gets_the_bundle_of_a_run_alone_and_failures_are_told(
    run: Callable[..., tuple[UserRow, ...]],
    users: Path,
    tmp_path: Path,
    make_speech_model: Callable[[str], SpeechModel],
) -> None:
    rows = run(find_users(users))
    assert [(row.user, row.error is None) for row in rows] == [("ann", True), ("bob", True), ("cid", False)]
    assert "0.wav" in str(rows[2].error)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["ann", "bob", LEDGER]
    for row in rows[:2]:
        pipeline.quantize(
            make_speech_model("smallest"), [users / row.user], out=tmp_path / row.user, config=CONFIG, limits=LIMITS
        )
        assert files(tmp_path / "out" / row.user) == files(tmp_path / row.user)
    assert files(tmp_path / "out" / "ann")["model.onnx"] != files(tmp_path / "out" / "bob")["model.onnx"]


def test_no_user_leaves_the_text_of_graphs(
    make_speech_model: Callable[[str], SpeechModel], users: Path, tmp_path: Path
) -> None:
    model, left = make_speech_model("smallest"), []

    def tell(row: UserRow, fresh: bool) -> None:
        left.append((len(kept_sources()), sum("eval_with_key" in name for name in linecache.cache)))

    rows = run_fleet(model, find_users(users), tmp_path / "out", CONFIG, Silent(), LIMITS, tell=tell)
    assert [row.error is None for row in rows] == [True, True, False]
    assert left[0][0] > 0  # of the graphs that all users share
    assert left[1][0] <= left[0][0] and left[1][1] <= left[0][1] and left[2] == left[1]


def test_a_second_run_does_only_what_is_missing_changed_or_failed(
    run: Callable[..., tuple[UserRow, ...]], users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, asked = run(find_users(users)), []
    whole = pipeline.quantize

    def watched(*words: object, **options: object) -> object:
        asked.append(Path(str(options["out"])).name)
        return whole(*words, **options)

    monkeypatch.setattr(pipeline, "quantize", watched)
    again = run(find_users(users))
    assert asked == ["cid"]
    assert again[:2] == first[:2]
    told = [json.loads(line).get("user") for line in (tmp_path / "out" / LEDGER).read_text("utf-8").splitlines()]
    assert told.count("cid") == 2 and told.count("ann") == 1  # tried again, as long as it took before or not
    (tmp_path / "out" / "ann" / "model.onnx").write_bytes(b"damaged")
    (users / "bob" / "1.wav").unlink()
    asked.clear()
    assert [row.error is None for row in run(find_users(users))] == [True, True, False]
    assert asked == ["ann", "bob", "cid"]
    damaged = tmp_path / "out" / "ann" / "model.onnx"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")  # as many bytes as before
    (tmp_path / "out" / "bob" / "vocab.json").unlink()
    asked.clear()
    assert [row.error is None for row in run(find_users(users))] == [True, True, False]
    assert asked == ["ann", "bob", "cid"]
    soundfile.write(users / "bob" / "0.wav", np.zeros(16_000), 16_000)
    assert str(run(find_users(users))[1].error).endswith("; the bundle of earlier recordings stays")


@pytest.mark.parametrize("recordings", [None, 3, [3], [np.zeros(8)]])
def test_users_of_python_are_names_with_paths(users: Path, tmp_path: Path, recordings: object) -> None:
    assert told_users({"ann": str(users), "bob": [users / "bob", "x"]}) == {
        "ann": (users,),
        "bob": (users / "bob", Path("x")),
    }
    given: Any = {"ann": recordings}
    for wrong in (given, {3: ["x"]}, "users"):
        with pytest.raises(OptionError, match=r"^user"):
            quantize_many("whisper-base", wrong, "90KB", out=tmp_path / "out")
    with pytest.raises(OptionError, match="workers '2': expected at least 1"):
        quantize_many("whisper-base", {"ann": ["x"]}, "90KB", out=tmp_path / "out", workers="2")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_what_no_worker_can_begin_leaves_nothing(
    make_speech_model: Callable[[str], SpeechModel], users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> Iterator[UserRow]:
        raise OptionError("ray nowhere")
        yield

    monkeypatch.setattr(fleet, "rows_on_ray", refused)
    monkeypatch.setattr(fleet, "_setting", lambda model, speech, order: order)
    out, model = tmp_path / "out", make_speech_model("smallest")
    for before in (False, True):
        if before:
            out.mkdir()
            (out / "notes.txt").write_text("")
        with pytest.raises(OptionError, match="ray nowhere"):
            run_fleet(model, {"ann": [users / "ann"]}, out, CONFIG, Silent(), LIMITS, workers=Workers())
        assert [path.name for path in tmp_path.rglob("out/*")] == ["notes.txt"] * before


def test_a_line_that_was_cut_off_is_written_again(
    run: Callable[..., tuple[UserRow, ...]], users: Path, tmp_path: Path
) -> None:
    one = {"ann": [users / "ann"]}
    first = run(one)
    path = tmp_path / "out" / LEDGER
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole[:-20], encoding="utf-8")
    (row,) = run(one)
    assert (row.user, row.bytes) == ("ann", first[0].bytes)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    assert all(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())


def test_another_fleet_is_refused(run: Callable[..., tuple[UserRow, ...]], users: Path, tmp_path: Path) -> None:
    one = {"ann": [users / "ann"]}
    run(one)
    other = resolve_config(uniform_bits=4, recipe="paper-file", rounding="gptq")
    with pytest.raises(OptionError, match="another model or other options"):
        run(one, other)
    (tmp_path / "out" / LEDGER).write_text('{"fingerprint": "of nothing", "options": {}}\n')
    assert [row.error for row in run(one, other)] == [None]  # nothing was done yet
    (tmp_path / "out" / LEDGER).write_text("mine\n")
    with pytest.raises(MyqasrError, match="no ledger"):
        run(one)


def test_a_fleet_that_is_at_work_is_not_joined(
    run: Callable[..., tuple[UserRow, ...]], users: Path, tmp_path: Path
) -> None:
    one, out = {"ann": [users / "ann"]}, tmp_path / "out"
    run(one)
    with (out / LEDGER).open("a", encoding="utf-8") as file:
        file.write('{"user"')  # the line that it is about to write
    before = (out / LEDGER).read_bytes()
    with sole_run(out), pytest.raises(OutputError, match="another run is writing there"):
        run(one)
    assert (out / LEDGER).read_bytes() == before
    assert [row.error for row in run(one)] == [None]


def test_options_that_no_user_can_have_are_said_once(
    run: Callable[..., tuple[UserRow, ...]], users: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(MyqasrError, match="infeasible"):
        run(find_users(users), resolve_config("10KB"))
    with pytest.raises(MyqasrError, match="'nobody' matches none"):
        run(find_users(users), resolve_config("200KB", keep=["nobody=8"]))
    assert sorted(tmp_path.iterdir()) == before


def test_a_full_disk_and_a_defect_cost_one_user_each(
    run: Callable[..., tuple[UserRow, ...]], users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, flush = pipeline.quantize, output_folder._flush

    def full(folder: Path) -> None:
        if ".ann." in str(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(folder)

    def broken(*words: object, **options: object) -> object:
        if str(options["out"]).endswith("cid"):
            raise ZeroDivisionError("of what nobody foresaw\nand more")
        return whole(*words, **options)

    monkeypatch.setattr(output_folder, "_flush", full)
    monkeypatch.setattr(pipeline, "quantize", broken)
    ann, bob, cid = run(find_users(users))
    assert "no space left to write" in str(ann.error) and bob.error is None
    assert cid.error == "unexpected ZeroDivisionError: of what nobody foresaw"
    monkeypatch.undo()
    ann, again, _ = run(find_users(users))
    assert ann.error is None and again == bob
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["ann", "bob", LEDGER]


def test_a_ledger_without_room_stops_the_fleet_and_stays_readable(
    run: Callable[..., tuple[UserRow, ...]], users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Ledger.append

    def full(ledger: Ledger, row: UserRow) -> None:
        if row.user == "bob":
            with ledger.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(row))[:30])  # what still found room
            ledger = Ledger(Path("/dev/full"), ledger.made)
        append(ledger, row)

    monkeypatch.setattr(Ledger, "append", full)
    with pytest.raises(OutputError, match=r"No space left on device .*free space"):
        run(find_users(users))
    monkeypatch.undo()
    assert [(row.user, row.error is None) for row in run(find_users(users))] == [
        ("ann", True),
        ("bob", True),
        ("cid", False),
    ]
    lines = [json.loads(line) for line in (tmp_path / "out" / LEDGER).read_text(encoding="utf-8").splitlines()]
    assert [line.get("user") for line in lines] == [None, "ann", "bob", "cid"]


def test_a_user_without_speech_is_told(run: Callable[..., tuple[UserRow, ...]], users: Path) -> None:
    soundfile.write(users / "cid" / "0.wav", np.zeros(16_000), 16_000)
    (users / "dan").mkdir()
    rows = run({name: [users / name] for name in ("cid", "dan", "bob")})
    assert [row.user for row in rows] == ["cid", "dan", "bob"]
    assert "every sample is zero" in str(rows[0].error) and "no audio found" in str(rows[1].error)
    assert rows[2].error is None


def test_users_of_a_manifest(users: Path, tmp_path: Path) -> None:
    lines = [{"user": "ann", "audio": "ann/0.wav"}, {"user": "bob", "audio": "bob"}, {"user": "ann", "audio": "x"}]
    manifest = users / "users.jsonl"
    manifest.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8-sig")
    assert find_users(manifest) == {"ann": [users / "ann/0.wav", users / "x"], "bob": [users / "bob"]}
    for content, said in (
        ("", "no user"),
        ('{"user": "a"}', "line 1: expected"),
        ("nonsense", "line 1"),
        ('{"user": "../a", "audio": "x"}', "cannot be the name of a folder"),
        ('{"user": "fleet.jsonl", "audio": "x"}', "cannot be the name of a folder"),
        ('{"user": "Ann", "audio": "x"}\n{"user": "ann", "audio": "y"}', "one name on many"),
    ):
        manifest.write_text(content)
        with pytest.raises(OptionError, match=said):
            find_users(manifest)
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(OptionError, match=r"no user|no such file or folder"):
            find_users(place)


def test_the_command_lists_everybody(
    save_model: Callable[..., Path], users: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fleet", str(save_model("smallest")), "--users", str(users), "--out"]
    for place in (users, users / "bob"):
        with pytest.raises(SystemExit) as stop:
            main([*words, str(place), "--budget", "90KB"])
        assert stop.value.code == 2
        assert "holds recordings of --users" in " ".join(capsys.readouterr().err.split())
    words.append(str(tmp_path / "out"))
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([*words, "--budget", "90KB", "--recipe", "paper-file", "--json"])
    assert stop.value.code == 3
    out, err = capsys.readouterr()
    told = json.loads(out)["users"]
    assert [line.split(":")[0] for line in err.splitlines() if " of 3" in line] == ["ann", "bob", "cid"]
    assert "\x1b" not in err and "\r" not in err
    assert [row["user"] for row in told] == ["ann", "bob", "cid"]
    assert all(row["bytes"] <= 90_000 for row in told[:2])
