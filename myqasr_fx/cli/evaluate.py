"""``myqasr evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Group
from rich.table import Table
from typer import Argument, Option

from myqasr_fx.bundle.bundle import MANIFEST, BundleManifest
from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.context import ContextOption, FallbackFlag
from myqasr_fx.cli.decoding import KeepLoops
from myqasr_fx.cli.no_speech import (
    CompressionRatioThreshold,
    LogprobThreshold,
    NoSpeechThreshold,
    VadThreshold,
    thresholds,
)
from myqasr_fx.cli.utterances import utterance_data, worst_utterances
from myqasr_fx.cli.visible import shown
from myqasr_fx.options.units import format_seconds, format_size
from myqasr_fx.process.progress import RichProgress

if TYPE_CHECKING:
    from myqasr_fx.evaluate import Baseline, Evaluation
    from myqasr_fx.runtime import Runtime

Target = Annotated[
    str, Argument(metavar="BUNDLE_OR_MODEL", help="A bundle, or a model at full precision.", show_default=False)
]
ManifestFile = Annotated[
    Path, Option("--manifest", help="JSONL with audio and text a line, or a corpus folder.", show_default=False)
]
Filters = Annotated[list[str] | None, Option("--filter", help="Lines to score, such as lang=en; may repeat.")]
Limit = Annotated[int | None, Option("--limit", help="Score the first N lines only.")]
Compared = Annotated[
    str | None,
    Option("--baseline", help="Bundle or model to compare with, such as full precision.", show_default=False),
]
Language = Annotated[
    str | None, Option("--language", help="Language of all recordings, instead of the lines' own; auto finds it.")
]


def evaluate(
    target: Target,
    *,
    manifest: ManifestFile,
    filters: Filters = None,
    limit: Limit = None,
    baseline: Compared = None,
    language: Language = None,
    no_speech_threshold: NoSpeechThreshold = None,
    logprob_threshold: LogprobThreshold = None,
    compression_ratio_threshold: CompressionRatioThreshold = None,
    vad_threshold: VadThreshold = None,
    context: ContextOption = None,
    fallback: FallbackFlag = True,
    keep_loops: KeepLoops = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Measure word and character error rates, with intervals."""
    from myqasr_fx.corpora import read_corpus
    from myqasr_fx.evaluate import beside, check_comparable, check_recordings, parse_filters
    from myqasr_fx.evaluate import evaluate as score
    from myqasr_fx.runtime import with_context, with_thresholds, without_redraws

    utterances = read_corpus(manifest, parse_filters(filters or ()), limit)
    progress = RichProgress()
    bounds = thresholds(no_speech_threshold, logprob_threshold, compression_ratio_threshold, vad_threshold)

    def opened(name: str) -> Runtime:
        found = with_thresholds(_open(name, language), bounds)
        return without_redraws(found) if keep_loops else found

    runtime = with_context(opened(target), context, fallback=fallback)
    other = opened(baseline) if baseline else None  # before anything is scored: a name that is wrong is told at once
    if other is not None:
        check_comparable(runtime, other)
    check_recordings(utterances, progress)
    result = score(runtime, utterances, language=language, progress=progress)
    data, compared = {"model": target, "manifest": str(manifest), **result.as_dict()}, None
    if other is not None:
        compared = beside(result, runtime, other, utterances, language=language, progress=progress)
        data["baseline"] = {"model": baseline, **compared.as_dict()}
    data["rows"] = utterance_data(result, compared)
    return Answer(data, Group(_table(result, compared), worst_utterances(result, compared)))


def _open(target: str, language: str | None) -> Runtime:
    """The bundle on onnxruntime, or the model in torch.

    Raises:
        ModelError: It does not know the language, or cannot be told any.
    """
    from myqasr_fx.models.languages import unless_auto

    language = unless_auto(language)
    if (Path(target) / MANIFEST).is_file():
        return _open_bundle(target, language)
    from myqasr_fx.models.load import load_model
    from myqasr_fx.runtime import Decoding, with_decoding
    from myqasr_fx.runtime.torch_runner import torch_runtime

    model = load_model(target, language)
    model.language_code(language)
    return with_decoding(torch_runtime(model, model.capture()), Decoding())


def _open_bundle(folder: str, language: str | None) -> Runtime:
    from myqasr_fx.models.languages import cannot_be_told
    from myqasr_fx.runtime import WhisperRuntime, load_bundle

    runtime = load_bundle(folder)
    if language and isinstance(runtime, WhisperRuntime):
        runtime.settings.language_code(language)
    elif language and language.lower() != str(BundleManifest.read(Path(folder)).config.get("language")).lower():
        raise cannot_be_told(language)  # but that of the adapter in its weights
    return runtime


def _table(result: Evaluation, compared: Baseline | None = None) -> Table:
    low, high = result.wer_ci95.low, result.wer_ci95.high
    table = Table.grid(padding=(0, 2))
    rows = [
        ("WER", f"{result.wer:.2%}, 95 % interval {low:.2%} to {high:.2%}"),
        ("CER", f"{result.cer:.2%}"),
        ("utterances", f"{result.utterances} with {result.words} words, {format_seconds(result.audio_seconds)}"),
        ("bytes", f"{result.bytes:,} ({format_size(result.bytes)})"),
        ("speed", f"{1 / result.rtf:.1f} times real time (RTF {result.rtf:.3f})"),
    ]
    if compared is not None:
        rows += _comparison(compared)
    for name, value in rows:
        table.add_row(shown(name, "bold"), shown(value))
    return table


def _comparison(compared: Baseline) -> list[tuple[str, str]]:
    interval, apart = compared.difference_ci95, compared.divergence
    ends = f"{100 * interval.low:+.2f} to {100 * interval.high:+.2f}"
    tokens = f"{apart.agreement:.2%} of {apart.tokens:,} as the baseline's"
    return [
        ("baseline", f"WER {compared.evaluation.wer:.2%}, {compared.evaluation.bytes:,} bytes"),
        ("difference", f"{100 * compared.difference:+.2f} points of WER, 95 % interval {ends}"),
        ("best tokens", f"{tokens} (the likeliest next ones), divergence {apart.kl:.3g} nats a token (0 is equal)"),
    ]
