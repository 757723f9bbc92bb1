from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.audio import found_inputs, select_clips
from myqasr_fx.errors import AudioError

Record = Callable[..., Path]


def places(clips: object) -> list[tuple[str, float]]:
    return [(clip.path.name, clip.start) for clip in clips.clips]  # type: ignore[attr-defined]


def test_short_files_are_taken_whole(record: Record, tmp_path: Path) -> None:
    for name in ("b.wav", "a.flac"):
        record(name, 3.0)
    chosen = select_clips(tmp_path)
    assert places(chosen) == [("a.flac", 0), ("b.wav", 0)]
    assert chosen.seconds == 6
    assert chosen.rejected == ()
    assert chosen.note is None


def test_long_file_is_cut_and_sampled_evenly(record: Record) -> None:
    path = record("a.wav", 100.0)
    chosen = select_clips(path, max_clips=5, window_seconds=4.0)
    assert places(chosen) == [("a.wav", start) for start in (8, 28, 48, 68, 88)]
    assert all(clip.seconds == 4 for clip in chosen.clips)
    assert chosen.note == "5 of 25 windows of 4 s used, spread over 0.03 h in one recording"


def test_every_file_gives_a_window_before_one_gives_two(record: Record, tmp_path: Path) -> None:
    record("long.wav", 40.0)
    record("one.wav", 3.0)
    record("two.wav", 3.0)
    chosen = select_clips(tmp_path, max_clips=5, window_seconds=4.0)
    assert places(chosen) == [("long.wav", 4), ("long.wav", 20), ("long.wav", 32), ("one.wav", 0), ("two.wav", 0)]


def test_seed_decides_between_many_files(record: Record, tmp_path: Path) -> None:
    for index in range(9):
        record(f"{index}.wav", 1.0)
    first, again, other = (select_clips(tmp_path, max_clips=4, seed=seed) for seed in (0, 0, 1))
    assert len(first.clips) == 4
    assert places(first) == places(again)
    assert first.sha256 == again.sha256
    assert places(first) != places(other)
    assert places(first) == sorted(places(first))


def test_bad_files_are_listed_and_good_ones_used(record: Record, bad_files: dict[str, Path], tmp_path: Path) -> None:
    record("good.wav")
    chosen = select_clips(tmp_path)
    assert places(chosen) == [("good.wav", 0)]
    assert {item.path for item in chosen.rejected} == set(bad_files.values())
    assert all(item.reason.startswith(f"{item.path.name}: ") for item in chosen.rejected if item.path)
    assert not any(str(tmp_path) in item.reason for item in chosen.rejected)  # myqasr.json keeps the reasons


def test_good_files_take_the_place_of_bad_ones(record: Record, bad_files: dict[str, Path], tmp_path: Path) -> None:
    for index in range(3):
        record(f"good{index}.wav")
    for seed in range(4):
        assert len(select_clips(tmp_path, max_clips=3, seed=seed).clips) == 3


def test_each_bad_file_alone_is_an_error(bad_file: tuple[str, Path]) -> None:
    _, path = bad_file
    with pytest.raises(AudioError, match="no usable audio") as caught:
        select_clips(path)
    assert f"{path.name}: " in str(caught.value)
    assert str(path.parent) not in str(caught.value)


def test_only_bad_files_is_an_error_that_names_some(bad_files: dict[str, Path]) -> None:
    with pytest.raises(AudioError, match=f"and {len(bad_files) - 3} more"):
        select_clips(next(iter(bad_files.values())).parent)


def test_silent_windows_are_passed_over(record: Record) -> None:
    samples = np.zeros(16_000 * 20, np.float32)
    samples[16_000 * 14 : 16_000 * 16] = 0.1
    chosen = select_clips(record("a.wav", samples), max_clips=2, window_seconds=1.0)
    assert [clip.start for clip in chosen.clips] == [14, 15]


def test_a_file_found_damaged_late_gives_no_clip(record: Record, tmp_path: Path) -> None:
    samples = np.full(16_000 * 10, 0.1, np.float32)
    samples[-100] = np.nan
    record("bad.wav", samples, subtype="FLOAT")
    record("good.wav", 5.0)
    chosen = select_clips(tmp_path, max_clips=15, window_seconds=1.0)
    assert {clip.path.name for clip in chosen.clips if clip.path} == {"good.wav"}
    assert [item.path for item in chosen.rejected] == [tmp_path / "bad.wav"]


def test_arrays_are_cut_like_files(record: Record) -> None:
    array = np.full(136_000, 0.1, np.float32)
    chosen = select_clips([array, record("a.wav"), array[:8_000]], window_seconds=4.0)
    assert [(clip.name.rpartition("/")[2], clip.start, clip.seconds) for clip in chosen.clips] == [
        ("a.wav", 0, 2),
        ("array", 0, 4),
        ("array", 4, 4),
        ("array", 0, 0.5),
    ]


def test_bad_arrays_are_listed(record: Record) -> None:
    silent = np.zeros(16_000, np.float32)
    (item,) = select_clips([record("a.wav"), silent]).rejected
    assert item.path is None
    assert item.reason == "array 1: every sample is zero"
    with pytest.raises(AudioError, match="array 0: every sample is zero"):
        select_clips(silent)


@pytest.mark.parametrize(("clips", "seconds"), [(0, 30.0), (-1, 30.0), (1, 0.0), (1, -1.0)])
def test_impossible_requests_are_an_error(clips: int, seconds: float) -> None:
    with pytest.raises(AudioError, match="at least one clip"):
        select_clips(np.ones(16_000, np.float32), clips, seconds)


def test_five_hours_are_sampled_without_reading_them(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8_000, 1, "PCM_U8") as file:
        minute = np.sin(np.arange(8_000 * 60) / 5)
        for _ in range(5 * 60):
            file.write(minute)
    chosen = select_clips(path)
    assert len(chosen.clips) == 32
    assert chosen.note == "32 of 600 windows of 30 s used, spread over 5.00 h in one recording"
    starts = np.array([clip.start for clip in chosen.clips])
    assert np.abs(np.diff(starts) - 5 * 3600 / 32).max() <= 30


def test_inputs_are_listed_once_their_paths_exist(record: Record, tmp_path: Path) -> None:
    array = np.ones(16_000, np.float32)
    assert found_inputs(array)[0] is array
    record("a.wav", 1.0)
    assert found_inputs(item for item in (array, tmp_path / "a.wav")) == [array, tmp_path / "a.wav"]
    assert found_inputs(str(tmp_path)) == [str(tmp_path)]
    for wrong, words in (
        (tmp_path / "none", "no such file or folder"),
        ([array, "none.wav"], "no such file"),
        ([], "no"),
        (None, "audio is NoneType, expected files, folders or arrays"),
        ([array, 3], "audio is int, expected"),
        (array.reshape(2, -1), r"audio: samples are float32 \(2, 8000\), expected float32 of shape \(T,\)"),
        (array.astype(np.int16), "audio: samples are int16"),
    ):
        with pytest.raises(AudioError, match=words):
            found_inputs(wrong)
