"""What ``import passes`` offers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import passes


@pytest.mark.parametrize("name", passes.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(passes, name) is not None


def test_the_lists_of_names_agree() -> None:
    tree = ast.parse(Path(passes.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert typed == set(passes.__all__) == set(passes._HOME)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = passes.Nonsense


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, passes, passes.errors; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
