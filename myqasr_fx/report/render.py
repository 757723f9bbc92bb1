"""Writes the pages: one file each, without anything to load from elsewhere."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.options.units import format_seconds, format_size
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.reproduce import command
from myqasr_fx.report.view import bounds, costly, damages, layer_views, segments, spoken

REPORT = "report.html"

MAX_BYTES = 1_500_000
"""Largest page; recordings are left out rather than exceed it."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """A bundle of a comparison.

    Args:
        name: What to call it.
        manifest: Its ``myqasr.json``.
        details: Its ``report.json``.
        wer: Word error rate and its 95 % interval, where an evaluation is at hand.
    """

    name: str
    manifest: BundleManifest
    details: ReportDetails
    wer: tuple[float, float, float] | None = None


def render_report(
    manifest: BundleManifest,
    details: ReportDetails,
    recordings: Mapping[str, str] | None = None,
    wer: tuple[float, float, float] | None = None,
) -> str:
    """The page of one bundle.

    Args:
        manifest: Its ``myqasr.json``.
        details: Its ``report.json``.
        recordings: Clip name to a ``data:`` address; only these clips get a player.
        wer: Word error rate and its 95 % interval, where an evaluation is at hand.
    """
    players = recordings or {}
    layers = layer_views(manifest, details.layers)
    heard = details.comparisons
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            manifest=manifest,
            acceptance=manifest.acceptance,
            wer=wer,
            segments=segments(manifest),
            layers=layers,
            ranking=sorted(layers, key=lambda layer: layer.rank),
            bounds=bounds(manifest),
            damages=damages(manifest),
            costly=costly(layers),
            clips=None if heard is None else [spoken(clip, players.get(clip.name)) for clip in heard],
            command=command(manifest),
            data=_script_data([asdict(layer) for layer in layers]),
        )
    )


def render_comparison(bundles: Sequence[Compared]) -> str:
    """The page that compares bundles."""
    return (
        _environment()
        .get_template("compare.html.j2")
        .render(
            bundles=bundles,
            bars=[segments(bundle.manifest) for bundle in bundles],
            strips=[layer_views(bundle.manifest, bundle.details.layers) for bundle in bundles],
            widest=max(max(b.manifest.file_budget or 0, b.manifest.model_bytes) for b in bundles),
            floor=_floor([b.manifest.acceptance.agreement_ci95 for b in bundles if b.manifest.acceptance]),
            commands=[command(bundle.manifest) for bundle in bundles],
            data=_script_data([]),
        )
    )


def _floor(intervals: Sequence[tuple[float, float] | None]) -> float:
    """Where the axis of agreements starts: a whole ten per cent below all of them."""
    lowest = min((interval[0] for interval in intervals if interval), default=0.9)
    return min(0.9, math.floor(10 * lowest) / 10)


def text_environment() -> Environment:
    """Of templates that are no page: nothing is escaped."""
    return _environment(escape=False)


def _environment(escape: bool = True) -> Environment:
    environment = Environment(
        loader=PackageLoader("myqasr_fx.report"),
        autoescape=escape,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["size"] = format_size
    environment.filters["duration"] = format_seconds
    environment.filters["percent"] = lambda value, digits=2: f"{value:.{digits}%}"
    environment.filters["commas"] = lambda value: f"{value:,}"
    return environment


def _script_data(value: object) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))
