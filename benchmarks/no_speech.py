r"""What the rule for no speech costs and gains: speech that it empties, and sounds without speech that it keeps silent.

    python benchmarks/no_speech.py BUNDLE32 --data ../shared/data/speech/manifest.jsonl --filter lang=en

Hears every sound of ``silent_sounds.py`` and every recording of the manifest once, and writes what the model says of it
to ``OUT/NAME.csv``, a row each; a run that was stopped goes on where it was. Prints how many lose their text by each
rule, and where ``silero-vad`` is installed by its probability of speech. Bounds were chosen on seed 1 of the sounds.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from silent_sounds import silent_sounds

from myqasr_fx.audio import load_audio
from myqasr_fx.evaluate import parse_filters, read_manifest
from myqasr_fx.runtime import NoSpeechRule, OrtSettings, Runtime, Written, load_bundle, with_thresholds
from myqasr_fx.runtime.speech_detector import SpeechDetector

SPEECH = "speech"
SEEDS = (1, 2)

Name = tuple[str, str, str]
"""Name, kind and group."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the models say of one recording.

    Args:
        name: Of the recording or the sound.
        kind: ``speech``, or ``sound 1``, ``sound 2`` by the seed.
        group: Data set, or kind of sound.
        text: That the model writes, with no rule.
        no_speech: Its probability that nobody speaks.
        log_probability: Mean of its tokens, nats.
        ratio: Compression ratio of its text.
        frame: Highest probability of speech of any 32 ms, by the detector; negative without one.
        mean: Mean of the five highest.
    """

    name: str
    kind: str
    group: str
    text: str
    no_speech: float
    log_probability: float
    ratio: float
    frame: float
    mean: float

    @classmethod
    def read(cls, row: Mapping[str, str]) -> Heard:
        """Of a row of the file."""
        numbers = {field.name: float(row[field.name]) for field in fields(cls) if field.type == "float"}
        return cls(row["name"], row["kind"], row["group"], row["text"], **numbers)

    def emptied(self, rule: NoSpeechRule) -> bool:
        """The rule finds no speech in it."""
        return rule.holds(Written((), self.log_probability, self.no_speech), self.ratio)

    def unheard(self, bound: float) -> bool:
        """The detector finds no speech in it."""
        return self.frame < bound


def hear(name: Name, samples: np.ndarray, runtime: Runtime, detector: SpeechDetector | None) -> Heard:
    """What both say."""
    said = runtime.transcribe(samples)
    frames = np.sort(detector.probabilities(samples)) if detector else np.array([-1.0])
    return Heard(
        *name,
        text=said.text,
        no_speech=said.no_speech_probability or 0.0,
        log_probability=said.log_probability or 0.0,
        ratio=said.compression_ratio or 0.0,
        frame=float(frames[-1]),
        mean=float(frames[-5:].mean()),
    )


def recordings(data: Path, filters: Iterable[str]) -> Iterator[tuple[Name, np.ndarray | Path]]:
    """All that is heard: sounds, then speech, the shortest first, since most is at stake for those."""
    for seed in SEEDS:
        for sound in silent_sounds(seed):
            yield (sound.name, f"sound {seed}", sound.kind), sound.samples
    utterances = read_manifest(data, parse_filters(list(filters)), None)
    for utterance in sorted(utterances, key=lambda each: float(each.fields.get("seconds") or 0)):
        name = str(utterance.audio.relative_to(data.parent))
        yield (name, SPEECH, str(utterance.fields.get("dataset"))), utterance.audio


def read(path: Path) -> list[Heard]:
    """The rows of a file; none where it is not there."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [Heard.read(row) for row in csv.DictReader(file)]


def fill(path: Path, runtime: Runtime, audio: Iterable[tuple[Name, np.ndarray | Path]]) -> None:
    """Hears what the file lacks."""
    detector = SpeechDetector.load() if find_spec("silero_vad") else None
    known = {each.name for each in read(path)}
    names = [field.name for field in fields(Heard)]
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if not known:
            writer.writerow(names)
        for name, given in audio:
            if name[0] not in known:
                made = hear(
                    name, given if isinstance(given, np.ndarray) else load_audio(given).samples, runtime, detector
                )
                values = (getattr(made, field) for field in names)
                writer.writerow([f"{value:.5g}" if isinstance(value, float) else value for value in values])
                file.flush()


Test = Callable[[Heard], bool]

RULES: Mapping[str, NoSpeechRule] = {
    "the rule as it is": NoSpeechRule(),
    "Whisper's three bounds": NoSpeechRule(no_speech_threshold=0.6, certain=1.0),
    "Whisper's, and above 0.8": NoSpeechRule(no_speech_threshold=0.6),
}
BOUNDS = (0.5, 0.3, 0.1, 0.05)


def table(heard: Sequence[Heard]) -> Iterator[str]:
    """Markdown: speech lost and sounds silent by each rule."""
    speech = [each for each in heard if each.kind == SPEECH and each.text]
    sounds = [[each for each in heard if each.kind == f"sound {seed}"] for seed in SEEDS]
    counts = " and of ".join(str(len(each)) for each in sounds)
    yield f"| rule | speech lost, of {len(speech)} | silent, of {counts} |"
    yield "| --- | --- | --- |"
    for name, empties in tests(asked=all(each.frame >= 0 for each in heard)).items():
        silent = " and ".join(str(sum(empties(each) or not each.text for each in some)) for some in sounds)
        yield f"| {name} | {sum(map(empties, speech))} | {silent} |"


def tests(asked: bool) -> dict[str, Test]:
    """Every way to tell, by its name; those of the detector where it was asked."""
    found: dict[str, Test] = {name: partial(Heard.emptied, rule=rule) for name, rule in RULES.items()}
    if asked:
        found |= {f"silero-vad alone, {bound}": partial(Heard.unheard, bound=bound) for bound in BOUNDS}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", help="full precision (--uniform-bits 32); without it, the table alone")
    parser.add_argument("--data", type=Path, default=Path("manifest.jsonl"))
    parser.add_argument("--filter", dest="filters", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results"))
    parser.add_argument("--name", default="no_speech_whisper-tiny.en")
    args = parser.parse_args()
    path = args.out / f"{args.name}.csv"
    if args.bundle:
        runtime = with_thresholds(load_bundle(args.bundle, OrtSettings(threads=1)), {"no_speech_threshold": 1.0})
        fill(path, runtime, recordings(args.data, args.filters))
    print(*table(read(path)), sep="\n")


if __name__ == "__main__":
    main()
