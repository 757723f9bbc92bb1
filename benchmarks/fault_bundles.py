"""Faults in bundles, in ONNX files for ``lint``, and in the data of reports."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from fault_base import QUANTIZE
from fault_case import Case, Kind, Make
from fault_check import inert_page
from fault_folder import link_tree
from fault_json import hostile, mutated_json
from fault_models import replace
from fault_onnx import changed_onnx

BUNDLE = "in/bundle"
_REPORT_TEXTS = (
    *("</script><script>alert(1)</script>", "<!--<script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>'),
    *(
        "</title><script>x</script>",
        "\u2028\u2029",
        "javascript:alert(1)",
        "{{ data }}",
        "{% raw %}",
        "'\"`\\",
        "&lt;b&gt;",
    ),
    *("\x1b]8;;http://x\x07", "\u202e", "a\nb", "x" * 4_000),
)


def _linked(base: Path, scratch: Path, random: Random) -> str:
    """Links a bundle of either family; returns its name."""
    name = random.choice(("bundle-ctc", "bundle-ctc", "bundle-whisper"))
    link_tree(base / name, scratch / BUNDLE)
    (scratch / "in" / "f0.wav").hardlink_to(base / "audio" / "f0.wav")
    return name


def _manifest(base: Path, scratch: Path, random: Random) -> Case:
    """``myqasr.json``, read by all commands that take a bundle."""
    name = _linked(base, scratch, random)
    content, fault = mutated_json((base / name / "myqasr.json").read_bytes(), random)
    replace(scratch / BUNDLE / "myqasr.json", content)
    fault = f"{name}: {fault}"
    choice = random.randrange(6)
    if choice <= 1:
        return Case(fault, ("inspect", BUNDLE, "--json"))
    if choice == 2:
        return Case(fault, ("transcribe", BUNDLE, "in/f0.wav", "--json"))
    if choice == 3:
        command = ("report", BUNDLE, "--out", "page.html", "--json")
        return Case(fault, command, makes=("page.html",), check=inert_page("page.html"))
    if choice == 4:
        link_tree(base / "ctc", scratch / "ctc")
        command = ("quantize", "ctc", "in/f0.wav", "--rules", BUNDLE, *QUANTIZE, "--dry-run", "--json")
        return Case(fault, command)
    link_tree(base / "bundle-ctc", scratch / "other")
    command = ("report", BUNDLE, "other", "--out", "page.html", "--json")
    return Case(fault, command, makes=("page.html",), check=inert_page("page.html"))


def _files(*names: str) -> Make:
    """The other JSON files of a bundle, as far as it has them."""

    def make(base: Path, scratch: Path, random: Random) -> Case:
        bundle = _linked(base, scratch, random)
        name = random.choice([name for name in names if (base / bundle / name).is_file()])
        content, fault = mutated_json((base / bundle / name).read_bytes(), random)
        replace(scratch / BUNDLE / name, content)
        return Case(f"{bundle}/{name}: {fault}", ("transcribe", BUNDLE, "in/f0.wav", "--json"))

    return make


def _graph(base: Path, scratch: Path, random: Random) -> Case:
    """The ONNX files of a bundle."""
    bundle = _linked(base, scratch, random)
    name = random.choice(sorted(path.name for path in (base / bundle).glob("*.onnx")))
    content, fault = changed_onnx((base / bundle / name).read_bytes(), random)
    replace(scratch / BUNDLE / name, content)
    return Case(f"{bundle}/{name}: {fault}", ("transcribe", BUNDLE, "in/f0.wav", "--json"))


def _lint(base: Path, scratch: Path, random: Random) -> Case:
    path = random.choice(sorted(base.glob("bundle-*/*.onnx")))
    content, fault = changed_onnx(path.read_bytes(), random)
    (scratch / "in" / "model.onnx").write_bytes(content)
    return Case(f"{path.parent.name}/{path.name}: {fault}", ("lint", "in/model.onnx", "--json"))


def _report(base: Path, scratch: Path, random: Random) -> Case:
    """``report.json``, and texts of ``myqasr.json`` that a page shows."""
    name = _linked(base, scratch, random)
    details = json.loads((base / name / "report.json").read_bytes())
    choice = random.random()
    if choice < 0.45:
        content, fault = mutated_json((base / name / "report.json").read_bytes(), random)
        replace(scratch / BUNDLE / "report.json", content)
    elif choice < 0.75:
        clip = random.choice(details["comparisons"])
        field = random.choice(list(clip))
        clip[field] = random.choice(_REPORT_TEXTS) if isinstance(clip[field], str) else hostile(random)
        fault = f"{field} of a clip is {str(clip[field])[:40]!r}"
        replace(scratch / BUNDLE / "report.json", json.dumps(details).encode())
    else:
        manifest = json.loads((base / name / "myqasr.json").read_bytes())
        fault = _hostile_texts(manifest, random)
        replace(scratch / BUNDLE / "myqasr.json", json.dumps(manifest).encode())
    command = ("report", BUNDLE, "--out", "page.html", "--json")
    if random.random() < 0.3:
        link_tree(base / "bundle-whisper", scratch / "other")
        command = ("report", BUNDLE, "other", "--out", "page.html", "--json")
    return Case(f"{name}: {fault}", command, makes=("page.html",), check=inert_page("page.html"))


def _hostile_texts(manifest: dict[str, Any], random: Random) -> str:
    """Puts the same text into one of the places that a page shows."""
    text = random.choice(_REPORT_TEXTS)
    layer = random.choice(manifest["layers"])
    places: tuple[tuple[Any, str], ...] = (
        *(
            (manifest, "model"),
            (manifest["calibration"], "note"),
            (layer, "name"),
            (layer, "rounding"),
            (layer, "reason"),
        ),
        *((manifest["versions"], "python"), (manifest["config"], "language"), (manifest["config"], "sensitivity")),
        *((manifest["config"], "rounding"), (manifest["acceptance"] or {}, "note"), (manifest["files"][0], "name")),
    )
    holder, key = random.choice(places)
    holder[key] = text
    return f"{key} is {text[:40]!r}"


KINDS = (
    Kind("bundle, myqasr.json", 220, _manifest),
    Kind("bundle, other JSON", 130, _files(*("config.json", "preprocessor_config.json", "generation_config.json"))),
    Kind("bundle, tokenizer", 90, _files(*("tokenizer.json", "vocab.json", "tokenizer_config.json"))),
    Kind("bundle, ONNX", 80, _graph),
    Kind("ONNX for lint", 110, _lint),
    Kind("data of reports", 140, _report),
)
