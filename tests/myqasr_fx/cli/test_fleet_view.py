"""What a fleet tells while it works and at its end."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from myqasr_fx.cli import next_steps
from myqasr_fx.cli.fleet_view import Teller, fleet_view
from myqasr_fx.fleet.ledger import UserRow
from myqasr_fx.process.progress import RichProgress

ANN = UserRow("ann", "00", 120.0, 23_999_980, "accepted", 0.9813, 0.0071)
BOB = replace(ANN, user="bob", verdict="rejected", agreement=0.84, kl=0.2)
CID = UserRow("cid", "00", 0.2, error="users/cid/0.wav: is no audio (give WAV, FLAC, OGG or MP3)")
USERS = {"ann": [Path("users/ann")], "bob": [Path("users/my bob")], "cid": [Path("users/cid")]}


def test_every_user_is_told_with_what_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter((0.0, 60.0, 180.0, 180.0))
    tell = Teller(RichProgress(), 3, lambda: next(seconds, 181.0))
    tell(replace(ANN, user="eve\x1b[2J"), False)
    tell(BOB, True)
    tell(CID, True)
    out, err = capsys.readouterr()
    assert out == ""
    made = "23,999,980 bytes, {} of tokens as at full precision, 2 min 00 s"
    assert err.splitlines() == [
        "3 users, told one by one; interrupted, the same command goes on",
        f"eve\\x1b[2J: made before, accepted, {made.format('98.13%')} (1 of 3)",
        f"bob: rejected, {made.format('84.00%')} (2 of 3, about 2 min left)",
        "cid: no bundle: users/cid/0.wav: is no audio (give WAV, FLAC, OGG or MP3) (3 of 3)",
    ]


def test_it_ends_with_a_table_and_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(next_steps, "typed", lambda: "myqasr")
    output = io.StringIO()
    Console(width=80, file=output).print(fleet_view((ANN, BOB, CID), USERS, Path("the fleet")))
    text = output.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "2 of 3 users have a bundle, 47,999,960 bytes in all, 1 accepted, 1 rejected" in text
    assert "cid has none: users/cid/0.wav: is no audio" in text
    assert [line.strip() for line in text.splitlines()][-3:] == [
        "next  'the fleet/ann/report.html' in a browser",
        "myqasr transcribe 'the fleet/ann' AUDIO",
        "myqasr diagnose 'the fleet/bob' --audio 'users/my bob'",
    ]


def test_where_nobody_has_a_bundle_nothing_can_be_done_with_one() -> None:
    output = io.StringIO()
    Console(width=80, file=output).print(fleet_view((CID,), USERS, Path("out")))
    assert "0 of 1 users have a bundle" in output.getvalue() and "next" not in output.getvalue()
