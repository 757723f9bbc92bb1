"""What a result has to be, beyond an exit code: a whole bundle, a page that is inert, the answer of a healthy input."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from fault_case import Check, strict_json

TIMED = ("run.json",)
"""Files that hold seconds, and differ from run to run."""

DATA = '<script type="application/json" id="data">'


def whole_bundle(name: str) -> Check:
    """A bundle with every file that ``myqasr.json`` lists, and a page that is inert."""

    def check(scratch: Path, answer: Mapping[str, Any]) -> str | None:
        folder = scratch / name
        try:
            manifest = strict_json((folder / "myqasr.json").read_text(encoding="utf-8"))
            wrong = [
                file["name"] for file in manifest["files"] if (folder / file["name"]).stat().st_size != file["bytes"]
            ]
            strict_json((folder / "report.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError) as error:
            return f"no whole bundle: {type(error).__name__}: {error}"
        return f"no whole bundle: {wrong[0]}" if wrong else page_complaint(folder / "report.html")

    return check


def inert_page(name: str) -> Check:
    """A report out of which no text of the bundle can break."""
    return lambda scratch, answer: page_complaint(scratch / name)


def same_answer(base: Path, name: str) -> Check:
    """The answer that the healthy input gave."""

    def check(scratch: Path, answer: Mapping[str, Any]) -> str | None:
        expected = json.loads((base / "answers.json").read_text(encoding="utf-8"))[name]
        if answer == expected:
            return None
        return f"another answer than with a healthy input, in {[k for k in expected if answer.get(k) != expected[k]]}"

    return check


class _Tags(HTMLParser):
    """Counts elements, and those with an attribute that runs code."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Counts it."""
        self.tags[tag] += 1
        for name, value in attrs:
            if name.startswith("on") or (name in ("src", "href") and not (value or "").startswith(("#", "data:"))):
                self.tags[f"{name}={value}"] += 1


def page_complaint(path: Path) -> str | None:
    """What is wrong with a report; None where nothing is.

    Its data is JSON, ended by no text of a bundle, and it has two scripts, nothing to load and no element that only
    a text can have brought in.
    """
    try:
        page = path.read_text(encoding="utf-8")
        start = page.index(DATA) + len(DATA)
        strict_json(page[start : page.index("</script", start)])
    except (OSError, ValueError) as error:
        return f"{path.name}: {type(error).__name__}: {error}"
    tags = _Tags()
    tags.feed(page)
    strange = [tag for tag in tags.tags if "=" in tag or tag in ("img", "iframe", "object", "embed", "form", "base")]
    if tags.tags["script"] != 2 or strange:
        return f"{path.name}: {tags.tags['script']} scripts, {strange}"
    return None if page.rstrip().endswith("</html>") else f"{path.name}: ends early"


def digest(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder`` that holds no seconds."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in TIMED
    }
