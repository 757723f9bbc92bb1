"""Hook of mkdocs: the repository's own paths, so that links hold in both, and pages of notebooks and public names."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
_PAGES = ("*.md", "docs/*.md", "benchmarks/**/*.md")
_LINK = re.compile(r"\]\(([^)\s#]+)[^)\s]*\)")
_TITLE = re.compile(r"^```(\w+) ([\w.-]+)$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The theme's own files, every page, what pages link to, and a page of names for each package."""
    found = Files([file for file in files if not file.is_documentation_page() and _is_of_the_theme(file)])
    pages = [path for pattern in _PAGES for path in sorted(ROOT.glob(pattern))]
    for path in {*pages, *(target for page in pages for target in _linked(page))}:
        name = path.relative_to(ROOT).as_posix()
        found.append(File.generated(config, name, abs_src_path=str(path)))
    for notebook in sorted(ROOT.glob("docs/notebooks/*.ipynb")):
        name = notebook.relative_to(ROOT).with_suffix(".md").as_posix()
        found.append(File.generated(config, name, content=_told(notebook)))
    for package in ("myqasr_fx", "passes"):
        found.append(File.generated(config, f"reference/{package}.md", content=_page(package, _names(package))))
    return found


def on_page_markdown(markdown: str, **_: object) -> str:
    """Names of files beside the language of a block, as the site's Markdown has them."""
    return _TITLE.sub(r'```\1 title="\2"', markdown)


def _is_of_the_theme(file: File) -> bool:
    return file.src_dir is None or not Path(file.src_dir).is_relative_to(ROOT / "docs")


def _linked(page: Path) -> set[Path]:
    """Files that a page shows or leads to."""
    targets = {target for target in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target}
    return {path for path in ((page.parent / target).resolve() for target in targets) if path.is_file()}


def _told(notebook: Path) -> str:
    """A notebook as a page: its texts, and its code in blocks."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = (("".join(cell["source"]), cell["cell_type"] == "code") for cell in cells)
    return "\n\n".join(f"```python\n{text}\n```" if code else text for text, code in texts)


def _page(package: str, names: dict[str, str]) -> str:
    """Every name with its docstring, which is read and not imported."""
    block = "::: {home}\n    options:\n      heading: {package}.{name}\n      toc_label: {name}\n"
    blocks = (block.format(home=names[name], package=package, name=name) for name in sorted(names))
    return f"# {package}\n\n" + "\n".join(blocks)


def _names(package: str) -> dict[str, str]:
    """Public names of a package, which imports them late: name to where it is defined."""
    tree = ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8"))
    public = {
        constant.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for constant in ast.walk(node.value)
        if isinstance(constant, ast.Constant)
    }
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if (alias.asname or alias.name) in public
    }
