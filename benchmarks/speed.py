r"""How long bundles take to transcribe, beside full precision and other systems, in turns on an idle machine.

    python benchmarks/speed.py --data ../shared/data/speech/manifest.jsonl --test dataset=librispeech_test_other \
        --full BUNDLE32 --bundles BUNDLE… [--peers-python venv-peers/bin/python --peer faster-whisper=FOLDER …]

Every system transcribes the same utterances one by one, with ``--long SECONDS`` joined to one recording of that length
at most, in a process of its own, ``--rounds`` times in turn; loading is not counted. ``ratio`` is the median over
rounds of its time to full precision's of the same round. For bundles the time is split into features, encoder, decoder
calls of several tokens (prefill) and of one (steps), and the rest (text); beside it stand the seconds that loading
takes, and the largest resident memory behind loading and at the end. Writes
``OUT/NAME.csv``.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

PROGRAMS = Path(__file__).with_name("peer_programs.py")
STAGES = ("features", "encoder", "prefill", "steps")
MEASURED = (*STAGES, "text", "load", "load_mb", "resident_mb")
WARM_SAMPLES = 30 * 16_000
"""That each system hears before it is timed, at most."""
COLUMNS = ("system", "bytes", "ratio", "rtf", *MEASURED)


@dataclass(frozen=True, slots=True)
class System:
    """One contender.

    Args:
        name: In the table.
        path: Bundle, folder or file.
        command: Runs one round and prints a JSON object with ``seconds``.
    """

    name: str
    path: Path
    command: Sequence[str]

    @property
    def bytes(self) -> int:
        """Of the model files."""
        if self.path.is_file():
            return self.path.stat().st_size
        files = [
            path for path in self.path.rglob("*") if path.suffix in (".onnx", ".onnx_data") or path.name == "model.bin"
        ]
        return sum(path.stat().st_size for path in files)

    def run(self) -> dict[str, float]:
        """One round."""
        done = subprocess.run(self.command, check=True, capture_output=True, text=True)
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found


@dataclass(slots=True)
class Watch:
    """Adds up the seconds of a stage."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    def timed(self, stage: Callable[[Any], str], run: Callable[..., Any]) -> Callable[..., Any]:
        """``run``, its time booked under what ``stage`` says of its first argument."""

        def call(*args: Any) -> Any:
            start = time.perf_counter()
            result = run(*args)
            self.seconds[stage(args[0])] += time.perf_counter() - start
            return result

        return call


def main() -> None:
    options = _options()
    if options.round:
        print(json.dumps(_round(Path(options.round), options.clips, options.threads)))
        return
    from myqasr_fx.evaluate import parse_filters, read_manifest

    test = read_manifest(options.data, parse_filters(options.test), options.limit)
    with tempfile.TemporaryDirectory() as folder:
        clips, seconds = _write_clips(Path(folder), [(u.audio, u.lang) for u in test], options.long)
        systems = _systems(options, clips)
        rounds = [{system.name: system.run() for system in systems} for _ in range(options.rounds)]
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / f"{options.name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for system in systems:
            writer.writerow(row := _row(system, systems[0].name, rounds, seconds))
            print(*row, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="manifest")
    parser.add_argument("--test", nargs="+", metavar="KEY=VALUE", default=[])
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--long", type=int, metavar="SECONDS", help="one recording; default: every utterance alone")
    parser.add_argument("--full", type=Path, help="bundle at 32 bits")
    parser.add_argument("--bundles", nargs="*", type=Path, default=[])
    parser.add_argument("--peers-python", type=Path)
    parser.add_argument("--peer", nargs="*", default=[], metavar="PROGRAM=PATH", help="as in peer_programs.py")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--name", default="speed")
    parser.add_argument("--round", help=argparse.SUPPRESS)
    parser.add_argument("--clips", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _write_clips(folder: Path, utterances: Sequence[tuple[Path, str | None]], long: int | None) -> tuple[Path, float]:
    """The samples as arrays, listed as ``peer_programs.py`` reads them, and their seconds."""
    from myqasr_fx.audio import load_audio
    from myqasr_fx.audio.clip import SAMPLING_RATE

    heard = [(audio.name, language, load_audio(audio).samples) for audio, language in utterances]
    if long:
        (name, language, _), *_ = heard
        heard = [(name, language, np.concatenate([samples for *_, samples in heard])[: long * SAMPLING_RATE])]
    lines, seconds = [], 0.0
    for index, (name, language, samples) in enumerate(heard):
        np.save(path := folder / f"{index}.npy", samples)
        lines.append(json.dumps({"audio": name, "samples": str(path), "lang": language}))
        seconds += len(samples) / SAMPLING_RATE
    (listing := folder / "clips.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return listing, seconds


def _systems(options: argparse.Namespace, clips: Path) -> list[System]:
    common = ["--clips", str(clips), "--threads", str(options.threads)]
    found = [
        System(name, path, [sys.executable, __file__, "--round", str(path), *common])
        for name, path in [("full precision", options.full), *((path.name, path) for path in options.bundles)]
    ]
    for text in options.peer:
        program, _, path = text.partition("=")
        command = [str(options.peers_python), str(PROGRAMS), "time", program, path, str(clips), str(options.threads)]
        found.append(System(f"{program} {Path(path).name}", Path(path), command))
    return found


def _round(bundle: Path, clips: Path, threads: int) -> dict[str, float]:
    """Seconds of a bundle on all clips, split into stages, and its resident memory."""
    from myqasr_fx.runtime import OrtSettings, load_bundle

    start = time.perf_counter()
    runtime: Any = load_bundle(bundle, OrtSettings(threads=threads))
    load, load_mb = time.perf_counter() - start, _resident_mb()
    watch = Watch()
    runtime = replace(runtime, features=watch.timed(lambda _: "features", runtime.features))
    runtime.encoder.run = watch.timed(lambda _: "encoder", runtime.encoder.run)
    runtime.decoder.run = watch.timed(_decoder_stage, runtime.decoder.run)
    listed = [json.loads(line) for line in clips.read_text(encoding="utf-8").splitlines()]
    runtime.transcribe(np.load(listed[0]["samples"])[:WARM_SAMPLES], listed[0]["lang"])
    watch.seconds.update(dict.fromkeys(STAGES, 0.0))
    start = time.perf_counter()
    for clip in listed:
        runtime.transcribe(np.load(clip["samples"]), clip["lang"])
    total = time.perf_counter() - start
    text = total - sum(watch.seconds.values())
    loading = {"load": load, "load_mb": load_mb}
    return {"seconds": total, **watch.seconds, "text": text, **loading, "resident_mb": _resident_mb()}


def _resident_mb() -> float:
    """The largest so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _decoder_stage(feeds: Mapping[str, np.ndarray]) -> str:
    return "steps" if feeds["past_key_values.0.encoder.key"].shape[2] else "prefill"


def _row(
    system: System, full: str, rounds: Sequence[Mapping[str, Mapping[str, float]]], seconds: float
) -> list[object]:
    mine = [found[system.name] for found in rounds]
    ratio = statistics.median(found[system.name]["seconds"] / found[full]["seconds"] for found in rounds)

    def middle(key: str) -> object:
        return round(statistics.median(found[key] for found in mine), 3) if key in mine[0] else ""

    rtf = statistics.median(found["seconds"] for found in mine) / seconds
    parts = [middle(key) for key in MEASURED]
    return [system.name, system.bytes, round(ratio, 3), round(rtf, 4), *parts]


if __name__ == "__main__":
    main()
