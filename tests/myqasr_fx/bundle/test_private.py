"""Names of recordings in what may be published."""

from pathlib import Path

import pytest

from myqasr_fx.bundle.private import count_of, without_folders


@pytest.mark.parametrize(
    ("reason", "path", "expected"),
    [
        ("/home/anna/diary/a.wav: is empty", None, "a.wav: is empty"),
        ("/home/anna/my diary/a.wav: is empty", None, "a.wav: is empty"),
        ("/home/anna/my: diary/a b.wav: is empty", "/home/anna/my: diary/a b.wav", "a b.wav: is empty"),
        ("diary/a.wav: cannot be read: Permission denied", "diary/a.wav", "a.wav: cannot be read: Permission denied"),
        ("~/diary/a.wav: is empty", None, "a.wav: is empty"),
        ("a.wav: is damaged: opening '/home/anna/a.wav'", "a.wav", "a.wav: is damaged: opening 'a.wav'"),
        ("array 3: every sample is zero", None, "array 3: every sample is zero"),
        ("a.wav: 0.0100 s of audio, expected 8/16 bits", None, "a.wav: 0.0100 s of audio, expected 8/16 bits"),
    ],
)
def test_reasons_keep_base_names(reason: str, path: str | None, expected: str) -> None:
    assert without_folders(reason, None if path is None else Path(path)) == expected


def test_a_count_names_none() -> None:
    assert count_of([]) == ()
    assert count_of(["a.wav: x"]) == ("1 recording could not be used",)
    assert count_of(["a.wav: x", "b.wav: y"]) == ("2 recordings could not be used",)
