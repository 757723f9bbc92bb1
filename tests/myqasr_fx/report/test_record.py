import json
from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx.errors import BundleError
from myqasr_fx.report.record import DETAILS, MAX_TEXT, Histogram, ReportDetails


def test_written_and_read_again(details: ReportDetails, tmp_path: Path) -> None:
    for content in (details, replace(details, comparisons=None)):
        content.write(tmp_path)
        first = (tmp_path / DETAILS).read_bytes()
        assert ReportDetails.read(tmp_path) == content
        ReportDetails.read(tmp_path).write(tmp_path)
        assert (tmp_path / DETAILS).read_bytes() == first


@pytest.mark.parametrize("wrong", [{"comparisons": {}}, {"layers": []}, {"layers": {"a": None}}, {"colour": 1}])
def test_a_value_of_another_type_is_a_bundle_error(wrong: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / DETAILS).write_text(json.dumps({"layers": {}, "comparisons": None} | wrong))
    with pytest.raises(BundleError, match=r"report\.json: damaged: (comparisons|layers|unknown field)"):
        ReportDetails.read(tmp_path)


def test_texts_that_would_take_hours_to_compare_are_refused(details: ReportDetails) -> None:
    assert details.comparisons
    long = replace(details.comparisons[0], got="a " * MAX_TEXT)
    with pytest.raises(ValueError, match="more than 5000 characters"):
        replace(details, comparisons=(long,))


def test_a_name_that_is_no_utf_8_is_written(details: ReportDetails, tmp_path: Path) -> None:
    assert details.comparisons
    replace(details, comparisons=(replace(details.comparisons[0], name="\udcff.wav"),)).write(tmp_path)
    read = ReportDetails.read(tmp_path)
    assert read.comparisons and read.comparisons[0].name == "?.wav"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layers": {"a": {}}, "comparisons": null}', '{"layers": 1}'])
def test_damage_is_a_bundle_error(text: str, tmp_path: Path) -> None:
    (tmp_path / DETAILS).write_text(text)
    with pytest.raises(BundleError, match=r"report\.json: damaged"):
        ReportDetails.read(tmp_path)


def test_missing_is_a_bundle_error(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="No such file"):
        ReportDetails.read(tmp_path)


@pytest.mark.parametrize("wrong", [(0.0, 1.0, ()), (1.0, 0.0, (1,)), (0.0, 1.0, (-1,)), (0.0, 1.0, (1,) * 2000)])
def test_a_histogram_has_bins_and_a_range(wrong: tuple[float, float, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="histogram"):
        Histogram(*wrong)
