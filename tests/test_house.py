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


LAYERS = (  # of rooms; each may import from those above it
    {"passes"},
    {"myqasr_fx.errors", "myqasr_fx.passes", "myqasr_fx.process"},
    {"myqasr_fx.audio", "myqasr_fx.bundle", "myqasr_fx.capture"},
    {"myqasr_fx.delta", "myqasr_fx.options", "myqasr_fx.models", "myqasr_fx.export", "myqasr_fx.web"}
    | {"myqasr_fx.integrations"},
    {"myqasr_fx.runtime", "myqasr_fx.report", "myqasr_fx.lint"},
    {"myqasr_fx.evaluate", "myqasr_fx.measure", "myqasr_fx.verify"},
    {"myqasr_fx.adapt", "myqasr_fx.fit", "myqasr_fx.acceptance", "myqasr_fx.corpora"},
    {"myqasr_fx.pipeline", "myqasr_fx.program", "myqasr_fx.diagnose"},
    {"myqasr_fx.api", "myqasr_fx.fleet", "myqasr_fx.personalize"},
    {"myqasr_fx.cli", "myqasr_fx"},
    {"myqasr_fx.__main__"},
)
PASSES_LAYERS = (
    {"passes.clone", "passes.compiled", "passes.errors", "passes.needs"},
    {"passes.base", "passes.numbers", "passes.registry"},
    {"passes.graph"},
    {"passes.activation_ranges", "passes.allocation", "passes.canonical", "passes.lowering", "passes.observe"},
    {"passes.calibration", "passes.manager", "passes.rounding", "passes.sensitivity"},
    {"passes.damage"},
    {"passes"},
)
MAKES_CONFIG = ("options/", "cli/", "api.py", "pipeline.py", "__init__.py")
ENTRIES = (
    "fit/request.py",
    "fit/layer_requests.py",
    "fit/stages.py",
    "fleet/",
    "personalize/",
    "program/options.py",
    "report/reproduce.py",
)
"""Where a stage takes the options in: below, typed requests travel."""


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in SOURCES}


def modules_imported(path: Path) -> set[str]:
    """Our modules that a file imports, inside functions and for type checkers too."""
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            whole = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {name if name in MODULES else node.module for name in whole}
    return found & MODULES.keys()


def room_of(module: str, trees: bool) -> str:
    """The folder or root module; ``passes`` counts as one room beside those of myqasr_fx."""
    parts = module.split(".")
    return parts[0] if trees and parts[0] == "passes" else ".".join(parts[:2])


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
    assert imports(path) <= {*sys.stdlib_module_names, "passes", "torch", "numpy", "scipy", "numba"}


@pytest.mark.parametrize(("layers", "tree"), [(LAYERS, "myqasr_fx"), (PASSES_LAYERS, "passes")])
def test_rooms_stand_in_layers(layers: tuple[set[str], ...], tree: str) -> None:
    """So there is no circle either."""
    level = {room: number for number, rooms in enumerate(layers) for room in rooms}
    for module, path in MODULES.items():
        if module.partition(".")[0] != tree:
            continue
        own = room_of(module, tree == "myqasr_fx")
        for other in modules_imported(path):
            room = room_of(other, tree == "myqasr_fx")
            assert room == own or level[room] < level[own], f"{module} imports {other}"


def test_the_house_is_as_high_as_its_map_says() -> None:
    assert len(LAYERS) <= 11
    assert len([path for path in SOURCES if path.parent == ROOT / "myqasr_fx"]) <= 6


def test_no_file_imports_itself_through_others() -> None:
    edges = {module: modules_imported(path) - {module} for module, path in MODULES.items()}
    left = dict(edges)
    while leaves := {module for module, others in left.items() if not others & left.keys()}:
        left = {module: others for module, others in left.items() if module not in leaves}
    assert not left, f"circle among {sorted(left)}"


def test_options_are_resolved_once() -> None:
    holders = [name_of(p) for p in SOURCES if "QuantizeConfig" in p.read_text(encoding="utf-8")]
    strangers = [name for name in holders if not name.removeprefix("myqasr_fx/").startswith((*MAKES_CONFIG, *ENTRIES))]
    assert not strangers
    parsers = [name_of(p) for p in SOURCES if "Granularity.parse(" in p.read_text(encoding="utf-8")]
    assert all(n.startswith(("myqasr_fx/options/", "myqasr_fx/fit/", "myqasr_fx/pipeline")) for n in parsers), parsers


def test_passes_run_in_one_place() -> None:
    makers = [name_of(p) for p in SOURCES if re.search(r"PassManager\(", p.read_text(encoding="utf-8"))]
    assert makers == ["passes/manager/run_passes.py"]


def test_the_tests_of_passes_know_nothing_above_them() -> None:
    for path in ROOT.glob("tests/passes/**/*.py"):
        assert "myqasr_fx" not in imports(path), name_of(path)


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
