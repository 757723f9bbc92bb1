"""``myqasr diagnose``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from typer import Option

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.fitting import Fitting, in_two_lines
from myqasr_fx.cli.transcribe import Bundle, Language
from myqasr_fx.cli.visible import shown
from myqasr_fx.errors import ModelError
from myqasr_fx.process.progress import RichProgress

if TYPE_CHECKING:
    from myqasr_fx.bundle.verdict_record import AcceptanceRecord
    from myqasr_fx.diagnose.record import Diagnosis, LayerDiagnosis

Audio = Annotated[
    list[Path], Option("--audio", help="Those that the bundle was made with, to compare on the clips of its verdict.")
]
Model = Annotated[
    str | None,
    Option(
        "--model",
        help="The bundle's model; needed where that was a folder, of which myqasr.json keeps the last part of the path "
        r"alone. \[default: the name in myqasr.json]",
        show_default=False,
    ),
]
MaxClips = Annotated[
    int, Option("--max-clips", help="Most clips to try single layers on, and to compare on of other recordings.", min=1)
]
AllLayers = Annotated[bool, Option("--layers", help="Show every layer, not only those of the largest shares.")]


def diagnose(
    bundle: Bundle,
    *,
    audio: Audio,
    model: Model = None,
    max_clips: MaxClips = 3,
    language: Language = None,
    all_layers: AllLayers = False,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Find out where a bundle differs from its full-precision model, and what to change."""
    from myqasr_fx.audio import found_inputs

    opened = QuantizedBundle.open(bundle)
    found_inputs(audio)
    name = model or _recorded(opened)
    from myqasr_fx.diagnose.diagnose import diagnose as compare
    from myqasr_fx.diagnose.recordings import choose
    from myqasr_fx.models.load import load_model

    known = opened.manifest.config.get("language")  # names the adapter, where the model has several
    spoken = language or (known if isinstance(known, str) else None)
    chosen = choose(audio, opened.manifest, max_clips)  # recordings that are not there are told before a model loads
    speech = load_model(name, spoken)
    found = compare(opened, speech, chosen, speech.told(spoken), RichProgress())
    manifest = opened.manifest
    return Answer(
        {"bundle": str(bundle), **asdict(found)},
        _view(found, manifest.acceptance, all_layers, of_delta="delta" in manifest.config),
    )


def _recorded(bundle: QuantizedBundle) -> str:
    """The name of the bundle's model, where a model can be found by it."""
    from myqasr_fx.models.names import check_name, how_to_give

    name = bundle.manifest.model
    try:
        check_name(name)
    except ModelError as error:
        raise ModelError(f"no model to compare {bundle.path} with", hint=how_to_give(name)) from error
    return name


_COLUMNS = (
    "rounding dB: signal to noise of the layer's output with rounded weights, here and in all layers before it",
    "runtime dB: onnxruntime's output against these weights in torch; - where no operator of the file gives the output",
    "alone: divergence from full precision when this layer alone is quantized; share: of the sum over all layers",
    "divergence: how far the probabilities of the next token are apart, in nats; 0 is equal",
)
NAMED = 3
"""Layers that the summary names."""

MOST_LAYERS = 10
"""Layers that the table has unless all are asked for."""


def _view(
    found: Diagnosis, verdict: AcceptanceRecord | None, all_layers: bool = False, *, of_delta: bool = False
) -> RenderableType:
    total = sum(layer.kl or 0 for layer in found.layers) or 1.0
    layers = found.layers if all_layers else _by_share(found)[:MOST_LAYERS]
    table = Fitting(_table(layers, total, narrow=False), _table(layers, total, narrow=True))
    lines = [
        *_left_out(len(found.layers) - len(layers)),
        *_COLUMNS,
        f"{found.model}: {found.agreement:.2%} of {found.positions} tokens as at full precision on {_clips(found)}, "
        f"divergence {found.bundle_kl:.4f} nats, {found.rounding_kl:.4f} with its weights in torch",
        *_against(found, verdict),
        *_costliest(found, total),
    ]
    if (token := found.token) is not None:
        lines.append(
            f"first difference: {token.clip}, position {token.position}, after {token.before[-60:]!r}: "
            f"{token.expected!r} became {token.got!r}; margin of the "
            f"best token {token.margin:.2f} (usual {token.usual_margin:.2f}) at "
            f"full precision, {token.rounding_margin:.2f} with rounded weights, {token.bundle_margin:.2f} in the "
            f"bundle: {token.why}" + (f"; most of it by {token.layer}" if token.layer else "")
        )
    return Group(
        table, *map(shown, lines), *(shown(line, "yellow") for line in (*_advice(found, of_delta), *found.notes))
    )


