from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx.errors import BundleError
from myqasr_fx.report.record import DETAILS, Histogram, ReportDetails


def test_written_and_read_again(details: ReportDetails, tmp_path: Path) -> None:
    for content in (details, replace(details, comparisons=None)):
        content.write(tmp_path)
        first = (tmp_path / DETAILS).read_bytes()
        assert ReportDetails.read(tmp_path) == content
        ReportDetails.read(tmp_path).write(tmp_path)
        assert (tmp_path / DETAILS).read_bytes() == first


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layers": {"a": {}}, "comparisons": null}', '{"layers": 1}'])
def test_damage_is_a_bundle_error(text: str, tmp_path: Path) -> None:
    (tmp_path / DETAILS).write_text(text)
    with pytest.raises(BundleError, match=r"report\.json: damaged"):
        ReportDetails.read(tmp_path)


def test_missing_is_a_bundle_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        ReportDetails.read(tmp_path)


@pytest.mark.parametrize("wrong", [(0.0, 1.0, ()), (1.0, 0.0, (1,))])
def test_a_histogram_has_bins_and_a_range(wrong: tuple[float, float, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="histogram"):
        Histogram(*wrong)
