"""Who the users of the fleet's benchmark are, and that the plan for a million accounts for all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import fleet
import fleet_plan
import pytest

ROW = fleet.Row("m", "1MB", 20, 12, 2, 0, "x", 20, 100.0, 14.0, 4.0, 8.0, 8.0, 1_000_000, 1_200_000, 400_000, 8.0)
CALM = fleet_plan.World(4, 1e9, 600.0, 0.0, 0.0, 0.0, 1e12)


def test_users_are_speakers_with_draws_of_their_own(tmp_path: Path) -> None:
    lines = [
        {"speaker": speaker, "audio": f"{speaker}{index}.flac", "split": split, "dataset": "d"}
        for speaker in "ab"
        for index, split in enumerate(["calib"] * 6 + ["test"] * 3)
    ]
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("\n".join(map(json.dumps, lines)))
    found = [json.loads(line) for line in fleet.users(manifest, "d", 4, 3)]
    heard: dict[str, list[str]] = {}
    for row in found:
        heard.setdefault(row["user"], []).append(Path(row["audio"]).stem)
    assert list(heard) == ["a-0000", "b-0001", "a-0002", "b-0003"]
    for user, names in heard.items():
        assert len(set(names)) == 3
        assert all(name[0] == user[0] and int(name[1:]) < 6 for name in names)  # none of the test recordings
    assert heard["a-0000"] != heard["a-0002"]


def test_a_plan_without_trouble_takes_what_the_work_takes() -> None:
    plan = fleet_plan.simulate(ROW, 800, 2, CALM)
    assert plan.hours == pytest.approx((800 / 8 * 8.0 + 6.0) / 3600, rel=1e-6)
    assert (plan.retries, plan.machine_losses, plan.given_up) == (0, 0, 0)


def test_deaths_are_done_again_and_deadly_users_given_up() -> None:
    plan = fleet_plan.simulate(ROW, 1000, 2, replace(CALM, deadly=0.003, deaths=0.0))
    assert (plan.given_up, plan.retries) == (3, 3 * (fleet_plan.TRIES - 1))
    plan = fleet_plan.simulate(ROW, 1000, 2, replace(CALM, deaths=0.05))
    assert 20 < plan.retries < 100 and plan.given_up <= 1
    plan = fleet_plan.simulate(ROW, 4000, 2, replace(CALM, machine_hours=0.5))
    assert plan.machine_losses and plan.retries >= plan.machine_losses and not plan.given_up
    slow = fleet_plan.simulate(ROW, 800, 2, replace(CALM, slow=1.0))
    assert slow.hours == pytest.approx(2 * fleet_plan.simulate(ROW, 800, 2, CALM).hours, rel=0.01)


def test_tables_have_a_line_a_run() -> None:
    for lines in (fleet.table([ROW]), fleet_plan.table([ROW], 1000, [1, 2], CALM)):
        assert len({line.count("|") for line in lines}) == 1
    assert lines[-1].startswith("| m | 2 | 0.3 | ")
