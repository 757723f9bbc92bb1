"""What ``quantize`` and ``inspect`` print about a bundle."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from myqasr_fx.bundle.bundle import BundleManifest, CalibrationRecord, QuantizedBundle
from myqasr_fx.bundle.context_record import FRAMES_A_SECOND, ContextRecord
from myqasr_fx.bundle.measure_record import OPEN
from myqasr_fx.bundle.verdict_record import ACCEPTED, REJECTED, UNCERTAIN, AcceptanceRecord
from myqasr_fx.cli.visible import shown, visible
from myqasr_fx.options.units import format_seconds

_CATEGORIES = {
    "codes": " (rounded weights)",
    "scales": " (step of each group of them)",
    "zero points": " (its code of 0)",
}
"""What the words mean that only quantization has."""

_FEW = 8  # widths that are listed one by one
_COLORS = {ACCEPTED: "green", UNCERTAIN: "yellow", REJECTED: "bold red"}


def bundle_data(bundle: QuantizedBundle) -> dict[str, Any]:
    """The manifest with the bundle's path."""
    return {"path": str(bundle.path), **bundle.manifest.content()}


def summary(bundle: QuantizedBundle, place: str | None = None) -> RenderableType:
    """What was made, how large it is and how well it computes.

    Args:
        bundle: The bundle.
        place: What to say instead of its path.
    """
    manifest = bundle.manifest
    checked = manifest.verification
    rows = [
        ("model", f"{manifest.model} ({manifest.family})"),
        ("bundle", place or str(bundle.path)),
        ("bytes", _bytes(manifest)),
        *([("spent on", _spent(manifest))] if manifest.categories else []),
        ("bits", f"{manifest.file_bits_per_weight:.2f} a weight in the files, scales included; {_widths(manifest)}"),
        *([("learned", manifest.adaptation.told)] if manifest.adaptation else []),
        ("calibration", _calibration(manifest.calibration)),
        (
            "verified",
            f"{checked.agreement:.2%} of {checked.tokens} best tokens (likeliest next ones) as in torch on "
            f"{checked.clips} clips; error of the outputs {checked.exact_error:.1e} computed exactly, "
            f"{checked.shipped_error:.1e} as shipped",
        ),
    ]
    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(Text(name, "bold"), shown(value))
    if manifest.acceptance is not None:
        grid.add_row(Text("verdict", "bold"), verdict(manifest.acceptance))
        grid.add_row(
            Text("in short", "bold"), Text(in_short(manifest.acceptance), _COLORS[manifest.acceptance.verdict])
        )
    if manifest.context is not None:
        grid.add_row(Text("context", "bold"), shown(context_told(manifest.context)))
    notes = [manifest.calibration.note] if manifest.calibration.note else []
    notes += [f"not used: {reason}" for reason in manifest.calibration.rejected]
    if manifest.acceptance is not None and manifest.acceptance.note:
        notes.append(manifest.acceptance.note)
    if manifest.acceptance is not None:
        notes += _advice(manifest.acceptance)
    return Group(grid, *(shown(note, "yellow") for note in notes))


def verdict(record: AcceptanceRecord) -> Text:
    """The verdict, what it rests on, every bound that does not hold and every one that is not decided."""
    heard = f"{record.clips} {'held-out ' if record.held_out else ''}clips, {format_seconds(record.seconds)}"
    text = Text(record.verdict, _COLORS[record.verdict])
    text.append(
        f": {record.agreement:.2%} of {record.positions} tokens as at full precision on {heard}, "
        f"divergence {record.kl:.3f} nats (0 is equal); of {record.words} words {record.substitutions:.2%} differ, "
        f"{record.deletions:.2%} are left out, {record.insertions:.2%} added; "
        f"{record.loops} clips in a loop, {record.blanks} blank",
        "default",
    )
    for reason in record.failed:
        text.append(f"\n{visible(reason)}", "red")
    for measure in record.measures:
        if measure.state == OPEN:
            text.append(f"\n{measure.state}: {measure.told}", "yellow")
    return text


def in_short(record: AcceptanceRecord) -> str:
    """The verdict for who does not know the measures."""
    changed = round(record.words * (record.substitutions + record.deletions + record.insertions))
    heard = f"it writes {changed or 'none'} of {record.words} words otherwise than full precision"
    if record.verdict == REJECTED:
        return f"do not use it as it is: {heard}, or tokens differ too much"
    if record.verdict == ACCEPTED:
        return f"use it: {heard}"
    if all(measure.inside for measure in record.measures):
        return f"nothing speaks against it, but so little speech proves nothing: {heard}"
    return f"it may be worse than full precision: {heard}"


def context_told(record: ContextRecord) -> str:
    """How little silence is heard behind a clip, and what that changes."""
    if record.margin is None:
        return f"30 s: no margin of up to {record.tried[-1].margin / FRAMES_A_SECOND:.1f} s behind a clip did as well"
    margin, least = record.margin / FRAMES_A_SECOND, record.least / FRAMES_A_SECOND
    (taken,) = (each for each in record.tried if each.margin == record.margin)
    return (
        f"clips are heard with {margin:.1f} s of silence behind them, at least {least:.1f} s in all, instead of 30 s: "
        f"{taken.verdict}, {taken.agreement:.2%} of tokens as at full precision, divergence {taken.kl:.3f} nats, "
        f"{taken.heard_again} clips heard again in 30 s"
    )


def _advice(record: AcceptanceRecord) -> list[str]:
    """What would help a bundle that is not accepted."""
    if not record.advice:
        return []
    if record.verdict == UNCERTAIN:
        return list(record.advice)
    tips = [f"{number}. {tip}" for number, tip in enumerate(record.advice, 1)]
    return ["what would help, in this order:", *tips, "`myqasr diagnose` names the layers behind it"]


def _calibration(record: CalibrationRecord) -> str:
    clips = f"{record.clips} clips, {format_seconds(record.seconds)}"
    if record.decides is None:  # of an earlier version
        return clips
    return f"{clips}; they decided {', '.join(record.decides) or 'nothing in the files'}"


def _bytes(manifest: BundleManifest) -> str:
    size = f"{manifest.model_bytes:,}"
    if manifest.budget_bytes is None:
        return size
    if manifest.file_budget is None:
        return f"{size} in files; the budget of {manifest.budget_bytes:,} counts bits of weights or parameters"
    return f"{size} of {manifest.file_budget:,} ({manifest.model_bytes / manifest.file_budget:.1%})"


def _spent(manifest: BundleManifest) -> str:
    return ", ".join(
        f"{name}{_CATEGORIES.get(name, '')} {size / manifest.model_bytes:.1%}"
        for name, size in manifest.categories.items()
    )


def _widths(manifest: BundleManifest) -> str:
    weights = [layer for layer in manifest.layers if layer.blocks]
    widths = sorted({block.bits for layer in weights for block in layer.blocks})
    all_of_them = len(weights) == len(manifest.layers)
    layers = (
        f"{len(weights)} layers" if all_of_them else f"{len(weights)} of {len(manifest.layers)} layers hold weights,"
    )
    shown = ", ".join(map(str, widths)) if len(widths) <= _FEW else f"{widths[0]} to {widths[-1]}"
    return f"{layers} at {shown} bits"
