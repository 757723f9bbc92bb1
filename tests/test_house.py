"""Rules of the code base that a script can check."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*ROOT.glob("passes/**/*.py"), *ROOT.glob("myqasr_fx/**/*.py")])


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def imports(path: Path) -> set[str]:
    """First parts of the names of the modules that a file imports."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", sorted(ROOT.glob("passes/**/*.py")), ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    assert imports(path) <= {*sys.stdlib_module_names, "passes", "torch", "numpy", "scipy"}


@pytest.mark.parametrize("path", sorted(ROOT.glob("myqasr_fx/runtime/*.py")), ids=name_of)
def test_the_runtime_needs_no_torch(path: Path) -> None:
    if path.name != "torch_runner.py":
        assert "torch" not in imports(path)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_prints_but_the_command_line(path: Path) -> None:
    calls = [n for n in nodes(path) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    assert "cli" in path.parts or not any(call.func.id == "print" for call in calls)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_and_functions_stay_readable(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") <= 260
    for node in nodes(path):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and "cli" not in path.parts:
            assert (node.end_lineno or 0) - node.lineno < 50, f"{node.name} is too long"


def test_torch_export_has_one_caller() -> None:
    callers = [name_of(p) for p in SOURCES if re.search(r"torch\.export\.export\(", p.read_text(encoding="utf-8"))]
    assert callers == ["myqasr_fx/capture/export.py"]


def test_both_trees_are_typed_and_packaged() -> None:
    for tree in ("passes", "myqasr_fx"):
        assert (ROOT / tree / "py.typed").exists()
    folders = {p.parent for p in SOURCES}
    assert not [name_of(f) for f in folders if not (f / "__init__.py").exists()]
