import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx.audio import Clip, iter_windows, load_audio, select_clips
from myqasr_fx.audio.decode import read_header
from myqasr_fx.audio.load import load_windows
from myqasr_fx.errors import AudioError

Record = Callable[..., Path]

FORMATS = [(16_000, "a.flac"), (44_100, "a.wav"), (16_000, "a.mp3"), (22_050, "a.ogg")]
"""Rate and name."""

REASONS = {
    "empty": "is empty",
    "header only": "holds no samples",
    "text": "is no audio, or damaged",
    "random": "is no audio, or damaged",
    "cut wav": "is truncated",
    "cut flac": "is damaged or truncated",
    "cut ogg": "is truncated",
    "cut mp3": "is truncated",
    "zero": "every sample is zero",
    "nan": "holds NaN or infinite samples",
    "short": "0.0200 s of audio, expected at least 0.025 s",
}


def test_bad_files_are_one_clear_error(bad_file: tuple[str, Path]) -> None:
    kind, path = bad_file
    with pytest.raises(AudioError) as caught:
        load_audio(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {REASONS[kind]}")
    assert "\n" not in message


def test_bad_files_are_the_same_error_when_streamed(bad_file: tuple[str, Path]) -> None:
    kind, path = bad_file
    with pytest.raises(AudioError) as caught:
        for _ in iter_windows(path, 0.5):
            pass
    assert caught.value.message.startswith(f"{path}: {REASONS[kind]}")


@pytest.mark.parametrize("path", ["missing.wav", "missing/folder.flac"])
def test_missing_file_is_an_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(AudioError, match="cannot be read: No such file"):
        load_audio(tmp_path / path)


def test_headerless_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sound.raw").write_bytes(bytes(1000))
    with pytest.raises(AudioError, match="is no audio, or damaged"):
        load_audio(tmp_path / "sound.raw")


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.wav", {"subtype": "FLOAT"}, 0),
        ("a.wav", {"subtype": "PCM_16"}, 1e-4),
        ("a.wav", {"subtype": "PCM_U8"}, 1e-2),
        ("a.flac", {}, 1e-4),
        ("a.ogg", {}, 0.05),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 0.1),
        ("a.mp3", {}, 0.05),
        ("a.aiff", {}, 1e-4),
        ("a.au", {}, 1e-4),
        ("a.caf", {}, 1e-4),
        ("a.w64", {}, 1e-4),
    ],
)
def test_formats(record: Record, name: str, options: dict[str, str], tolerance: float) -> None:
    expected = soundfile.read(record("exact.wav", subtype="FLOAT"), dtype="float32")[0]
    clip = load_audio(record(name, **options))
    assert clip.samples.dtype == np.float32
    assert clip.seconds == 2.0
    np.testing.assert_allclose(clip.samples[:-200], expected[:-200], atol=tolerance)  # codecs fade the end


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
def test_any_rate_becomes_16_khz(record: Record, rate: int) -> None:
    expected = load_audio(record("a.wav", 3.0, subtype="FLOAT")).samples
    samples = load_audio(record("b.wav", 3.0, rate, subtype="FLOAT")).samples
    assert len(samples) == len(expected)
    np.testing.assert_allclose(samples[800:-800], expected[800:-800], atol=1e-3)


@pytest.mark.parametrize("channels", [2, 3, 6])
def test_channels_are_averaged(record: Record, channels: int) -> None:
    mono = soundfile.read(record("a.wav", subtype="FLOAT"), dtype="float32")[0]
    gains = np.arange(1, channels + 1, dtype=np.float32) / channels
    samples = load_audio(record("b.wav", mono[:, None] * gains, subtype="FLOAT")).samples
    np.testing.assert_allclose(samples, mono * gains.mean(), atol=1e-6)


@pytest.mark.parametrize(("rate", "name"), FORMATS)
def test_windows_join_to_the_whole_file(record: Record, rate: int, name: str) -> None:
    path = record(name, 27.3, rate)
    windows = list(iter_windows(path, 5.0))
    assert [len(window) for window in windows[:-1]] == [80_000] * 5
    np.testing.assert_array_equal(np.concatenate(windows), load_audio(path).samples)


@pytest.mark.parametrize(("rate", "name"), FORMATS)
def test_chosen_windows_equal_the_same_place_of_the_file(record: Record, rate: int, name: str) -> None:
    path = record(name, 27.3, rate)
    whole = load_audio(path).samples
    starts = (4.0, 12.0, 26.0)
    windows = list(load_windows(path, read_header(path), starts, 2.0))
    assert [len(window) for window in windows] == [32_000, 32_000, 20_800]
    edge = 0 if rate == 16_000 else 800  # a resampled window does not see its neighbours
    for start, window in zip(starts, windows, strict=True):
        if name.endswith("ogg") and start == 26:
            continue  # the decoder finds its way into the last page only to some samples
        expected = whole[round(start * 16_000) :][: len(window)]
        np.testing.assert_allclose(window[edge : len(window) - edge], expected[edge : len(window) - edge], atol=2e-3)


