"""The report and the model card that ``quantize`` leaves in a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from myqasr_fx.audio import Clip
from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.report.card import write_card
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.recordings import data_addresses
from myqasr_fx.report.render import MAX_BYTES, REPORT, render_report


def write_bundle_report(
    folder: Path, manifest: BundleManifest, details: ReportDetails, recordings: Sequence[Clip] = ()
) -> None:
    """Writes ``report.json``, ``report.html`` and ``README.md``.

    Args:
        folder: Of the bundle.
        manifest: Its ``myqasr.json``.
        details: What the report shows beyond that.
        recordings: Clips to put into the page, as many as it has room for.
    """
    write_card(folder, manifest)
    details.write(folder)
    page = render_report(manifest, details)
    if recordings:
        room = MAX_BYTES - len(page.encode())
        page = render_report(manifest, details, data_addresses(recordings, room))
    (folder / REPORT).write_bytes(page.encode("utf-8", "replace"))
