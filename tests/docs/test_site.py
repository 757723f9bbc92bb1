"""The pages as a site: built without a warning, with every page and every public name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import myqasr_fx
import passes

ROOT = Path(__file__).parents[2]
_HEADING = re.compile(r'class="doc doc-heading">\s+\w+\.(\w+)\s')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; a link that leads nowhere, or to no heading, is a warning, and a warning stops the build."""
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        (sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", out),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr[-2000:]
    return out


def test_every_page_is_there(site: Path) -> None:
    pages = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "docs").glob("*.md")]
    assert all((site / page / "index.html").exists() for page in pages)
    assert (site / "benchmarks/index.html").exists()
    assert (site / "docs/report.png").exists()
    assert "Give it a speech recognition model" in (site / "index.html").read_text(encoding="utf-8")


def test_every_public_name_is_told(site: Path) -> None:
    for package in (myqasr_fx, passes):
        page = (site / "reference" / package.__name__ / "index.html").read_text(encoding="utf-8")
        assert set(package.__all__) - {"__version__"} <= set(_HEADING.findall(page))