def _table(layers: Sequence[LayerDiagnosis], total: float, *, narrow: bool) -> Table:
    """A row a layer; a narrow one breaks names and the columns' titles."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0) if narrow else (0, 1))
    table.add_column("layer", overflow="fold")
    for name in ("bits", "bytes", "rounding dB", "runtime dB", "alone, nats", "share"):
        table.add_column(name.replace(" ", "\n") if narrow else name, justify="right", no_wrap=True)
    for layer in layers:
        name = in_two_lines(layer.name) if narrow else layer.name
        numbers = (layer.rounding_db, layer.runtime_db)
        cells = ["-" if layer.bits is None else f"{layer.bits:.3g}", f"{layer.bytes:,}"]
        cells += ["-" if number is None else f"{number:.1f}" for number in numbers]
        cells += ["-", "-"] if layer.kl is None else [f"{layer.kl:.5f}", f"{layer.kl / total:.1%}"]
        table.add_row(Text("\n").join(map(shown, name.split("\n"))), *map(shown, cells))
    return table


def _left_out(count: int) -> list[str]:
    return [f"{count} layers of smaller shares are left out; --layers shows all in network order"] if count else []


def _clips(found: Diagnosis) -> str:
    return f"the {found.clips} clips of the verdict" if found.judged else f"{found.clips} clips"


def _against(found: Diagnosis, verdict: AcceptanceRecord | None) -> list[str]:
    """How far these figures can be believed, and why they are not those of the verdict where they are not."""
    lines = [f"{measure.state}: {measure.told}" for measure in found.measures]
    if found.judged or verdict is None:
        return lines
    why = "are not those that it judged" if verdict.judged else "may be others: the bundle does not name its own"
    heard = f"{verdict.agreement:.2%} of {verdict.positions} tokens, divergence {verdict.kl:.4f} nats"
    return [*lines, f"the verdict says {verdict.verdict} from {heard}; these clips {why}"]


def _advice(found: Diagnosis, of_delta: bool) -> list[str]:
    """What to change; widths and bytes of a delta are those of its base."""
    from myqasr_fx.diagnose.advice import needs_nothing

    what = "the base of this delta" if of_delta else ""
    if found.advice:
        tips = [
            f"quantize {what and f'{what} '}again with {a.option} ({a.bytes:+,} bytes): {a.why}" for a in found.advice
        ]
        return [*_before_advice(found), *tips]
    nothing = needs_nothing(found.bundle_kl, found.measures)
    return [
        "nothing needs a change"
        if nothing
        else f"no single layer stands out: take a larger budget{what and f' for {what}'}"
    ]


def _before_advice(found: Diagnosis) -> list[str]:
    """What a change can be expected to do, and where it has to be judged."""
    lines = []
    if all(measure.inside for measure in found.measures):
        lines.append(
            "every figure is inside its bound on these clips: what follows brings the bundle closer to full precision, "
            "but makes no verdict surer; more recordings do"
        )
    if found.judged and any(a.option.startswith("--keep") for a in found.advice):
        lines.append("layers were found on the clips of the verdict: judge a bundle that keeps them wide on others")
    return lines


def _costliest(found: Diagnosis, total: float) -> list[str]:
    named = [f"{layer.name} {layer.kl / total:.0%}" for layer in _by_share(found)[:NAMED] if layer.kl]
    return [f"costliest alone: {', '.join(named)}"] if named else []


def _by_share(found: Diagnosis) -> list[LayerDiagnosis]:
    return sorted(found.layers, key=lambda layer: -(layer.kl or 0))
