import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from myqasr_fx import runtime
from myqasr_fx.cli.app import main
from myqasr_fx.errors import AudioError
from myqasr_fx.runtime import CtcRuntime, Decoding, Segment, Transcript, Word

KEPT = Path(__file__).parents[2] / "data" / "bundle"


class Parrot:
    """A runtime that says the file's name."""

    def transcribe(self, audio: Path, language: str | None = None) -> Transcript:
        if audio.stem.startswith("broken"):
            raise AudioError(f"{audio.name}: is empty")
        if language == "xx":
            return Transcript("", (), 1.5, no_speech=True)
        text = f"[b]{audio.stem}[/b]"
        return Transcript(text, (1, 2), 1.5, language, segments=(Segment(0.0, 1.0, text), Segment(1.0, 1.5, "and")))


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runtime, "load_bundle", lambda folder, settings: Parrot())
    for name in ("b.wav", "a.wav"):
        soundfile.write(tmp_path / name, np.ones(1600, np.float32) / 2, 16_000)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stop:
        main(["transcribe", *arguments])
    return int(stop.value.code or 0), capsys.readouterr().out


def test_one_file_gives_its_text_alone(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "bundle", str(recordings / "a.wav")) == (0, "[b]a[/b]\n")


def test_several_files_are_named(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "bundle", str(recordings))
    assert code == 0
    assert out == f"{recordings / 'a.wav'}: [b]a[/b]\n{recordings / 'b.wav'}: [b]b[/b]\n"


