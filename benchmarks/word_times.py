r"""Texts and times of other programs on the same recordings, beside those of a bundle.

    python benchmarks/word_times.py hear ours BUNDLE32 full.json --data DATA --filter dataset=librispeech_test_other
    python benchmarks/word_times.py hear transformers whisper-tiny.en hf.json --data DATA --filter …
    venv-peers/bin/python benchmarks/word_times.py hear faster-whisper FOLDER fw.json --data DATA --filter …
    python benchmarks/word_times.py compare full.json hf.json fw.json

``hear`` takes every third recording, 20 at most, unless ``--every`` and ``--limit`` say otherwise, with the options of
``--beams`` and ``--task``; times are left out with ``--untimed``. ``compare`` prints how far the times of words that
both wrote lie from those of the first file.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np


@dataclass(frozen=True, slots=True)
class Timed:
    """A segment or a word: seconds and text."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """What a program heard in a recording."""

    audio: str
    text: str
    segments: tuple[Timed, ...] = ()
    words: tuple[Timed, ...] = ()

    @classmethod
    def read(cls, row: dict) -> Row:
        """Of a row of a file."""
        times = {name: tuple(Timed(**each) for each in row[name]) for name in ("segments", "words")}
        return cls(row["audio"], row["text"], **times)


@dataclass(frozen=True, slots=True)
class Shifts:
    """How far one program's times lie from another's, in seconds.

    Args:
        texts: Recordings with the same text.
        segments: Starts and ends, where a recording has the same segments by number.
        starts: Of words that both wrote.
        ends: Likewise.
    """

    texts: int
    segments: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


def shifts(rows: Sequence[Row], others: Sequence[Row]) -> Shifts:
    """Of ``rows`` from ``others``, recording by recording."""
    words, segments = [], []
    for row, other in zip(rows, others, strict=True):
        if row.audio != other.audio:
            raise SystemExit(f"{row.audio} beside {other.audio}: hear the same recordings")
        names = [[re.sub(r"[^\w']", "", word.text.lower()) for word in each.words] for each in (row, other)]
        for match in SequenceMatcher(None, *names, autojunk=False).get_matching_blocks():
            pairs = zip(row.words[match.a :][: match.size], other.words[match.b :][: match.size], strict=True)
            words += [(a.start - b.start, a.end - b.end) for a, b in pairs]
        if len(row.segments) == len(other.segments):
            pairs = zip(row.segments, other.segments, strict=True)
            segments += [shift for a, b in pairs for shift in (a.start - b.start, a.end - b.end)]
    texts = sum(row.text == other.text for row, other in zip(rows, others, strict=True))
    starts, ends = np.abs(np.array(words, float).reshape(-1, 2)).T
    return Shifts(texts, np.abs(np.array(segments, float)), starts, ends)


def table(first: Sequence[Row], others: dict[str, Sequence[Row]]) -> str:
    """A row for each of the others."""
    lines = ["| heard by | same text | words | start: median, mean, within 50 ms | end | segments: median, mean |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for name, rows in others.items():
        found = shifts(rows, first)
        cells = [f"{found.texts} of {len(first)}", f"{len(found.starts)} of {sum(len(row.words) for row in first)}"]
        for times in (found.starts, found.ends):
            share = (times < 0.0501).mean() if len(times) else 0
            cells.append(f"{_middle(times)}, {share:.1%}")
        lines.append(" | ".join((f"| {name}", *cells, f"{_middle(found.segments)} |")))
    return "\n".join(lines)


def _middle(times: np.ndarray) -> str:
    return f"{1000 * np.median(times):.0f} ms, {1000 * times.mean():.0f} ms" if len(times) else "none"


def ours(model: str, options: argparse.Namespace) -> Callable[[str], Row]:
    """A bundle in our runtime."""
    from myqasr_fx.runtime import Decoding, OrtSettings, load_bundle, with_decoding

    decoding = Decoding(options.task, None if options.untimed else "word", options.beams)
    runtime = with_decoding(load_bundle(model, OrtSettings(threads=1, cross_attention=not options.untimed)), decoding)

    def hear(audio: str) -> Row:
        said = runtime.transcribe(audio)
        segments = tuple(Timed(part.start, part.end, part.text) for part in said.segments)
        words = tuple(Timed(word.start, word.end, word.text) for part in said.segments for word in part.words)
        return Row(audio, said.text, segments, words)

    return hear


def transformers(model: str, options: argparse.Namespace) -> Callable[[str], Row]:
    """A model in torch, by the pipeline of transformers."""
    import soundfile
    import torch
    from transformers import AutomaticSpeechRecognitionPipeline

    from myqasr_fx.models.load import load_model

    torch.set_num_threads(1)
    loaded = load_model(model)
    loaded.network.set_attn_implementation("eager")  # the only one that gives weights
    settings = loaded.network.generation_config
    for name, value in loaded.generation.to_json().items():
        setattr(settings, name, value)
    run = AutomaticSpeechRecognitionPipeline(
        model=loaded.network, tokenizer=loaded.tokenizer, feature_extractor=loaded.feature_extractor
    )
    told = {"num_beams": options.beams} | ({"task": options.task} if loaded.generation.is_multilingual else {})

    def hear(audio: str) -> Row:
        samples, rate = soundfile.read(audio, dtype="float32")
        found: dict[object, tuple[Timed, ...]] = {}
        for unit in (False,) if options.untimed else (True, "word"):
            said = run({"raw": samples, "sampling_rate": rate}, return_timestamps=unit, generate_kwargs=dict(told))
            found[unit] = tuple(
                Timed(start, len(samples) / rate if end is None else end, chunk["text"].strip())
                for chunk in said.get("chunks", ())
                for start, end in (chunk["timestamp"],)
            )
        return Row(audio, said["text"].strip(), found.get(True, ()), found.get("word", ()))

    return hear


def faster_whisper(model: str, options: argparse.Namespace) -> Callable[[str], Row]:
    """CTranslate2 through faster-whisper, at full precision."""
    from faster_whisper import WhisperModel

    loaded = WhisperModel(model, device="cpu", compute_type="float32", cpu_threads=1)
    told = {"word_timestamps": not options.untimed, "without_timestamps": options.untimed, "task": options.task}

    def hear(audio: str) -> Row:
        segments, _ = loaded.transcribe(
            audio, beam_size=options.beams, temperature=0.0, condition_on_previous_text=False, **told
        )
        parts = list(segments)
        words = tuple(Timed(word.start, word.end, word.word.strip()) for part in parts for word in part.words or ())
        found = tuple(Timed(part.start, part.end, part.text.strip()) for part in parts)
        return Row(audio, "".join(part.text for part in parts).strip(), found, words)

    return hear


PROGRAMS = {"ours": ours, "transformers": transformers, "faster-whisper": faster_whisper}


def recordings(data: Path, filters: Iterable[str], every: int, limit: int) -> list[str]:
    """Some of a manifest's recordings, read without our package, which other environments lack."""
    wanted = dict(each.split("=", 1) for each in filters)
    lines = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    found = [line["audio"] for line in lines if all(str(line.get(key)) == value for key, value in wanted.items())]
    return [str((data.parent / audio).resolve()) for audio in found[::every][:limit]]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    hear = commands.add_parser("hear")
    hear.add_argument("program", choices=PROGRAMS)
    hear.add_argument("model")
    hear.add_argument("out", type=Path)
    hear.add_argument("--data", type=Path, required=True)
    hear.add_argument("--filter", action="append", default=[])
    hear.add_argument("--every", type=int, default=3)
    hear.add_argument("--limit", type=int, default=20)
    hear.add_argument("--beams", type=int, default=1)
    hear.add_argument("--task", default="transcribe")
    hear.add_argument("--untimed", action="store_true")
    compare = commands.add_parser("compare")
    compare.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args()
    if options.command == "hear":
        run = PROGRAMS[options.program](options.model, options)
        rows = [asdict(run(audio)) for audio in recordings(options.data, options.filter, options.every, options.limit)]
        options.out.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
        return
    first, *others = ([Row.read(row) for row in json.loads(path.read_text(encoding="utf-8"))] for path in options.files)
    print(table(first, dict(zip((path.stem for path in options.files[1:]), others, strict=True))))


if __name__ == "__main__":
    main()
