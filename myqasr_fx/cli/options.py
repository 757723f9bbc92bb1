"""The options of ``myqasr quantize``; one that is not given is None, so that rules and recipe can speak."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from myqasr_fx.bundle.layout import LAYOUTS
from myqasr_fx.options.choices import available
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.recipes import DEFAULT_EFFORT, EFFORTS, RECIPES
from myqasr_fx.options.thresholds import Thresholds

_DEFAULTS = {
    **{f.name: f.default for f in (*fields(QuantizeConfig), *fields(Thresholds))},
    **RECIPES[EFFORTS[DEFAULT_EFFORT]].options(),
    "recipe": EFFORTS[DEFAULT_EFFORT],
}


def _option(panel: str | None, name: str, text: str) -> Any:
    """Option ``name`` with its value at the usual effort in its help; daily ones have no panel, see ``DailyHelp``."""
    field = name.partition("/")[0].removeprefix("--").replace("-", "_")
    default = _DEFAULTS.get(field)
    if isinstance(default, bool):
        on, _, off = name.partition("/")
        default = (on if default else off).removeprefix("--")
    shown = f"{text} [default: {default}]" if isinstance(default, (str, int, float)) else text
    # rich would read the brackets of the default as markup.
    return Option(name, help=shown.replace("[default", "\\[default"), rich_help_panel=panel, show_default=False)


def _names(option: str) -> str:
    """The methods for ``option``, those of other packages included."""
    return ", ".join(available(option))


_DAILY = None
_SIZE = "Size: exactly one of --budget and the first two, or none with --allocation linear"
_METHOD, _FILE, _RUN = "Method", "Files", "Run"
_REPORT = "Report"
_VERDICT = "Verdict on clips held out: 95 % intervals inside these bounds; exit code 3 when one is outside"

Model = Annotated[str, Argument(metavar="MODEL", help="Folder, built-in name or hub id.", show_default=False)]
MoreAudio = Annotated[list[Path] | None, Argument(metavar="AUDIO", help="As with --audio.", show_default=False)]
Audio = Annotated[
    list[Path] | None,
    Option("--audio", help="Your speech, files or folders; no texts.", show_default=False),
]
Delta = Annotated[
    Path | None,
    Option(
        "--delta",
        metavar="BASE",
        help="A bundle whose widths and codes stay: fit scales and biases alone, and write the difference, too.",
        rich_help_panel=_FILE,
        show_default=False,
    ),
]
Out = Annotated[Path | None, Option("--out", help="Folder to write; it must not exist.", show_default=False)]
DryRun = Annotated[bool, Option("--dry-run", help="Show widths and bytes; write nothing.")]
Explain = Annotated[
    bool,
    Option("--explain", help="Show the stages and passes that these options lead through.", rich_help_panel=_RUN),
]
Force = Annotated[bool, Option("--force", help="Replace an existing bundle.")]

Size = Annotated[str | None, _option(_DAILY, "--budget", "Model files: 24MB, 24MiB or 24000000 bytes.")]
AvgBits = Annotated[float | None, _option(_SIZE, "--avg-bits", "Average file bits a weight, such as 4.5.")]
UniformBits = Annotated[int | None, _option(_SIZE, "--uniform-bits", "Bits of every layer, whatever the size.")]
BudgetKind = Annotated[
    str | None,
    _option(
        _SIZE,
        "--budget-kind",
        "file: the real bytes; paper: bits/8 of the weights alone; parameters: all, others at 32.",
    ),
]
MinBits = Annotated[int | None, _option(_SIZE, "--min-bits", "Narrowest width.")]
MaxBits = Annotated[int | None, _option(_SIZE, "--max-bits", "Widest width.")]
MaxSpread = Annotated[int | None, _option(_SIZE, "--max-spread", "Most rungs between widths, for optimal allocation.")]
Fill = Annotated[bool | None, _option(_SIZE, "--fill/--no-fill", "Give left-over bytes back to layers.")]

Sensitivity = Annotated[
    str | None,
    _option(_METHOD, "--sensitivity", f"How layers are ranked: {_names('sensitivity')}; also kl@4, kl@w8a8."),
]
Allocation = Annotated[str | None, _option(_METHOD, "--allocation", f"How bits are assigned: {_names('allocation')}.")]
Order = Annotated[
    str | None, _option(_METHOD, "--order", "Layers that lose bits first: descending sensitivity, ascending, shuffled.")
]
Calibration = Annotated[
    str | None, _option(_METHOD, "--calibration", f"How scales are found: {_names('calibration')}.")
]
Rounding = Annotated[str | None, _option(_METHOD, "--rounding", f"How weights are rounded: {_names('rounding')}.")]
Sequential = Annotated[
    bool | None,
    _option(_METHOD, "--sequential/--parallel", "Round each layer behind the rounded ones, or all on full precision."),
]
Granularity = Annotated[str | None, _option(_METHOD, "--granularity", "Who shares a scale: tensor, channel, group:N.")]
ConvGranularity = Annotated[
    str | None, _option(_METHOD, "--conv-granularity", "The same for convolutions, where it is another.")
]
Symmetric = Annotated[bool | None, _option(_METHOD, "--symmetric/--asymmetric", "Weights without zero points.")]
NumberFormat = Annotated[
    str | None, _option(_METHOD, "--format", "Codes of weights: affine, trellis (up to 6 bits), or auto: the better.")
]
Optimize = Annotated[
    str | None,
    _option(_METHOD, "--optimize", "size; speed: 8-bit integer kernels where a graph reads frames; or balanced."),
]
Activations = Annotated[str | None, _option(_METHOD, "--activations", "float, or int8 with static scales.")]
Effort = Annotated[
    str | None,
    _option(
        _DAILY, "--effort", f"How long to look for better codes: {', '.join(EFFORTS)}. [default: {DEFAULT_EFFORT}]"
    ),
]
Recipe = Annotated[str | None, _option(_METHOD, "--recipe", f"Named set of options: {', '.join(RECIPES)}.")]
Rules = Annotated[
    Path | None,
    _option(_METHOD, "--rules", "TOML file of options and per-layer exceptions, or a bundle to take them from."),
]
Keep = Annotated[
    list[str] | None,
    _option(_METHOD, "--keep", "Width of the layers that a glob matches: NAME=BITS, 1 to 8, 16 or 32; may repeat."),
]

Opset = Annotated[int | None, _option(_FILE, "--opset", "ONNX opset; 25 stores 2 bits natively.")]
Layout = Annotated[str | None, _option(_FILE, "--layout", f"Client to arrange the folder for: {', '.join(LAYOUTS)}.")]
Language = Annotated[
    str | None,
    _option(
        _DAILY, "--language", "Their language, such as de or German; of MMS its adapter, such as fra. [default: auto]"
    ),
]
NoSpeechThreshold = Annotated[
    float | None,
    _option(
        _RUN,
        "--no-speech-threshold",
        "Probability of no speech above which a clip is left out if its text is doubtful too, and a text of the bundle "
        "dropped; 1: none. [default: 0.7]",
    ),
]
VadThreshold = Annotated[
    float | None,
    _option(
        _RUN,
        "--vad-threshold",
        "Probability of speech that silero-vad, an extra, must hear somewhere in a clip, such as 0.05, or it is left "
        "out. [default: do not ask it]",
    ),
]
Context = Annotated[
    str | None,
    _option(
        _RUN,
        "--context",
        "speech: clips are heard with as little silence behind them as does as well on the clips held out, instead of "
        "30 s (Whisper only).",
    ),
]
Adapt = Annotated[
    str | None,
    _option(
        _RUN,
        "--adapt",
        "self: the model first learns from half of the clips, at most 16, without labels, and keeps that if as many "
        "others say that it helps.",
    ),
]
MaxClips = Annotated[int | None, _option(_RUN, "--max-clips", "Most windows of 30 s to use.")]
Seed = Annotated[int | None, _option(_RUN, "--seed", "Seed of everything random.")]
Cache = Annotated[Path | None, _option(_RUN, "--cache", "Folder for statistics that later runs use again.")]
DumpIr = Annotated[Path | None, _option(_RUN, "--dump-ir", "Folder for the graph after each pass.")]

HoldOut = Annotated[float | None, _option(_VERDICT, "--holdout", "Share of the clips kept out of the calibration.")]
MinAgreement = Annotated[
    float | None, _option(_VERDICT, "--min-agreement", "Least share of tokens preferred as at full precision.")
]
MaxKl = Annotated[float | None, _option(_VERDICT, "--max-kl", "Most divergence from full precision, nats a token.")]
MaxDeletions = Annotated[float | None, _option(_VERDICT, "--max-deletions", "Largest share of words left out.")]
MaxInsertions = Annotated[float | None, _option(_VERDICT, "--max-insertions", "Largest share of words added.")]
MaxLoops = Annotated[float | None, _option(_VERDICT, "--max-loops", "Largest share of clips that repeat themselves.")]
MaxBlanks = Annotated[float | None, _option(_VERDICT, "--max-blanks", "Largest share of clips without a word.")]

Private = Annotated[
    bool | None,
    Option("--private", help="Keep transcripts out of it, and out of --cache.", rich_help_panel=_REPORT),
]
EmbedAudio = Annotated[
    bool | None,
    Option("--embed-audio", help="Put the judged clips in, to be played there.", rich_help_panel=_REPORT),
]