def test_a_rest_below_one_frame_is_left_out(record: Record) -> None:
    assert [len(window) for window in iter_windows(record("a.wav", 2.02), 1.0)] == [16_000, 16_000]


def test_silence_between_speech_is_no_error(record: Record) -> None:
    samples = np.zeros(64_000, np.float32)
    samples[50_000:] = 0.1
    assert len(list(iter_windows(record("a.wav", samples), 1.0))) == 4


def test_mp3_without_table_of_contents_has_its_true_length(record: Record) -> None:
    noise = np.random.default_rng(0).normal(0, np.linspace(0, 0.2, 160_000)).astype(np.float32)
    path = record("a.mp3", noise, bitrate_mode="VARIABLE")
    data = path.read_bytes()
    path.write_bytes(data[data.index(b"\xff\xf3", data.index(b"Xing")) :])  # from the second frame on
    assert soundfile.info(path).frames > 200_000  # guessed from the first, small frame
    assert load_audio(path).seconds == pytest.approx(10, abs=0.2)


def test_wav_from_a_pipe_is_read_to_its_end(record: Record) -> None:
    path = record("a.wav")
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # what programs write that cannot seek back
    path.write_bytes(data)
    assert load_audio(path).seconds == 2.0


def test_streaming_needs_memory_for_a_window_only(record: Record) -> None:
    path = record("a.wav", 600.0)
    tracemalloc.start()
    seconds = sum(len(window) for window in iter_windows(path)) / 16_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds == 600
    assert peak < 12e6  # the file's samples take 38e6


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.ones(16_000), "float64"),
        (np.ones((2, 16_000), np.float32), r"\(2, 16000\)"),
        (np.ones(399, np.float32), "expected at least 0.025 s"),
        (np.zeros(16_000, np.float32), "every sample is zero"),
        (np.full(16_000, np.inf, np.float32), "infinite"),
        ([0.0] * 16_000, "samples are list"),
    ],
)
def test_bad_arrays_are_an_error(samples: np.ndarray, reason: str) -> None:
    with pytest.raises(AudioError, match=f"array: .*{reason}"):
        Clip(None, samples)


def test_digest_tells_clips_apart() -> None:
    a, b = (Clip(None, np.full(1_000, value, np.float32)) for value in (0.1, 0.2))
    assert a.sha256 != b.sha256
    assert a.sha256 == Clip(Path("x.wav"), a.samples).sha256


@pytest.mark.parametrize("rate", [1, 3_999, 400_000])
def test_impossible_rates_are_refused_before_anything_is_decoded(record: Record, rate: int) -> None:
    path = record("a.wav", np.full(100_000, 0.1, np.float32), rate)
    for read in (load_audio, read_header, lambda file: list(iter_windows(file))):
        with pytest.raises(AudioError, match=f"has a sampling rate of {rate} Hz, expected 4,000 to 384,000 Hz"):
            read(path)


def test_a_length_beyond_any_recording_is_refused(record: Record) -> None:
    path = record("a.flac")
    data = bytearray(path.read_bytes())
    data[21:26] = bytes([data[21] | 0x0F, *[0xFF] * 4])  # STREAMINFO: 36 bits of samples, all set
    path.write_bytes(data)
    with pytest.raises(AudioError, match=r"declares 1,193 h, expected at most 1,000 h"):
        read_header(path)


def test_many_channels_of_a_high_rate_take_no_more_memory(record: Record) -> None:
    path = record("a.wav", np.full((384_000 // 4, 200), 0.1, np.float32), 384_000, subtype="PCM_U8")
    tracemalloc.start()
    load_audio(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6  # ten seconds would take 3e9


def test_names_that_are_no_utf_8_can_be_read(record: Record) -> None:
    path = record("a.wav")
    odd = Path(os.fsdecode(os.fsencode(path.parent) + b"/caf\xe9.wav"))
    path.rename(odd)
    assert load_audio(odd).seconds == 2
    odd.write_bytes(b"no audio")
    with pytest.raises(AudioError, match="no usable audio") as caught:
        select_clips(odd)
    assert "caf\N{REPLACEMENT CHARACTER}.wav: is no audio" in caught.value.message
    caught.value.message.encode()


@pytest.mark.parametrize("silence", [0, 400])
def test_a_recording_whose_header_was_never_finished_says_so(record: Record, silence: int) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    path = record("a.wav", np.concatenate([np.zeros(silence, np.float32), noise]))
    whole = path.read_bytes()
    size = whole.index(b"data") + 4
    path.write_bytes(whole[:size] + bytes(4) + whole[size + 4 :])
    with pytest.raises(AudioError, match="never finished it") as caught:
        load_audio(path)
    assert f"ffmpeg -i {path.name}" in str(caught.value.hint)


def test_a_header_with_a_note_and_no_samples_is_finished(record: Record) -> None:
    path = record("a.wav", np.zeros(0, np.float32))
    note = b"INFOISFT" + (4).to_bytes(4, "little") + b"Lavf"
    path.write_bytes(path.read_bytes() + b"LIST" + len(note).to_bytes(4, "little") + note)
    with pytest.raises(AudioError, match=r"holds no samples$"):
        load_audio(path)
