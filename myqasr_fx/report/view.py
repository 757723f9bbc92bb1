"""What the pages show, as values ready to print: shares, heights, marked words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from myqasr_fx.bundle.bundle import BundleManifest, LayerRecord
from myqasr_fx.bundle.byte_category import Category
from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.bundle.measure_record import AGREEMENT, FAILS, HOLDS, KL, MeasureRecord
from myqasr_fx.bundle.verdict_record import AcceptanceRecord
from myqasr_fx.report.record import LayerDetail
from myqasr_fx.report.words import Piece, mark
from passes.numbers.scheme import MAX_PACKED_BITS

COSTLY = 8
"""Layers named in the list of those expected to cost most."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of the byte bar: a category, or what is left of the budget.

    Args:
        name: Category.
        bytes: Its bytes.
        percent: Of the whole bar.
        color: Number of its colour; 0 for unused bytes.
    """

    name: str
    bytes: int
    percent: float
    color: int


@dataclass(frozen=True, slots=True)
class LayerView:
    """A layer as the page's script reads it.

    Args:
        name: Of the layer.
        group: First parts of the name, which layers of one part of the network share.
        op: linear, conv1d, embedding or matmul.
        shape: As text.
        bits: Mean width; None for a product of activations.
        widths: Rows at each width, as text.
        height: Of its bar, percent.
        bytes: In the files.
        sensitivity: Of its outputs.
        rank: 1 for the most sensitive.
        share: Its sensitivity as percent of the largest.
        executes: How onnxruntime computes it.
        rounding: Method, and rows that are rounded to nearest instead; None for floats.
        damage: Nats a position that it is expected to cost; None where nothing is expected.
        detail: Histograms; None where nothing was rounded.
    """

    name: str
    group: str
    op: str
    shape: str
    bits: float | None
    widths: str
    height: float
    bytes: int
    sensitivity: float
    rank: int
    share: float
    executes: str
    rounding: str | None
    damage: float | None
    detail: LayerDetail | None

    @property
    def color(self) -> str:
        """Suffix of the colour of its width."""
        return "f" if self.bits is None or self.bits > MAX_PACKED_BITS else str(max(1, round(self.bits)))


@dataclass(frozen=True, slots=True)
class Bar:
    """Nats a position as a bar of some percent."""

    name: str
    nats: float
    percent: float


@dataclass(frozen=True, slots=True)
class Bound:
    """One line of the verdict: what was measured, what had to hold, and whether it does.

    Args:
        name: Of the measure.
        value: On the clips.
        interval: Of 95 %; empty for counts of clips and in bundles of earlier versions.
        bound: What it is held against.
        state: ``holds``, ``undecided`` or ``fails``.
    """

    name: str
    value: str
    interval: str
    bound: str
    state: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """A clip heard by both models.

    Args:
        name: Of the clip.
        seconds: Its length.
        expected: Pieces of the full-precision text.
        got: Pieces of the quantized text.
        changes: Words that differ.
        audio: ``data:`` address of the recording; None when it is left out.
    """

    name: str
    seconds: float
    expected: tuple[Piece, ...]
    got: tuple[Piece, ...]
    changes: int
    audio: str | None


def segments(manifest: BundleManifest) -> tuple[Segment, ...]:
    """The byte bar, as wide as the budget or as the files where there is none."""
    whole = max(manifest.file_budget or 0, manifest.model_bytes)
    colors = {str(category): number for number, category in enumerate(Category, 1)}
    parts = [(name, size, colors[name]) for name, size in manifest.categories.items()]
    if unused := whole - manifest.model_bytes:
        parts.append(("unused", unused, 0))
    return tuple(Segment(name, size, round(100 * size / whole, 3), color) for name, size, color in parts)


def layer_views(manifest: BundleManifest, details: Mapping[str, LayerDetail]) -> tuple[LayerView, ...]:
    """Every layer, in network order."""
    largest = max((layer.sensitivity for layer in manifest.layers), default=1.0) or 1.0
    ranked = sorted(manifest.layers, key=lambda layer: -layer.sensitivity)
    ranks = {layer.name: rank for rank, layer in enumerate(ranked, 1)}
    return tuple(
        LayerView(
            name=layer.name,
            group=".".join(layer.name.split(".")[:2]),
            op=layer.op,
            shape=" x ".join(map(str, layer.shape)) or "activations",
            bits=layer.bits,
            widths=_widths(layer),
            height=round(100 * min(layer.bits or 0, MAX_PACKED_BITS) / MAX_PACKED_BITS, 2),
            bytes=layer.bytes,
            sensitivity=layer.sensitivity,
            rank=ranks[layer.name],
            share=round(100 * layer.sensitivity / largest, 2),
            executes=layer.executes,
            rounding=_rounding(layer, details.get(layer.name)),
            damage=layer.expected_damage,
            detail=details.get(layer.name),
        )
        for layer in manifest.layers
    )


def _rounding(layer: LayerRecord, detail: LayerDetail | None) -> str | None:
    if layer.rounding is None:
        return None
    nearest = f"{layer.fallbacks} rows to nearest" if layer.fallbacks else ""
    damped = f"damping {detail.damping:g}" if detail is not None and detail.damping is not None else ""
    return ", ".join(filter(None, (layer.rounding, nearest, damped)))


def damages(manifest: BundleManifest) -> tuple[Bar, ...]:
    """Expected against measured damage, or nothing where nothing was expected."""
    if manifest.damage is None:
        return ()
    rows = [
        ("no choice can be expected below", manifest.damage.bound),
        ("expected of these widths", manifest.damage.expected),
        *([("measured by the verdict", manifest.acceptance.kl)] if manifest.acceptance else []),
    ]
    largest = max(value for _, value in rows) or 1.0
    return tuple(Bar(name, value, round(100 * value / largest, 2)) for name, value in rows)


def costly(layers: Sequence[LayerView]) -> tuple[Bar, ...]:
    """The layers that are expected to cost most, each with its share of all."""
    known = sorted((layer for layer in layers if layer.damage), key=lambda layer: -(layer.damage or 0))
    total = sum(layer.damage or 0 for layer in known) or 1.0
    return tuple(
        Bar(layer.name, layer.damage or 0, round(100 * (layer.damage or 0) / total, 2)) for layer in known[:COSTLY]
    )


def bounds(manifest: BundleManifest) -> tuple[Bound, ...]:
    """What the verdict rests on, or nothing where nothing was judged."""
    record, limits = manifest.acceptance, manifest.config.get("acceptance")
    if record is None or limits is None:
        return ()
    rows = [_measured(measure) for measure in record.measures or _without_intervals(record, limits)]
    for name, count, key in (
        ("clips in a loop", record.loops, "max_loops"),
        ("blank clips", record.blanks, "max_blanks"),
    ):
        share, most = count / record.clips, limits[key]
        rows.append(Bound(name, f"{share:.2%}", "", f"≤ {most:.2%}", HOLDS if share <= most else FAILS))
    return tuple(rows)


def _measured(measure: MeasureRecord) -> Bound:
    shown, sign = measure.shown, "≥" if measure.name == AGREEMENT else "≤"
    interval = "" if measure.low == measure.high else f"{shown(measure.low)} to {shown(measure.high)}"
    return Bound(measure.title, shown(measure.value), interval, f"{sign} {shown(measure.bound)}", measure.state)


def _without_intervals(record: AcceptanceRecord, limits: Mapping[str, Any]) -> Iterator[MeasureRecord]:
    """The measures of bundles of earlier versions, whose verdict compared the figures alone."""
    for name, key in (
        (AGREEMENT, "min_agreement"),
        (KL, "max_kl"),
        ("deletions", "max_deletions"),
        ("insertions", "max_insertions"),
    ):
        value, bound = getattr(record, name), limits[key]
        holds = value >= bound if name == AGREEMENT else value <= bound
        yield MeasureRecord(name, value, value, value, bound, HOLDS if holds else FAILS)


def spoken(comparison: ClipComparison, audio: str | None) -> Spoken:
    """One clip with the differing words marked."""
    expected, got = mark(comparison.expected, comparison.got)
    return Spoken(comparison.name, comparison.seconds, expected, got, comparison.edits.changes, audio)


def _widths(layer: LayerRecord) -> str:
    """``1024 rows at 5 bits, 512 at 4``; the width alone where all rows share it."""
    runs = groupby(sorted(layer.blocks, key=lambda block: -block.bits), key=lambda block: block.bits)
    rows = {bits: sum(block.stop - block.start for block in blocks) for bits, blocks in runs}
    if len(rows) < 2:
        return "".join(f"{bits} bits" for bits in rows) or "-"
    return ", ".join(f"{count:,} rows at {bits} bits" for bits, count in rows.items())
