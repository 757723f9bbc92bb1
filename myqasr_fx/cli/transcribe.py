"""``myqasr transcribe``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from rich.text import Text
from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag, tell
from myqasr_fx.cli.context import ContextOption, FallbackFlag
from myqasr_fx.cli.daily_help import HelpAll
from myqasr_fx.cli.decoding import Beams, Seed, Task, TemperatureFallback, Timestamps, decoding_of
from myqasr_fx.cli.no_speech import (
    CompressionRatioThreshold,
    LogprobThreshold,
    NoSpeechThreshold,
    VadThreshold,
    thresholds,
)
from myqasr_fx.cli.notices import notice
from myqasr_fx.cli.standard_input import STANDARD_INPUT, on_disk
from myqasr_fx.cli.subtitles import cues, lines, srt, vtt
from myqasr_fx.cli.visible import visible
from myqasr_fx.errors import AudioError, OptionError
from myqasr_fx.process.progress import RichProgress

if TYPE_CHECKING:
    from myqasr_fx.runtime import Runtime, Segment, Transcript, Word

TOLD = ("text", "seconds", "language", "no_speech", "no_speech_probability", "log_probability", "compression_ratio")
"""Fields of a transcript that are printed as they are."""


class Format(StrEnum):
    """What a transcript is printed as."""

    TEXT = "text"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"


Bundle = Annotated[Path, Argument(metavar="BUNDLE", help="Folder that `myqasr quantize` wrote.", show_default=False)]
Recordings = Annotated[
    list[Path],
    Argument(metavar="AUDIO", help="Files or folders; - alone: WAV or FLAC on standard input.", show_default=False),
]
Language = Annotated[
    str | None,
    Option("--language", help=r"Its language, such as de or German. \[default: auto]", show_default=False),
]
Printed = Annotated[
    Format,
    Option(
        "--format",
        metavar="<str>",
        help=r"text, json, or subtitles of one recording: srt, vtt. \[default: text]",
        show_default=False,
    ),
]
KeepGraphs = Annotated[
    Path | None,
    Option(
        "--keep-graphs",
        metavar="FOLDER",
        help="Keep the graphs as onnxruntime optimizes them, two to three times the bundle's bytes: later starts open "
        "them in a tenth of the time. The folder may be deleted at any time.",
        rich_help_panel="Start",
        show_default=False,
    ),
]


AsHeard = Callable[[str, "Transcript", RichProgress], None]
"""Told a recording's name, its text, and the bars that are on the screen."""


def transcribe(
    bundle: Bundle,
    audio: Recordings,
    *,
    language: Language = None,
    task: Task = "transcribe",
    timestamps: Timestamps = None,
    printed: Printed = Format.TEXT,
    beams: Beams = 1,
    temperature_fallback: TemperatureFallback = False,
    seed: Seed = 0,
    no_speech_threshold: NoSpeechThreshold = None,
    logprob_threshold: LogprobThreshold = None,
    compression_ratio_threshold: CompressionRatioThreshold = None,
    vad_threshold: VadThreshold = None,
    context: ContextOption = None,
    fallback: FallbackFlag = True,
    keep_graphs: KeepGraphs = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
    help_all: HelpAll = False,
) -> Answer | None:
    """Write down what is said in recordings, with onnxruntime; recordings that cannot be used are passed over."""
    from myqasr_fx.runtime import OrtSettings, load_bundle, with_context, with_decoding, with_thresholds

    decoding = decoding_of(timestamps, task, beams, temperature_fallback, seed)
    files = _files(bundle, audio)
    _check(printed, as_json, len(files))
    bounds = thresholds(no_speech_threshold, logprob_threshold, compression_ratio_threshold, vad_threshold)
    settings = OrtSettings(kept=keep_graphs, cross_attention=timestamps == "word", hands_back=False)
    loaded = load_bundle(bundle, settings)
    runtime = with_decoding(with_context(with_thresholds(loaded, bounds), context, fallback=fallback), decoding)
    timed, at_once = timestamps is not None, printed is Format.TEXT and not as_json
    as_heard = partial(_tell_text, named=len(files) > 1, timed=timed) if at_once else None
    with on_disk(files) as recordings:
        heard, rejected = _hear(runtime, recordings, language, as_heard)
    _remark(heard, rejected)
    if at_once:
        return None
    transcripts = [_data(*one, timed=timed) for one in heard]
    data = {"bundle": str(bundle), "transcripts": transcripts, "rejected": rejected}
    return Answer(data, None if as_json or printed is Format.JSON else _subtitles(heard[0][1], printed))


