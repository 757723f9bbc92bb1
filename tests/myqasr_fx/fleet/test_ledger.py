"""The ledger of a fleet keeps every whole line, wherever the last one was cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from myqasr_fx.errors import OptionError, OutputError
from myqasr_fx.fleet.ledger import Ledger, UserRow

MADE = {"fingerprint": "x", "options": {"language": "français"}}
ANN, ZOE = UserRow("ann", "aa", 1.0, 5), UserRow("Zoë", "bb", 2.0, error="ein Gerät 音")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Of Ann and Zoë."""
    found = Ledger(tmp_path / "fleet.jsonl", MADE)
    assert found.resume() == {}
    found.append(ANN)
    found.append(ZOE)
    return found


def test_a_cut_at_any_byte_of_the_last_line_leaves_the_rows_before_it(ledger: Ledger) -> None:
    content = ledger.path.read_bytes()
    before = content[:-1].rfind(b"\n") + 1
    assert ledger.resume() == {"ann": ANN, "Zoë": ZOE} and ledger.path.read_bytes() == content
    for size in range(before, len(content)):
        ledger.path.write_bytes(content[:size])
        assert ledger.resume() == {"ann": ANN}
        assert ledger.path.read_bytes() == content[:before]
    ledger.append(ZOE)
    assert ledger.path.read_bytes() == content


def test_a_cut_first_line_is_begun_anew(ledger: Ledger) -> None:
    head = ledger.path.read_bytes().split(b"\n")[0] + b"\n"
    for size in range(len(head)):
        ledger.path.write_bytes(head[:size])
        assert ledger.resume() == {}
        assert ledger.path.read_bytes() == head
    assert list(ledger.path.parent.iterdir()) == [ledger.path]


def test_a_cut_ledger_loses_no_row_where_nothing_can_be_written(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = ledger.path.read_bytes()[:-3]

    def refused(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    ledger.path.write_bytes(cut)
    with monkeypatch.context() as patch:
        patch.setattr(os, "truncate", refused)
        with pytest.raises(OutputError, match="Input/output error"):
            ledger.resume()
    assert ledger.path.read_bytes() == cut
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refused)
        patch.setattr(os, "replace", refused)
        assert ledger.resume() == {"ann": ANN}


def test_a_head_that_cannot_be_replaced_stays(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    head = ledger.path.read_bytes().split(b"\n")[0] + b"\n"
    ledger.path.write_bytes(head)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="no space left"):
            Ledger(ledger.path, MADE | {"fingerprint": "y"}).resume()
    assert ledger.path.read_bytes() == head and list(ledger.path.parent.iterdir()) == [ledger.path]


def test_letters_that_are_none_amid_the_file_are_told(ledger: Ledger) -> None:
    ledger.path.write_bytes(ledger.path.read_bytes().replace("Zoë".encode(), b"Zo\xff"))
    with pytest.raises(OptionError, match="no ledger"):
        ledger.resume()
