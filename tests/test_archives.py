"""The source archive and the wheel hold what they should, and an index would take them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("passes", "myqasr_fx")
BESIDE = ("tests", "docs", "benchmarks", "integrations", ".ci", ".github")
LEFT_OUT = (".venv", "venv", ".git", "build", "dist", "cache", "run.log", "*.egg-info", "__pycache__", ".*_cache")

pytestmark = pytest.mark.slow


def files_below(folder: Path, *trees: str) -> set[str]:
    paths = (path for tree in trees for path in (folder / tree).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix() for path in paths}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy without what git ignores: a build leaves files beside the sources."""
    copy = tmp_path_factory.mktemp("checkout") / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return copy


@pytest.fixture(scope="module")
def archives(checkout: Path) -> tuple[Path, Path]:
    """Source archive, and the wheel that is built from it, without network."""
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", checkout.parent / "dist", checkout)
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.returncode, done.stdout[-2000:] + done.stderr[-2000:]
    (source,), (wheel,) = (list((checkout.parent / "dist").glob(f"*{end}")) for end in (".tar.gz", ".whl"))
    return source, wheel


def test_the_source_archive_holds_all_that_a_checkout_has(checkout: Path, archives: tuple[Path, Path]) -> None:
    with tarfile.open(archives[0]) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    asked = files_below(checkout, *SOURCES, *BESIDE) | {path.name for path in checkout.iterdir() if path.is_file()}
    assert not asked - held
    assert not [name for name in held if name.endswith((".pyc", ".nbi", ".nbc")) or ".venv" in name]


def test_the_wheel_holds_every_module_and_data_file_and_nothing_else(
    checkout: Path, archives: tuple[Path, Path]
) -> None:
    with zipfile.ZipFile(archives[1]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == files_below(checkout, *SOURCES)
    assert {"myqasr_fx/report/templates/report.css", "myqasr_fx/web/assets/index.html", "passes/py.typed"} <= held


def test_the_metadata_is_whole_and_an_index_takes_it(archives: tuple[Path, Path]) -> None:
    checked = subprocess.run(
        (sys.executable, "-m", "twine", "check", "--strict", *archives), capture_output=True, text=True
    )
    assert not checked.returncode, checked.stdout
    with zipfile.ZipFile(archives[1]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        text = wheel.read(name).decode()
        lines = text.splitlines()
        (scripts,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
        assert "myqasr = myqasr_fx.cli:main" in wheel.read(scripts).decode()
    assert "License-Expression: Apache-2.0" in lines
    assert "# myqasr" in text
    links = set(re.findall(r"\]\(([^)]*)\)", text))
    assert not {link for link in links if not link.startswith(("https://", "#"))}  # an index has no other file
    named = set(re.findall(r"\(`([^`]*\.(?:md|ipynb))`\)", text))
    assert "docs/cli.md" in named and all((ROOT / path).is_file() for path in named)
    assert any(line.startswith("Requires-Dist: torch") for line in lines)
    extras = {line.partition(": ")[2] for line in lines if line.startswith("Provides-Extra: ")}
    assert extras == {"runtime", "audio", "vad", "demo", "plot", "ray", "torchao", "listen", "docs", "test", "dev"}
