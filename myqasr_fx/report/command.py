"""Makes the report of bundles that lie on the disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.output_file import check_file, write_file
from myqasr_fx.bundle.record_reader import build_record
from myqasr_fx.bundle.untrusted_json import read_object
from myqasr_fx.errors import BundleError, EvaluationError, OutputError
from myqasr_fx.report.options import check_options
from myqasr_fx.report.record import DETAILS, ReportDetails
from myqasr_fx.report.render import REPORT, Compared, render_comparison, render_report

_AUDIO = b'"data:audio/'
"""How recordings begin that ``--embed-audio`` puts into a page."""

Rate = tuple[float, float, float]
"""A word error rate and its 95 % interval."""


@dataclass(frozen=True, slots=True)
class _Score:
    """What an evaluation says of a bundle."""

    model: str
    wer: float
    wer_ci95: tuple[float, float]


def make_report(
    folders: Sequence[Path], out: Path | None, evaluations: Sequence[Path], private: bool, force: bool = False
) -> Path:
    """Writes the report of one bundle, or a comparison of several.

    Args:
        folders: Of the bundles.
        out: File to write; ``report.html`` in a single bundle's folder, or here, when None.
        evaluations: Files of ``myqasr evaluate --json``.
        private: Leave transcripts out, in a single bundle's folder also of its ``report.json``.
        force: Replace a file; a bundle's own page is replaced always, but for one that holds recordings.

    Raises:
        BundleError: A folder holds no bundle.
        EvaluationError: A file is no evaluation, or of none of the bundles.
        OutputError: The file exists or cannot be written.
    """
    own = out is None and len(folders) == 1
    path = folders[0] / REPORT if own else out or Path(REPORT)
    check_file(path, force or own)
    if own and not force and path.is_file() and _AUDIO in path.read_bytes():
        hint = "write another page with --out, or this one without them with --force"
        raise OutputError(f"{path} holds recordings, which are nowhere else", hint=hint)
    bundles = _read(folders, _rates(folders, evaluations), private)
    if len(bundles) == 1:
        (only,) = bundles
        page = render_report(only.manifest, only.details, wer=only.wer)
    else:
        page = render_comparison(bundles)
    if own and private:
        write_file(folders[0] / DETAILS, bundles[0].details.as_json(), force=True)
    write_file(path, page, force=force or own)
    return path


def _read(folders: Sequence[Path], rates: Mapping[Path, Rate], private: bool) -> list[Compared]:
    bundles = []
    for folder, name in zip(folders, _names(folders), strict=True):
        manifest, details = QuantizedBundle.open(folder).manifest, ReportDetails.read(folder)
        check_options(folder, manifest)
        if private:
            details = replace(details, comparisons=None)
        bundles.append(Compared(name, manifest, details, rates.get(folder.resolve())))
    return bundles


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
    names = {field.name for field in fields(_Score)}
    for path in evaluations:
        try:
            score = build_record(_Score, {key: value for key, value in read_object(path).items() if key in names})
            bundle = Path(score.model).resolve()
        except (BundleError, ValueError) as error:
            hint = "give what `myqasr evaluate BUNDLE --manifest FILE --json` printed"
            what = error.message if isinstance(error, BundleError) else f"{path}: {error}"
            raise EvaluationError(f"no evaluation: {what}", hint=hint) from error
        if bundle not in known:
            raise EvaluationError(f"{path}: an evaluation of {score.model}, which is none of the bundles given")
        rates[bundle] = (score.wer, *score.wer_ci95)
    return rates
