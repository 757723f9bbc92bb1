import json
from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx.bundle.adaptation_record import AdaptationRecord
from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.cli.app import main
from myqasr_fx.errors import BundleError, EvaluationError, OutputError
from myqasr_fx.report.command import make_report
from myqasr_fx.report.record import ReportDetails
from myqasr_fx.report.render import render_report


@pytest.fixture
def folders(manifest: BundleManifest, details: ReportDetails, tmp_path: Path) -> list[Path]:
    made = [tmp_path / "runs" / name / "bundle" for name in ("a", "b")]
    for folder in made:
        folder.mkdir(parents=True)
        manifest.write(folder)
        details.write(folder)
        for file in manifest.files:
            (folder / file.name).write_bytes(b"0" * file.bytes)
    return made


def test_one_bundle_gets_its_page(folders: list[Path]) -> None:
    path = make_report(folders[:1], None, (), private=False)
    assert path == folders[0] / "report.html"
    assert "All the same" in path.read_text()
    assert "All the same" not in make_report(folders[:1], None, (), private=True).read_text()


def test_a_comparison_says_whose_full_precision_has_learned(
    folders: list[Path], manifest: BundleManifest, tmp_path: Path
) -> None:
    told = "is the model after it learned from recordings"
    assert told not in make_report(folders, tmp_path / "plain.html", (), private=False).read_text()
    record = AdaptationRecord(True, "divergence", 5, 10.0, 5, 0.3, 0.2, -0.2, -0.05, 40, 3)
    replace(manifest, adaptation=record).write(folders[1])
    page = make_report(folders, tmp_path / "both.html", (), private=False).read_text()
    assert f"Full precision of b/bundle {told}" in page


def test_several_are_compared_under_the_names_that_tell_them_apart(folders: list[Path], tmp_path: Path) -> None:
    score = tmp_path / "score.json"
    score.write_text(json.dumps({"model": str(folders[1]), "wer": 0.25, "wer_ci95": [0.2, 0.3]}))
    page = make_report(folders, tmp_path / "both.html", [score], private=False).read_text()
    assert "a/bundle" in page
    assert "b/bundle" in page
    assert page.count("25.00%") == 1


def test_refusals(folders: list[Path], tmp_path: Path) -> None:
    score = tmp_path / "score.json"
    score.write_text("{}")
    with pytest.raises(EvaluationError, match="no evaluation"):
        make_report(folders, None, [score], private=False)
    score.write_text(json.dumps({"model": "elsewhere", "wer": 0.25, "wer_ci95": [0.2, 0.3]}))
    with pytest.raises(EvaluationError, match="none of the bundles"):
        make_report(folders, None, [score], private=False)
    with pytest.raises(OutputError, match="cannot write"):
        make_report(folders, tmp_path / "no" / "page.html", (), private=False)
    with pytest.raises(BundleError):
        make_report([tmp_path], None, (), private=False)


def test_the_command_names_the_page(folders: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["report", str(folders[0]), "--json"])
    assert not stop.value.code
    made = json.loads(capsys.readouterr().out)
    assert made == {"report": str(folders[0] / "report.html"), "bytes": (folders[0] / "report.html").stat().st_size}