def test_a_text_is_printed_as_soon_as_it_is_there_and_ctrl_c_keeps_it(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted(Parrot):
        def transcribe(self, audio: Path, language: str | None = None) -> Transcript:
            if audio.stem == "b":
                seen.append(capsys.readouterr().out)
                raise KeyboardInterrupt
            return super().transcribe(audio, language)

    seen: list[str] = []
    monkeypatch.setattr(runtime, "load_bundle", lambda folder, settings: Interrupted())
    first = f"{recordings / 'a.wav'}: [b]a[/b]\n"
    for words, printed in (((), first), (("--json",), ""), (("--format", "json"), "")):
        with pytest.raises(SystemExit) as stop:
            main(["transcribe", "bundle", str(recordings), *words])
        out, err = capsys.readouterr()
        assert (stop.value.code, seen.pop(), out) == (130, printed, "")
        assert err.endswith("myqasr: interrupted\n")


def test_json(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = run(capsys, "bundle", str(recordings / "a.wav"), "--language", "de", "--json")
    assert code == 0
    said = {"audio": str(recordings / "a.wav"), "text": "[b]a[/b]", "seconds": 1.5, "language": "de"}
    unknown = ("no_speech_probability", "log_probability", "compression_ratio", "note")
    said |= {"no_speech": False, **dict.fromkeys(unknown), "heard_again": 0}
    assert json.loads(out) == {"bundle": "bundle", "transcripts": [said], "rejected": []}


def test_formats(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("bundle", str(recordings / "a.wav"), "--format")
    assert run(capsys, *words, "text") == (0, "[b]a[/b]\n")
    assert run(capsys, *words, "json") == run(capsys, *words[:2], "--json") == run(capsys, *words, "json", "--json")
    cues = ("00:00:00,000 --> 00:00:01,000\n[b]a[/b]\n", "00:00:01,000 --> 00:00:01,500\nand\n")
    assert run(capsys, *words, "srt") == (0, f"1\n{cues[0]}\n2\n{cues[1]}")
    assert run(capsys, *words, "vtt") == (0, "WEBVTT\n\n" + "\n".join(cues).replace(",", "."))
    assert run(capsys, *words, "vtt", "--language", "xx") == (0, "WEBVTT\n")


def test_subtitles_are_of_one_recording_and_no_json(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (("bundle", str(recordings), "--format", "srt"), "--format srt with 2 recordings (subtitles are of one"),
        (("bundle", str(recordings / "a.wav"), "--format", "vtt", "--json"), "--format vtt and --json exclude each"),
        (("bundle", str(recordings), "--format", "pdf"), "'pdf' is not one of 'text', 'json', 'srt', 'vtt'"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["transcribe", *words])
        out, err = capsys.readouterr()
        assert (stop.value.code, out, err.count("\n")) == (2, "", 1)
        assert said in err


@pytest.mark.parametrize(
    ("printed", "content"),
    [
        ("text", "[b]a[/b]\n"),
        ("srt", "1\n00:00:00,000 --> 00:00:01,000\n[b]a[/b]\n\n2\n00:00:01,000 --> 00:00:01,500\nand\n"),
        ("vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n[b]a[/b]\n\n00:00:01.000 --> 00:00:01.500\nand\n"),
    ],
)
def test_a_file_for_each_recording(
    printed: str, content: str, recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, ending = recordings / "texts" / "of today", "txt" if printed == "text" else printed
    words = ("bundle", str(recordings / "a.wav"), str(recordings / "b.wav"), "--format", printed, "--out", str(out))
    assert run(capsys, *words) == (0, f"{out / 'a'}.{ending}\n{out / 'b'}.{ending}\n")
    assert sorted(path.name for path in out.iterdir()) == [f"a.{ending}", f"b.{ending}"]
    assert (out / f"a.{ending}").read_text(encoding="utf-8") == content
    code, told = run(capsys, *words, "--force", "--json", "--language", "xx")
    assert code == 0
    assert [said["file"] for said in json.loads(told)["transcripts"]] == [f"{out / n}.{ending}" for n in "ab"]
    assert (out / f"a.{ending}").read_text(encoding="utf-8") == ("WEBVTT\n" if printed == "vtt" else "")


def test_json_files_hold_one_recording_each(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (recordings / "broken.wav").write_bytes(b"")
    words = ("bundle", str(recordings), "--format", "json")
    assert run(capsys, *words, "--out", str(recordings / "o"))[0] == 0
    assert sorted(path.name for path in (recordings / "o").iterdir()) == ["a.json", "b.json"]
    printed = json.loads(run(capsys, *words)[1])["transcripts"]
    assert json.loads((recordings / "o" / "a.json").read_text(encoding="utf-8")) == printed[0]


def test_files_that_cannot_be_are_refused_before_the_work(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runtime, "load_bundle", lambda *_: pytest.fail("loaded a bundle"))
    monkeypatch.chdir(recordings)
    (recordings / "old").mkdir()
    (recordings / "old" / "b.txt").write_text("mine")
    (recordings / "more").mkdir()
    (recordings / "more" / "A.wav").write_bytes((recordings / "a.wav").read_bytes())
    (recordings / "c.txt").write_bytes(b"RIFF")
    for words, said in (
        (("a.wav", "b.wav", "--out", "old"), "old/b.txt exists (choose another --out, or replace it with --force)"),
        (("a.wav", "more/A.wav", "--out", "new"), "a.wav and more/A.wav would both be new/A.txt (give them in two"),
        (("a.wav", "--out", "b.wav"), "output b.wav is not a folder (choose another --out)"),
        (("-", "--out", "new"), "- with --out: standard input has no name"),
        (("c.txt", "--out", ".", "--force"), "c.txt is a recording itself"),
        (("a.wav", "--force"), "--force without --out"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["transcribe", "bundle", *words])
        out, err = capsys.readouterr()
        assert (stop.value.code, out, err.count("\n")) == (2, "", 1)
        assert said in err
    assert (recordings / "old" / "b.txt").read_text() == "mine" and not (recordings / "new").exists()


def test_where_no_recording_can_be_used_no_folder_is_made(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (recordings / "broken.wav").write_bytes(b"")
    out = recordings / "o"
    assert run(capsys, "bundle", str(recordings / "broken.wav"), "--out", str(out)) == (2, "")
    assert not out.exists()


@pytest.mark.parametrize("form", ["WAV", "FLAC"])
def test_standard_input_is_a_recording(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 8_000).astype(np.float32)
    soundfile.write(tmp_path / "a", noise, 16_000, format=form)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    asked = {}
    for given in (str(tmp_path / "a"), "-"):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((tmp_path / "a").read_bytes())))
        code, out = run(capsys, str(KEPT), given, "--json")
        assert code == 0
        (asked[given],) = json.loads(out)["transcripts"]
    name, piped = asked[str(tmp_path / "a")].pop("audio"), asked["-"].pop("audio")
    assert (name, piped) == (str(tmp_path / "a"), "standard input")
    assert asked["-"] == asked[name]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_standard_input_that_is_no_recording_is_one_line(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.undo()
    terminal = io.TextIOWrapper(io.BytesIO())
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    for stream, words, said in (
        (io.TextIOWrapper(io.BytesIO()), ("-",), "standard input: is empty"),
        (io.TextIOWrapper(io.BytesIO(b"hello" * 99)), ("-",), "standard input: is no audio, or damaged"),
        (terminal, ("-",), "standard input: is no recording (send WAV or FLAC into it"),
        (None, ("-",), "standard input: is no recording"),
        (None, ("-", str(recordings / "a.wav")), "- beside other recordings (give standard input alone"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", stream)
            with pytest.raises(SystemExit) as stop:
                main(["transcribe", str(KEPT), *words])
        out, err = capsys.readouterr()
        assert (stop.value.code, out) == (2, "")
        assert err.splitlines()[-1].startswith(f"myqasr: {said}")


def test_broken_files_are_listed_and_the_others_transcribed(
    recordings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (recordings / "broken.wav").touch()
    with pytest.raises(SystemExit) as stop:
        main(["transcribe", "bundle", str(recordings), "--json"])
    out, err = capsys.readouterr()
    assert not stop.value.code
    assert [Path(said["audio"]).name for said in json.loads(out)["transcripts"]] == ["a.wav", "b.wav"]
    assert json.loads(out)["rejected"] == ["broken.wav: is empty"]
    assert "not used: broken.wav: is empty\n" in err


def test_nothing_but_broken_files_is_an_error(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(recordings / name) for name in ("broken.wav", "broken2.wav")]
    for file in files:
        Path(file).touch()
    for given, said in ((files[:1], "broken.wav: is empty"), (files, "no usable audio: broken.wav: is empty; broken2")):
        with pytest.raises(SystemExit) as stop:
            main(["transcribe", "bundle", *given])
        assert stop.value.code == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith(f"myqasr: {said}")


def test_no_bundle_and_no_audio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, str(tmp_path), str(tmp_path / "none.wav"))[0] == 2
    assert run(capsys, str(tmp_path), str(tmp_path))[0] == 2
    soundfile.write(tmp_path / "a.wav", np.ones(1600, np.float32) / 2, 16_000)
    assert run(capsys, str(tmp_path), str(tmp_path / "a.wav"))[0] == 2


def test_a_bundle_that_is_not_there_is_told_whatever_the_recordings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, audio = tmp_path / "nothere", tmp_path / "a.wav"
    for _ in range(2):
        with pytest.raises(SystemExit) as stop:
            main(["transcribe", str(bundle), str(audio)])
        assert stop.value.code == 2
        assert capsys.readouterr().err.startswith(f"myqasr: {bundle} is no bundle: there is no such folder (give")
        soundfile.write(audio, np.ones(1600, np.float32) / 2, 16_000)


def test_bounds_of_no_speech_reach_the_runtime(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[dict[str, float | None]] = []
    monkeypatch.setattr(runtime, "with_thresholds", lambda given, bounds: seen.append(bounds) or given)
    words = ("--no-speech-threshold", "0.5", "--logprob-threshold", "-2", "--compression-ratio-threshold", "3")
    assert run(capsys, "bundle", str(recordings / "a.wav"), *words)[0] == 0
    bounds = {"no_speech_threshold": 0.5, "logprob_threshold": -2.0, "compression_ratio_threshold": 3.0}
    assert seen == [bounds | {"vad_threshold": None}]
    monkeypatch.undo()
    monkeypatch.setattr(runtime, "load_bundle", lambda folder, settings: CtcRuntime(None, None, None, 0, 0))
    with pytest.raises(SystemExit) as stop:
        main(["transcribe", "bundle", str(recordings / "a.wav"), *words[:2]])
    assert stop.value.code == 2
    assert "a CTC model does not tell whether somebody speaks" in capsys.readouterr().err


def test_kept_graphs_write_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 16_000), 16_000)
    given = (str(KEPT), str(tmp_path / "a.wav"))
    plain = run(capsys, *given)
    for _ in range(2):
        assert run(capsys, *given, "--keep-graphs", str(tmp_path / "kept")) == plain
    assert list((tmp_path / "kept").rglob("*.onnx"))


def test_times_of_segments_and_words(
    recordings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[bool, Decoding]] = []
    spoken = Segment(0.5, 1.25, "so it is", (Word(0.5, 0.75, "so"), Word(0.8, 1.25, "it is")))

    class Listener:
        def transcribe(self, audio: Path, language: str | None = None) -> Transcript:
            segment = spoken if asked[-1][1].timestamps == "word" else Segment(0.5, 1.25, "so it is")
            return Transcript("so it is", (1,), 1.5, segments=(segment,))

    def listening(given: Listener, decoding: Decoding) -> Listener:
        asked[-1] = (asked[-1][0], decoding)
        return given

    def load(folder: Path, settings: runtime.OrtSettings) -> Listener:
        asked.append((settings.cross_attention, Decoding()))
        return Listener()

    monkeypatch.setattr(runtime, "load_bundle", load)
    monkeypatch.setattr(runtime, "with_decoding", listening)
    file = str(recordings / "a.wav")
    for unit, cues in (
        ("segment", ["[00:00:00.500 --> 00:00:01.250] so it is"]),
        ("word", ["[00:00:00.500 --> 00:00:00.750] so", "[00:00:00.800 --> 00:00:01.250] it is"]),
    ):
        words = ("bundle", file, "--timestamps", unit)
        assert run(capsys, *words) == (0, "\n".join(cues) + "\n")
        assert asked[-1] == (unit == "word", Decoding(timestamps=unit))
        _, out = run(capsys, *words, "--format", "srt")
        assert out.count("-->") == len(cues)
        (said,) = json.loads(run(capsys, *words, "--json")[1])["transcripts"]
        told = {"start": 0.5, "end": 1.25, "text": "so it is"}
        own = [{"start": word.start, "end": word.end, "text": word.text} for word in spoken.words]
        assert said["segments"] == [told if unit == "segment" else {**told, "words": own}]
    run(capsys, "bundle", file, "--task", "translate", "--beams", "5", "--temperature-fallback", "--seed", "7")
    assert asked[-1] == (False, Decoding("translate", None, 5, "doubtful", (0.2, 0.4, 0.6, 0.8, 1.0), 7))
    run(capsys, "bundle", file, "--keep-loops")
    assert asked[-1] == (False, Decoding(redraws="never"))
    assert run(capsys, "bundle", str(recordings), "--timestamps", "segment")[1].splitlines() == [
        f"{recordings / name}: [00:00:00.500 --> 00:00:01.250] so it is" for name in ("a.wav", "b.wav")
    ]


def test_texts_are_not_kept_and_drawn_again(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["transcribe", "bundle", str(recordings / "a.wav"), "--keep-loops", "--temperature-fallback"])
    assert stop.value.code == 2
    assert "--keep-loops: --temperature-fallback draws texts again" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--timestamps", "word"), ("--task", "translate"), ("--beams", "5")])
def test_what_a_ctc_model_cannot_do_is_one_line(
    words: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 8_000), 16_000)
    with pytest.raises(SystemExit) as stop:
        main(["transcribe", str(KEPT), str(tmp_path / "a.wav"), *words])
    out, err = capsys.readouterr()
    assert (stop.value.code, out, err.count("\n")) == (2, "", 1)
    assert f"{words[0][2:]}: a CTC model does not write a text token by token (leave the option out)" in err