def _files(bundle: Path, audio: list[Path]) -> tuple[Path, ...]:
    """The recordings; where they are not there and the bundle is none either, that is told, which stands first."""
    from myqasr_fx.audio import find_audio
    from myqasr_fx.bundle.bundle import QuantizedBundle

    if STANDARD_INPUT in audio:
        if len(audio) > 1:
            raise OptionError("- beside other recordings", hint="give standard input alone; a file of that name is ./-")
        return (STANDARD_INPUT,)
    try:
        return find_audio(audio)
    except AudioError:
        QuantizedBundle.open(bundle)
        raise


def _check(printed: Format, as_json: bool, count: int) -> None:
    if printed not in (Format.SRT, Format.VTT):
        return
    if as_json:
        raise OptionError(f"--format {printed} and --json exclude each other")
    if count > 1:
        raise OptionError(f"--format {printed} with {count} recordings", hint="subtitles are of one: give one a call")


def _hear(
    runtime: Runtime, recordings: Mapping[Path, str], language: str | None, as_heard: AsHeard | None
) -> tuple[list[tuple[str, Transcript]], list[str]]:
    """What is said in each recording, by name, and why others cannot be used.

    Args:
        runtime: Hears them.
        recordings: Files and their names.
        language: Of them, or None.
        as_heard: Called with every text as soon as it is there.

    Raises:
        AudioError: None can be used.
    """
    from myqasr_fx.audio import no_usable_audio, reason_of

    heard, failures, progress = [], [], RichProgress()
    with progress.stage("transcribe", len(recordings)) as advance:
        for file, name in recordings.items():
            try:
                heard.append((name, runtime.transcribe(file, language)))
            except AudioError as error:
                failures.append(AudioError(error.message.replace(str(file), name), hint=error.hint))
            else:
                if as_heard is not None:
                    as_heard(*heard[-1], progress)
            advance(1)
    rejected = [reason_of(error) for error in failures]
    if not heard:
        raise failures[0] if len(failures) == 1 else no_usable_audio(rejected)
    return heard, rejected


def _remark(heard: Sequence[tuple[str, Transcript]], rejected: Sequence[str]) -> None:
    for reason in rejected:
        notice(f"not used: {reason}")
    for name, said in heard:
        for note in filter(None, (said.note, _again(said))):
            notice(f"{name}: {note}")


def _data(name: str, said: Transcript, *, timed: bool) -> dict[str, Any]:
    told = {field: getattr(said, field) for field in TOLD}
    found = {"audio": name, **told, "note": said.note, "heard_again": said.heard_again}
    return {**found, "segments": [_segment(one) for one in said.segments]} if timed else found


def _segment(segment: Segment) -> dict[str, Any]:
    words = [_cue(word) for word in segment.words]
    return {**_cue(segment), "words": words} if words else _cue(segment)


def _cue(cue: Segment | Word) -> dict[str, Any]:
    """Seconds and text."""
    return {"start": round(cue.start, 3), "end": round(cue.end, 3), "text": cue.text}


def _again(said: Transcript) -> str | None:
    """That a short context did not serve."""
    if not said.heard_again:
        return None
    parts = "1 part was" if said.heard_again == 1 else f"{said.heard_again} parts were"
    return f"{parts} heard again in 30 s: the text of the shorter context was doubtful"


def _subtitles(said: Transcript, printed: Format) -> Text:
    told = cues(said.segments)
    return Text(srt(told) if printed is Format.SRT else vtt(told))


def _tell_text(name: str, said: Transcript, progress: RichProgress, *, named: bool, timed: bool) -> None:
    """Prints the lines of one recording, behind its name where there are several."""
    before = f"{name}: " if named else ""
    tell(Text("\n".join(visible(before + text) for text in _lines(said, timed))), progress)


def _lines(said: Transcript, timed: bool) -> Sequence[str]:
    if said.no_speech:
        return ["(no speech)"]
    return lines(cues(said.segments)) if timed else [said.text]