def test_an_existing_file_is_replaced_only_when_asked(folders: list[Path], tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("precious")
    with pytest.raises(OutputError, match=r"mine\.txt exists"):
        make_report(folders[:1], mine, (), private=False)
    assert mine.read_text() == "precious"
    assert make_report(folders[:1], mine, (), private=False, force=True) == mine
    assert "All the same" in mine.read_text()
    with pytest.raises(SystemExit) as stop:
        main(["report", str(folders[0]), "--out", str(mine)])
    assert stop.value.code == 2
    with pytest.raises(SystemExit) as stop:
        main(["report", str(folders[0]), "--out", str(mine), "--force"])
    assert not stop.value.code


def test_a_comparison_spares_a_report_that_lies_here(
    folders: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert make_report(folders, None, (), private=False) == Path("report.html")
    with pytest.raises(OutputError, match=r"report\.html exists"):
        make_report(folders, None, (), private=False)


def test_a_page_that_is_a_link_is_not_followed(folders: list[Path], tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (folders[0] / "report.html").symlink_to(tmp_path / "precious")
    make_report(folders[:1], None, (), private=False)
    assert (tmp_path / "precious").read_text() == "precious"


def test_private_leaves_transcripts_out_of_all_that_it_writes(folders: list[Path], tmp_path: Path) -> None:
    before = (folders[0] / "report.json").read_bytes()
    page = make_report(folders[:1], tmp_path / "page.html", (), private=True)
    assert "All the same" not in page.read_text()
    assert (folders[0] / "report.json").read_bytes() == before  # a page elsewhere: the bundle is left alone
    make_report(folders[:1], None, (), private=True)
    for name in ("report.html", "report.json"):
        text = (folders[0] / name).read_text()
        assert "All the same" not in text
        assert "a.wav" not in text
    assert ReportDetails.read(folders[0]).comparisons is None


@pytest.mark.parametrize(
    "score",
    [
        "",
        "[]",
        "[" * 200_000,
        '{"model": 3, "wer": 0.25, "wer_ci95": [0.2, 0.3]}',
        '{"model": "a", "wer": NaN, "wer_ci95": [0.2, 0.3]}',
        '{"model": "a", "wer": "0.25", "wer_ci95": [0.2, 0.3]}',
        '{"model": "a", "wer": 0.25, "wer_ci95": [0.2]}',
        '{"model": "a\\u0000", "wer": 0.25, "wer_ci95": [0.2, 0.3]}',
    ],
    ids=lambda value: value[:60],
)
def test_what_is_no_evaluation_is_one_line(score: str, folders: list[Path], tmp_path: Path) -> None:
    (tmp_path / "score.json").write_text(score)
    with pytest.raises(EvaluationError, match=r"score\.json"):
        make_report(folders, tmp_path / "page.html", [tmp_path / "score.json"], private=False)
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("budget", None),
        ("budget", {}),
        ("budget", {"bytes": "1", "avg_bits": None, "uniform_bits": None, "kind": "file"}),
        ("sensitivity", 3),
        ("rules", {}),
        ("rules", [1]),
        ("acceptance", {}),
        ("acceptance", []),
        ("acceptance", {"min_agreement": "x"}),
    ],
)
def test_options_that_no_page_can_show_are_one_line(
    place: str, value: object, folders: list[Path], manifest: BundleManifest
) -> None:
    replace(manifest, config={**manifest.config, place: value}).write(folders[0])
    for given in (folders[:1], folders):
        with pytest.raises(BundleError, match=rf"myqasr\.json: damaged: config(\.{place})?: |config\.{place}"):
            make_report(given, None, (), private=False)


@pytest.mark.parametrize("value", [False, None, "x", [1], {"a": {"b": "<script>"}}])
def test_options_that_we_do_not_know_are_shown(value: object, folders: list[Path], manifest: BundleManifest) -> None:
    replace(manifest, config={**manifest.config, "opset": value, "of_tomorrow": value}).write(folders[0])
    assert "of tomorrow" in make_report(folders[:1], None, (), private=False).read_text()


def test_a_page_with_recordings_is_replaced_only_when_asked(
    folders: list[Path], manifest: BundleManifest, details: ReportDetails, tmp_path: Path
) -> None:
    page, (clip, *_) = folders[0] / "report.html", details.comparisons or ()
    page.write_text(render_report(manifest, details, {clip.name: "data:audio/mpeg;base64,AAAA"}))
    assert "data:audio/mpeg;base64,AAAA" in page.read_text()
    with pytest.raises(OutputError, match=r"holds recordings, which are nowhere else .*--out, .*--force"):
        make_report(folders[:1], None, [], private=False)
    assert make_report(folders[:1], tmp_path / "other.html", [], private=False).is_file()
    assert make_report(folders[:1], None, [], private=False, force=True) == page
    assert "data:audio/" not in page.read_text()


def test_a_bundle_without_details_says_where_such_come_from(folders: list[Path]) -> None:
    (folders[0] / "report.json").unlink()
    with pytest.raises(BundleError, match=r"No such file, so that there is nothing .*`myqasr apply`"):
        make_report(folders, None, [], private=False)
