"""The fault campaign: its faults come from the seed alone, and its judge sees what it is there to see."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from fault_bytes import damaged
from fault_case import Case, Ended, Outcome, judge, wrong_lines
from fault_check import DATA, page_complaint
from fault_json import mutated_json
from fault_process import Place, run_whole, taken
from fault_table import counts, table
from fault_victims import at_change, refusing
from faults import INPUTS, TRIALS, attempt, read_outcomes

CASE = Case("a fault", ("inspect", "in/bundle", "--json"), makes=("out",))
WELL = Ended(0, '{"a": 1}\n', "transcribe …\n", 1.0, 1.0, 1 << 20, ("out", "out/x"))
REFUSED = Ended(2, "", "load model …\nmyqasr: in/bundle: damaged (quantize again)\n", 1.0, 1.0, 1 << 20, ())


def test_the_campaign_is_as_large_as_it_has_to_be() -> None:
    assert sum(kind.inputs for kind in INPUTS) >= 2000
    killed = [trial.tries for trial in TRIALS if trial.name.startswith("killed")]
    assert sum(killed) >= 200
    names = [each.name for each in (*INPUTS, *TRIALS)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("number", range(200))
def test_faults_in_json_follow_from_the_seed_and_change_something(number: int) -> None:
    content = json.dumps({"a": [1, 2.5, "x"], "b": {"c": None, "d": True}}).encode()
    first, again = (mutated_json(content, Random(f"json/{number}")) for _ in range(2))
    assert first == again
    assert first[1]


def test_faults_in_bytes_follow_from_the_seed() -> None:
    content = bytes(range(256)) * 4
    found = {damaged(content, Random(number))[0] for number in range(100)}
    assert len(found) > 90
    assert damaged(content, Random(3), [5, 6]) == damaged(content, Random(3), [5, 6])
    assert damaged(b"", Random(1))[1]


def test_what_is_right() -> None:
    assert judge(CASE, WELL, Path()).outcome is Outcome.WORKED
    assert judge(CASE, REFUSED, Path()).outcome is Outcome.REFUSED
    assert judge(CASE, replace(WELL, code=3), Path()).outcome is Outcome.WORKED
    read = replace(CASE, accepts="in/bundle: damaged")  # the fault is elsewhere, and did not matter
    assert judge(read, REFUSED, Path()).outcome is Outcome.WORKED


@pytest.mark.parametrize(
    ("ended", "why"),
    [
        (replace(WELL, code=1), "exit code 1"),
        (replace(WELL, code=-11), "exit code -11"),
        (replace(WELL, out="{"), "no JSON"),
        (replace(WELL, out='{"a": NaN}'), "holds NaN"),
        (replace(WELL, out='{"a": "\x1b[2J"}'), "no JSON"),
        (replace(WELL, out='{"a": "\u202e"}'), "reaches the terminal"),
        (replace(WELL, err="libmpg123: error\n"), "a line that is not ours"),
        (replace(WELL, made=("out", "tmp/left")), "left behind: tmp/left"),
        (replace(WELL, peak_bytes=1 << 34), "GB of memory"),
        (replace(REFUSED, err=""), "0 lines of ours"),
        (replace(REFUSED, err=f"myqasr: {'x' * 300}\n"), "a line of 308 characters"),
        (replace(REFUSED, err="myqasr: a\nmyqasr: b\n"), "2 lines of ours"),
        (replace(REFUSED, err="Traceback (most recent call last):\nmyqasr: a\n"), "a line that is not ours"),
        (replace(REFUSED, out="half"), "refused, and printed"),
        (replace(REFUSED, made=("out/half",)), "left behind: out/half"),
    ],
)
def test_what_is_unforeseen(ended: Ended, why: str) -> None:
    verdict = judge(CASE, ended, Path())
    assert verdict.outcome is Outcome.UNFORESEEN
    assert why in verdict.why


def test_what_takes_too_long_hangs() -> None:
    assert judge(CASE, replace(WELL, code=None), Path()).outcome is Outcome.HANG


def test_a_wrong_result_is_unforeseen() -> None:
    checked = replace(CASE, check=lambda scratch, answer: f"{answer['a']} is wrong")
    assert judge(checked, WELL, Path()).why == "1 is wrong"


def test_stages_and_notes_may_stand_beside_an_answer() -> None:
    assert wrong_lines("load model …\nnot used: in/a.wav: is empty\nin/a.wav: one channel is silent\n", False) is None


@pytest.mark.parametrize(
    ("page", "why"),
    [
        (f"<html>{DATA}[]</script><script>x</script></html>", None),
        (f"<html>{DATA}[</script><script>x</script></html>", "JSONDecodeError"),
        (f"<html>{DATA}[]</script><script>x</script><script>y</script></html>", "3 scripts"),
        (f"<html>{DATA}[]</script><script>x</script><img src=x></html>", "img"),
        (f"<html>{DATA}[]</script><script>x</script><p onclick=x></html>", "onclick"),
        (f"<html>{DATA}[]</script><script>x</script>", "ends early"),
        ("<html></html>", "ValueError"),
    ],
)
def test_a_page_is_inert(tmp_path: Path, page: str, why: str | None) -> None:
    path = tmp_path / "page.html"
    path.write_text(page)
    found = page_complaint(path)
    assert found is None if why is None else found is not None and why in found


def test_a_line_that_was_cut_off_is_no_outcome(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.jsonl"
    assert read_outcomes(path) == {}
    rows = [{"name": "a/0", "outcome": "worked"}, {"name": "a/0", "outcome": "hang"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"name": "a/1"')
    assert read_outcomes(path) == {"a/0": rows[1]}


def test_counts() -> None:
    rows = [{"kind": "rules", "outcome": str(each), "seconds": 0.5} for each in (Outcome.REFUSED, Outcome.WORKED)]
    assert counts(rows, ["rules", "cache"]) == {
        "rules": {"tried": 2, "refused well": 1, "worked": 1, "unforeseen": 0, "hang": 0}
    }
    assert table(rows, ["rules"])[-1] == "| all | 2 | 1 | 1 | 0 | 0 | 0.5 |"


def test_an_unforeseen_input_is_kept(tmp_path: Path) -> None:
    from argparse import Namespace

    from fault_case import Trial, Tried, Verdict

    def attempted(base: Path, scratch: Path, random: Random, number: int) -> Tried:
        (scratch / "input").write_text(str(number))
        return Tried("a fault", ("inspect",), Verdict(Outcome.UNFORESEEN, "why"), WELL)

    row = attempt(Trial("a kind", 1, attempted), 7, Namespace(work=tmp_path, seed=1))
    assert (row["name"], row["outcome"], row["command"]) == ("a kind/7", "unforeseen", ["inspect"])
    assert (tmp_path / "kept" / "a-kind_7" / "input").read_text() == "7"


def test_what_only_sleeps_hangs(tmp_path: Path) -> None:
    ended = run_whole(("--help",), Place(tmp_path, limit=0.3), ("sh", "-c", "echo said; exec sleep 60", "sh"))
    assert (ended.code, ended.out) == (None, "said\n")
    assert ended.seconds < 30


def test_a_command_has_the_time_that_it_needs(tmp_path: Path) -> None:
    ended = run_whole(("--help",), Place(tmp_path), ("sh", "-c", "echo said; exit 3", "sh"))
    assert (ended.code, ended.out) == (3, "said\n")


def test_waiting_for_a_processor_takes_no_time() -> None:
    start = time.perf_counter()
    with subprocess.Popen(("sleep", "60")) as process:
        found = [taken(process.pid, start - 5), taken(1 << 30, start - 5)]
        process.kill()
    assert 0 < found[0] <= found[1] < time.perf_counter() - start + 5


def test_a_full_disk_takes_nothing_new_and_lets_files_be_removed(tmp_path: Path) -> None:
    watch = at_change(refusing(1, str(tmp_path)))
    watch("os.mkdir", (str(tmp_path / "a"), 511, -1))  # the change before
    watch("os.remove", (str(tmp_path / "a"), -1))
    watch("open", (str(tmp_path / "a"), "r", os.O_RDONLY))
    watch("os.mkdir", ("/elsewhere", 511, -1))
    with pytest.raises(OSError, match="No space left"):
        watch("open", (str(tmp_path / "a"), "w", os.O_WRONLY | os.O_CREAT))
