"""Recordings of phones and messengers, made here with PyAV."""

from __future__ import annotations

import builtins
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from myqasr_fx.audio import iter_windows, load_audio, select_clips
from myqasr_fx.audio.decode import read_header
from myqasr_fx.audio.load import load_windows
from myqasr_fx.errors import AudioError

RATE = 48_000

KINDS = {
    "a.m4a": ("aac", 48_000),
    "a.mp4": ("aac", 44_100),
    "a.mov": ("alac", 16_000),
    "a.webm": ("libopus", 48_000),
    "a.mka": ("flac", 22_050),
    "a.wma": ("wmav2", 44_100),
    "a.amr": ("libopencore_amrnb", 8_000),
    "a.3gp": ("libopencore_amrnb", 8_000),
    "a.aac": ("aac", 32_000),
}
"""Name to codec and rate."""

FORMATS = {"a.aac": "adts", "a.mka": "matroska"}


def melody(seconds: float, rate: int) -> np.ndarray:
    """A tone that gets louder, so that every place differs from the others."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * 300 * time) * (0.5 + 0.5 * time / seconds)).astype(np.float32)


def add_audio(container: Any, codec: str, rate: int, channels: int = 1) -> Any:
    stream = container.add_stream(codec, rate=rate)
    stream.layout = "mono" if channels == 1 else "stereo"
    stream.bit_rate = 12_200 if "amr" in codec else 64_000
    return stream


def encode(container: Any, stream: Any, samples: np.ndarray, rate: int) -> None:
    """Writes samples (C, T) float32 in frames of 20 ms."""
    form, step = stream.format.name, rate // 50
    for start in range(0, samples.shape[1], step):
        part = samples[:, start : start + step]
        if form.startswith("s16"):
            part = (part * 32767).astype(np.int16)
        elif form.startswith("s32"):
            part = (part * (2**31 - 1)).astype(np.int32)
        planar = part if form.endswith("p") else part.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(planar), format=form, layout=stream.layout.name)
        frame.sample_rate, frame.pts = rate, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """``make(name, seconds or samples (C, T))``: a recording of the codec and rate that :data:`KINDS` has for it."""

    def write(name: str, audio: float | np.ndarray = 5.0, **options: str) -> Path:
        codec, rate = KINDS[name]
        samples = melody(audio, rate)[None] if isinstance(audio, float) else audio
        with av.open(str(tmp_path / name), "w", format=FORMATS.get(name), container_options=options) as container:
            encode(container, add_audio(container, codec, rate, len(samples)), samples, rate)
        return tmp_path / name

    return write


@pytest.mark.parametrize("name", KINDS)
def test_what_phones_record_is_read(make: Callable[..., Path], name: str) -> None:
    clip = load_audio(make(name))
    assert clip.samples.dtype == np.float32
    assert clip.seconds == pytest.approx(5, abs=0.1)
    loudness = [np.sqrt(np.square(part).mean()) for part in np.array_split(clip.samples[8_000:-8_000], 4)]
    spectrum = np.abs(np.fft.rfft(clip.samples))
    assert spectrum.argmax() * 16_000 / len(clip.samples) == pytest.approx(300, abs=1)
    expected = [np.sqrt(np.square(part).mean()) for part in np.array_split(melody(5.0, 16_000)[8_000:-8_000], 4)]
    np.testing.assert_allclose(loudness, expected, rtol=0.35)  # AMR makes tones softer


@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.amr"])
def test_windows_are_those_of_the_whole_file(make: Callable[..., Path], name: str) -> None:
    path = make(name, 24.0)
    whole = load_audio(path).samples
    np.testing.assert_array_equal(np.concatenate(list(iter_windows(path, 5.0))), whole)
    for start, window in zip((4.0, 20.0), load_windows(path, read_header(path), (4.0, 20.0), 2.0), strict=True):
        expected = whole[round(start * 16_000) :][: len(window)]
        np.testing.assert_allclose(window[800:-800], expected[800:-800], atol=2e-3)


def test_folders_give_clips_of_them(make: Callable[..., Path], tmp_path: Path) -> None:
    for name in ("a.m4a", "a.webm"):
        make(name)
    chosen = select_clips(tmp_path, max_clips=4, window_seconds=2.0)
    assert [clip.path.name for clip in chosen.clips if clip.path] == ["a.m4a", "a.m4a", "a.webm", "a.webm"]


def test_the_first_of_several_audio_tracks_is_read(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as container:
        tracks = [add_audio(container, "aac", 48_000) for _ in range(2)]
        for track, hertz in zip(tracks, (300, 700), strict=True):
            time = np.arange(96_000, dtype=np.float32) / 48_000
            encode(container, track, (0.3 * np.sin(2 * np.pi * hertz * time))[None], 48_000)
    samples = load_audio(path).samples
    assert np.abs(np.fft.rfft(samples)).argmax() * 16_000 / len(samples) == pytest.approx(300, abs=1)


def test_video_beside_the_audio_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        audio = add_audio(container, "aac", 48_000)
        for index in range(80):
            image = np.full((64, 64, 3), index, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
        encode(container, audio, melody(3.0, 48_000)[None], 48_000)
    assert load_audio(path).seconds == pytest.approx(3, abs=0.1)  # not the 8 s of the pictures


def test_a_file_without_an_audio_track_says_so(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width = video.height = 64
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(video.encode(None))
    with pytest.raises(AudioError, match=r"silent\.mp4: has no audio track"):
        load_audio(path)


def test_a_rate_that_changes_inside_the_file_is_followed(make: Callable[..., Path], tmp_path: Path) -> None:
    parts = []
    for rate in (32_000, 16_000):
        with av.open(str(tmp_path / "part.aac"), "w", format="adts") as container:
            encode(container, add_audio(container, "aac", rate), melody(3.0, rate)[None], rate)
        parts.append((tmp_path / "part.aac").read_bytes())
    (tmp_path / "both.aac").write_bytes(b"".join(parts))
    samples = load_audio(tmp_path / "both.aac").samples
    assert len(samples) / 16_000 == pytest.approx(6, abs=0.3)
    for half in np.array_split(samples, 2):  # played at one rate, the second would be an octave off
        middle = half[4_000:-4_000]
        assert np.abs(np.fft.rfft(middle)).argmax() * 16_000 / len(middle) == pytest.approx(300, abs=2)


def test_stereo_is_averaged(make: Callable[..., Path]) -> None:
    mono = melody(3.0, 16_000)
    samples = load_audio(make("a.mov", np.stack([mono, 0.5 * mono]))).samples
    np.testing.assert_allclose(samples, 0.75 * mono, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("a.m4a", {}, "is a damaged or truncated MP4 file"),  # its index is at the end
        ("a.m4a", {"movflags": "faststart"}, "truncated"),
        ("a.webm", {}, "truncated"),
        ("a.wma", {}, "truncated"),
    ],
)
def test_a_cut_file_is_one_clear_error(
    make: Callable[..., Path], name: str, options: dict[str, str], reason: str
) -> None:
    path = make(name, 20.0, **options)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(AudioError, match=rf"{name}: .*{reason}") as caught:
        load_audio(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.wma", "a.amr", "a.aac"])
def test_damaged_bytes_are_an_audio_error_or_samples(make: Callable[..., Path], name: str, seed: int) -> None:
    path = make(name, 2.0)
    rng = np.random.default_rng(seed)
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    places = rng.integers(0, min(len(data), 4_000), 40)
    data[places] = rng.integers(0, 256, 40)
    data[:16] = np.frombuffer(path.read_bytes()[:16], np.uint8)
    path.write_bytes(data.tobytes())
    try:
        clip = load_audio(path)
    except AudioError as error:
        assert error.message.startswith(f"{path}: ")
    else:
        assert np.isfinite(clip.samples).all()


def test_a_place_beyond_the_file_is_not_talked_about(make: Callable[..., Path]) -> None:
    path = make("a.mov", 2.0)
    data = bytearray(path.read_bytes())
    where = data.index(b"mdat") - 4
    data[where : where + 4] = bytes([0, 0, 0, 1])  # its length follows in 64 bits, which are sound
    path.write_bytes(data)
    ours = "import sys; from myqasr_fx.audio import select_clips; select_clips(sys.argv[1])"
    heard = subprocess.run([sys.executable, "-c", ours, str(path)], capture_output=True, text=True, check=False)
    assert "dropped" not in heard.stderr
    assert "AudioError: no usable audio: a.mov: is a damaged or truncated MP4 file" in heard.stderr


def test_nothing_but_the_file_is_opened(tmp_path: Path, make: Callable[..., Path]) -> None:
    real = make("a.m4a")
    for name, text in {
        "list.m4a": f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{real}\n#EXT-X-ENDLIST\n",
        "concat.webm": f"ffconcat version 1.0\nfile {real}\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(AudioError, match="is no audio, or damaged"):
            load_audio(tmp_path / name)


def test_without_pyav_the_error_names_the_extra(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = make("a.m4a"), builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "av":
            raise ModuleNotFoundError(name="av")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AudioError, match=r"a\.m4a: is an MP4 file, which only PyAV reads .*myqasr-fx\[audio\]"):
        load_audio(path)
    with pytest.raises(
        AudioError, match=r"no usable audio: a\.m4a: is an MP4 file, which only PyAV reads \(pip install"
    ):
        select_clips([path])
    silence = np.zeros(16_000, np.float32)
    silence[0] = 1
    (rejected,) = select_clips([path, silence]).rejected
    assert rejected.reason == "a.m4a: is an MP4 file, which only PyAV reads (pip install 'myqasr-fx[audio]')"


def test_with_pyav_garbage_is_not_said_to_need_it(tmp_path: Path) -> None:
    path = tmp_path / "garbage.m4a"
    path.write_bytes(b"no sound" * 99)
    with pytest.raises(AudioError, match=r"garbage\.m4a: is no audio, or damaged$"):
        load_audio(path)


def test_streaming_needs_memory_for_a_window_only(make: Callable[..., Path]) -> None:
    path = make("a.aac", 120.0)
    tracemalloc.start()
    seconds = sum(len(window) for window in iter_windows(path, 2.0)) / 16_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds == pytest.approx(120, abs=1)
    assert peak < 9e6  # the file's samples take 15e6
