"""docs/bundle.md installs what the extra ``runtime`` of setup.py lists."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

SETUP = Path(__file__).parents[2] / "setup.py"


def runtime_extra() -> dict[str, Requirement]:
    """Name to requirement; the lists of setup.py are evaluated without running its setup."""
    tree = ast.parse(SETUP.read_text(encoding="utf-8"))
    lists = [node for node in tree.body if isinstance(node, ast.Assign)]
    names: dict[str, Any] = {}
    exec(compile(ast.Module(lists, []), str(SETUP), "exec"), names)
    return {requirement.name: requirement for requirement in map(Requirement, names["RUNTIME"])}


def test_the_runtime_is_installed_from_its_extra(read_blocks: Callable[[str], list[Any]]) -> None:
    (block,) = (block for block in read_blocks("docs/bundle.md") if block.language == "bash")
    (command,) = (line for line in block.code.splitlines() if "numpy" in line)
    told, extra = [Requirement(word) for word in shlex.split(command)[2:]], runtime_extra()
    assert {requirement.name for requirement in told} == set(extra)
    assert all(set(requirement.specifier) <= set(extra[requirement.name].specifier) for requirement in told)
