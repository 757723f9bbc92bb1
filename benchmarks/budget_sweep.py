r"""Word error rate against file bytes: one model, one set of recordings, several budgets.

    python benchmarks/budget_sweep.py whisper-tiny.en --data ../shared/data/speech/manifest.jsonl \
        --calibrate dataset=librispeech_train_clean_100 --test dataset=librispeech_test_other --budgets 40MB 24MB

Writes ``OUT/NAME.csv`` (a row a bundle), ``OUT/NAME_utterances.csv`` (errors of each transcript) and ``OUT/NAME.png``.
Where both filters match, calibration takes ``--clips`` recordings and the test the others; equal audio is refused.
The first row is full precision, on the same runtime code in torch. Intervals are utterance bootstraps; ``difference``
is paired against full precision.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from splits import spread

from myqasr_fx.evaluate import Evaluation, Utterance, evaluate, paired_wer_difference, parse_filters, read_manifest
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.pipeline import quantize
from myqasr_fx.process.progress import RichProgress
from myqasr_fx.runtime import Decoding, load_bundle, with_decoding
from myqasr_fx.runtime.torch_runner import torch_runtime


@dataclass(frozen=True, slots=True)
class Row:
    """One point of the curve."""

    label: str
    bytes: int
    evaluation: Evaluation


def main() -> None:
    options = _options()
    calibration = read_manifest(options.data, parse_filters(options.calibrate), None)
    test = read_manifest(options.data, parse_filters(options.test), options.limit)
    clips = spread(calibration, options.clips)
    chosen = {clip.audio for clip in clips}
    test = [utterance for utterance in test if utterance.audio not in chosen]
    _check_disjoint(clips, test)
    speech = load_model(options.model)
    reference = with_decoding(torch_runtime(speech, speech.capture()), Decoding())
    full = evaluate(reference, test, progress=RichProgress())
    rows = [Row("full precision", full.bytes, full)]
    for budget in options.budgets:
        rows.append(_quantized(speech, clips, test, budget, options.set))
        _report(rows[-1], full)
    options.out.mkdir(parents=True, exist_ok=True)
    name = options.name or f"budget_sweep_{Path(options.model).name}"
    _write(options.out / f"{name}.csv", rows)
    _write_utterances(options.out / f"{name}_utterances.csv", rows)
    _plot(options.out / f"{name}.png", rows, f"{Path(options.model).name}, {len(test)} utterances")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", type=Path, required=True, help="manifest of both sets")
    parser.add_argument("--calibrate", nargs="+", required=True, metavar="KEY=VALUE")
    parser.add_argument("--test", nargs="+", required=True, metavar="KEY=VALUE")
    parser.add_argument(
        "--budgets", nargs="+", required=True, help="sizes, or bits=4 for one width, avg=4.5 for a mean"
    )
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE", help="options of quantize")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--name")
    return parser.parse_args()


def _check_disjoint(clips: Sequence[Utterance], test: Sequence[Utterance]) -> None:
    digests = [{hashlib.sha256(u.audio.read_bytes()).hexdigest() for u in group} for group in (clips, test)]
    if shared := digests[0] & digests[1]:
        raise SystemExit(f"{len(shared)} recordings are in both the calibration and the test set")


def _quantized(
    speech: SpeechModel, clips: Sequence[Utterance], test: Sequence[Utterance], budget: str, settings: Sequence[str]
) -> Row:
    # All clips calibrate: the test set with its texts is the judge here.
    explicit: dict[str, object] = {"holdout": 0.0, **dict(map(_option, settings))}
    kind, _, value = budget.partition("=")
    if value:
        explicit |= {"uniform_bits": int(value)} if kind == "bits" else {"avg_bits": float(value)}
    with tempfile.TemporaryDirectory() as folder:
        config = resolve_config(
            None if value else budget, cache=Path(tempfile.gettempdir()) / "myqasr-cache", **explicit
        )
        audio = [utterance.audio for utterance in clips]
        bundle = quantize(speech, audio, out=Path(folder) / "bundle", config=config, progress=RichProgress())
        evaluation = evaluate(load_bundle(bundle.path), test, progress=RichProgress())
    return Row(budget, bundle.manifest.model_bytes, evaluation)


def _option(setting: str) -> tuple[str, object]:
    name, _, value = setting.partition("=")
    return name, int(value) if value.isdecimal() else value


def _report(row: Row, full: Evaluation) -> None:
    low, high = _difference(row, full)
    change = row.evaluation.wer - full.wer
    print(
        f"{row.label}: {row.bytes:,} bytes, WER {row.evaluation.wer:.2%}, {change:+.2%} [{low:+.2%}, {high:+.2%}]",
        flush=True,
    )


def _difference(row: Row, full: Evaluation) -> tuple[float, float]:
    interval = paired_wer_difference(row.evaluation, full)
    return interval.low, interval.high


def _write(path: Path, rows: Sequence[Row]) -> None:
    full = rows[0].evaluation
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            [
                "budget",
                "bytes",
                "wer",
                "wer_low",
                "wer_high",
                "difference",
                "difference_low",
                "difference_high",
                "utterances",
                "words",
            ]
        )
        for row in rows:
            score = row.evaluation
            low, high = _difference(row, full)
            numbers = (score.wer, score.wer_ci95.low, score.wer_ci95.high, score.wer - full.wer, low, high)
            writer.writerow([row.label, row.bytes, *(f"{n:.5f}" for n in numbers), score.utterances, score.words])


def _write_utterances(path: Path, rows: Sequence[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["budget", "audio", "errors", "words"])
        for row in rows:
            for scored in row.evaluation.rows:
                writer.writerow([row.label, scored.audio, scored.words.errors, scored.words.total])


def _plot(path: Path, rows: Sequence[Row], title: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    points = sorted(rows[1:], key=lambda row: row.bytes)
    size = [row.bytes / 1e6 for row in points]
    wer = [100 * row.evaluation.wer for row in points]
    spread = [
        [100 * (row.evaluation.wer - row.evaluation.wer_ci95.low) for row in points],
        [100 * (row.evaluation.wer_ci95.high - row.evaluation.wer) for row in points],
    ]
    figure, axes = pyplot.subplots(figsize=(6.4, 4), layout="constrained")
    axes.errorbar(size, wer, yerr=spread, marker="o", capsize=3, label="quantized, 95 % interval")
    axes.axhline(100 * rows[0].evaluation.wer, color="gray", linestyle="--", label="full precision")
    axes.set(xlabel="model files, MB", ylabel="word error rate, %", title=title)
    axes.set_ylim(bottom=0)
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
