import json
from pathlib import Path

import pytest

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.cli.app import main
from myqasr_fx.errors import BundleError, EvaluationError, OutputError
from myqasr_fx.report.command import make_report
from myqasr_fx.report.record import ReportDetails


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
