"""``myqasr transcribe``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Group
from rich.text import Text
from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag, tell
from myqasr_fx.cli.context import ContextOption, FallbackFlag
from myqasr_fx.cli.daily_help import HelpAll
from myqasr_fx.cli.decoding import Beams, KeepLoops, Seed, Task, TemperatureFallback, Timestamps, redraws_of
from myqasr_fx.cli.no_speech import (
    CompressionRatioThreshold,
    LogprobThreshold,
    NoSpeechThreshold,
    VadThreshold,
    thresholds,
)
from myqasr_fx.cli.notices import notice
from myqasr_fx.cli.standard_input import STANDARD_INPUT, on_disk
from myqasr_fx.cli.transcript_files import TranscriptFiles
from myqasr_fx.cli.transcript_view import SUBTITLES, Format, subtitles, transcript_data, transcript_lines
from myqasr_fx.cli.visible import visible
from myqasr_fx.errors import AudioError, OptionError
from myqasr_fx.process.progress import RichProgress

if TYPE_CHECKING:
    from myqasr_fx.runtime import Runtime, Transcript

Bundle = Annotated[Path, Argument(metavar="BUNDLE", help="Folder that `myqasr quantize` wrote.", show_default=False)]
Recordings = Annotated[
    list[Path],
    Argument(metavar="AUDIO", help="Files or folders; - alone: WAV or FLAC on standard input.", show_default=False),
]
Language = Annotated[
    str | None,
    Option("--language", help=r"Language, such as de or German. \[default: auto]", show_default=False),
]
Printed = Annotated[
    Format,
    Option(
        "--format",
        metavar="<str>",
        help=r"text, json, srt or vtt. \[default: text]",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    Option(
        "--out",
        metavar="FOLDER",
        help="A file for each recording, named after it.",
        show_default=False,
    ),
]
Force = Annotated[bool, Option("--force", help="Replace such files.")]
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
    out: Out = None,
    force: Force = False,
    beams: Beams = 1,
    temperature_fallback: TemperatureFallback = False,
    keep_loops: KeepLoops = False,
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
    from myqasr_fx.runtime import Decoding, OrtSettings, load_bundle, with_context, with_decoding, with_thresholds

    decoding = Decoding(task, timestamps, beams, redraws_of(temperature_fallback, keep_loops), seed=seed)
    recordings, timed = _files(bundle, audio), timestamps is not None
    _check(printed, as_json, len(recordings), out is not None, force)
    files = TranscriptFiles(out, printed, timed, force) if out is not None else None
    if files is not None:
        files.check(recordings)
    bounds = thresholds(no_speech_threshold, logprob_threshold, compression_ratio_threshold, vad_threshold)
    settings = OrtSettings(kept=keep_graphs, cross_attention=timestamps == "word", hands_back=False)
    loaded = load_bundle(bundle, settings)
    runtime = with_decoding(with_context(with_thresholds(loaded, bounds), context, fallback=fallback), decoding)
    as_heard: AsHeard | None = None
    if files is not None:
        as_heard = partial(_write, files=files, silent=as_json)
    elif printed is Format.TEXT and not as_json:
        as_heard = partial(_tell_text, named=len(recordings) > 1, timed=timed)
    with on_disk(recordings) as places:
        heard, rejected = _hear(runtime, places, language, as_heard)
    _remark(heard, rejected)
    if as_heard is not None and not as_json:
        return None
    transcripts = [transcript_data(*one, timed=timed) for one in heard]
    if files is not None:
        transcripts = [{**told, "file": str(files.path_of(told["audio"]))} for told in transcripts]
    data = {"bundle": str(bundle), "transcripts": transcripts, "rejected": rejected}
    if as_json or printed is Format.JSON:
        return Answer(data, None)
    told = subtitles(heard[0][1], printed)
    return Answer(data, Text(told) if told else Group())


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


def _check(printed: Format, as_json: bool, count: int, in_files: bool, force: bool) -> None:
    if force and not in_files:
        raise OptionError("--force without --out, which nothing is replaced for", hint="add --out FOLDER")
    if in_files or printed not in SUBTITLES:
        return
    if as_json:
        raise OptionError(f"--format {printed} and --json exclude each other")
    if count > 1:
        hint = "subtitles are of one: add --out FOLDER for a file each"
        raise OptionError(f"--format {printed} with {count} recordings", hint=hint)


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


def _again(said: Transcript) -> str | None:
    """That a short context did not serve."""
    if not said.heard_again:
        return None
    parts = "1 part was" if said.heard_again == 1 else f"{said.heard_again} parts were"
    return f"{parts} heard again in 30 s: the text of the shorter context was doubtful"


def _tell_text(name: str, said: Transcript, progress: RichProgress, *, named: bool, timed: bool) -> None:
    """Prints the lines of one recording, behind its name where there are several."""
    before = visible(f"{name}: ") if named else ""
    told = transcript_lines(said, timed=timed) or ["(no speech)"]
    tell(Text("\n".join(before + text for text in told)), progress)


def _write(name: str, said: Transcript, progress: RichProgress, *, files: TranscriptFiles, silent: bool) -> None:
    """Writes the file of one recording, and tells which."""
    path = files.write(name, said)
    if not silent:
        tell(Text(visible(str(path))), progress)
