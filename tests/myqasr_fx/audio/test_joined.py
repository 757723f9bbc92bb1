"""Files of several recordings are refused; whatever else lies behind a recording does no harm."""

from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.audio import load_audio
from myqasr_fx.errors import AudioError

Record = Callable[..., Path]

FORMS = [("mp3", {}), ("ogg", {}), ("opus", {"format": "OGG", "subtype": "OPUS"}), ("flac", {})]


@pytest.mark.parametrize(("suffix", "options"), FORMS)
@pytest.mark.parametrize("tag", [b"", b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10)])
def test_one_behind_the_other(record: Record, suffix: str, options: dict[str, str], tag: bytes) -> None:
    first, second = (record(f"{seconds}.{suffix}", float(seconds), **options) for seconds in (1, 3))
    assert load_audio(second).seconds == pytest.approx(3, abs=0.1)
    both = first.with_name(f"both.{suffix}")
    both.write_bytes(first.read_bytes() + (tag if suffix == "mp3" else b"") + second.read_bytes())
    with pytest.raises(AudioError, match=r"several recordings one behind the other, .*ffmpeg"):
        load_audio(both)


@pytest.mark.parametrize("behind", [b"TAG" + bytes(125), b"APETAGEX" + bytes(1 << 16), bytes(1 << 15)])
def test_other_things_behind_an_mp3(record: Record, behind: bytes) -> None:
    whole = record("whole.mp3", 2.0)
    with whole.open("ab") as file:
        file.write(behind)
    assert load_audio(whole).seconds == pytest.approx(2, abs=0.1)


def test_a_recording_in_the_notes_of_a_flac(record: Record) -> None:
    inner, whole = record("inner.flac", 1.0), record("whole.flac", 2.0)
    note = b"test" + inner.read_bytes()  # of an application, RFC 9639, section 8.4
    content = whole.read_bytes()
    start = 4 + 4 + 34
    assert not content[4] & 0x80  # other notes follow the first
    whole.write_bytes(content[:start] + b"\x02" + len(note).to_bytes(3) + note + content[start:])
    assert load_audio(whole).seconds == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("behind", [b"TAG" + bytes(125), b"fLaC" + bytes(1 << 15)])
def test_other_things_behind_a_flac(record: Record, behind: bytes) -> None:
    whole = record("whole.flac", 2.0)
    with whole.open("ab") as file:
        file.write(behind)
    assert load_audio(whole).seconds == pytest.approx(2, abs=0.1)
