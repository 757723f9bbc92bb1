"""Makes the report of bundles that lie on the disk."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import EvaluationError, OutputError
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.render import REPORT, Compared, render_comparison, render_report

Rate = tuple[float, float, float]
"""A word error rate and its 95 % interval."""


def make_report(folders: Sequence[Path], out: Path | None, evaluations: Sequence[Path], private: bool) -> Path:
    """Writes the report of one bundle, or a comparison of several.

    Args:
        folders: Of the bundles.
        out: File to write; ``report.html`` in a single bundle's folder, or here, when None.
        evaluations: Files of ``myqasr evaluate --json``.
        private: Leave transcripts out.

    Raises:
        BundleError: A folder holds no bundle.
        EvaluationError: A file is no evaluation, or of none of the bundles.
        OutputError: The file cannot be written.
    """
    rates = _rates(folders, evaluations)
    bundles = []
    for folder, name in zip(folders, _names(folders), strict=True):
        details = ReportDetails.read(folder)
        if private:
            details = replace(details, comparisons=None)
        bundles.append(Compared(name, QuantizedBundle.open(folder).manifest, details, rates.get(folder.resolve())))
    if len(bundles) == 1:
        (only,) = bundles
        page, path = render_report(only.manifest, only.details, wer=only.wer), out or folders[0] / REPORT
    else:
        page, path = render_comparison(bundles), out or Path(REPORT)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}", hint="choose another --out") from error
    return path


def _names(folders: Sequence[Path]) -> list[str]:
    """The last parts of the folders' paths in which they differ."""
    if len(folders) == 1:
        return [folders[0].name]
    paths = [str(folder.resolve()) for folder in folders]
    common = os.path.commonpath(paths)
    return [os.path.relpath(path, common) if path != common else Path(path).name for path in paths]


def _rates(folders: Sequence[Path], evaluations: Sequence[Path]) -> dict[Path, Rate]:
    known = {folder.resolve() for folder in folders}
    rates: dict[Path, Rate] = {}
    for path in evaluations:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            low, high = data["wer_ci95"]
            bundle, rate = Path(data["model"]).resolve(), (float(data["wer"]), float(low), float(high))
        except (OSError, ValueError, KeyError, TypeError) as error:
            hint = "give what `myqasr evaluate BUNDLE --manifest FILE --json` printed"
            raise EvaluationError(f"{path}: no evaluation: {error}", hint=hint) from error
        if bundle not in known:
            raise EvaluationError(f"{path}: an evaluation of {data['model']}, which is none of the bundles given")
        rates[bundle] = rate
    return rates
