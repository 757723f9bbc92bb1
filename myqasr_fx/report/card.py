"""``README.md``: the bundle's model card, which a hub shows and a person reads first.

It tells no name of a recording and nothing that was said. Names come from folders: in the front matter they stand as
JSON strings, which are YAML too, and in the text without the marks that would end code or a link.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.models.builtin import BUILTIN_MODELS
from myqasr_fx.models.languages import usual_code
from myqasr_fx.process.onnx_session import OLDEST
from myqasr_fx.report.render import text_environment
from myqasr_fx.report.reproduce import command

CARD = "README.md"

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def write_card(folder: Path, manifest: BundleManifest) -> None:
    """Writes the card into the bundle's folder."""
    (folder / CARD).write_bytes(render_card(manifest).encode("utf-8", "replace"))


def render_card(manifest: BundleManifest) -> str:
    """The card of a bundle, in Markdown behind the front matter that hubs read."""
    return (
        text_environment()
        .get_template("card.md.j2")
        .render(
            manifest=manifest,
            verdict=manifest.acceptance,
            front=_front(manifest),
            name=_plain(manifest.model),
            layout=manifest.config.get("layout"),
            oldest=".".join(map(str, OLDEST)),
            command=re.sub(r"[`\s]+", " ", command(manifest)),
        )
    )


def _front(manifest: BundleManifest) -> list[str]:
    """Lines of YAML; the base model where a hub would know it."""
    builtin = BUILTIN_MODELS.get(manifest.model)
    base = builtin.hub_id if builtin else manifest.model
    known = [f"base_model: {json.dumps(base)}", "base_model_relation: quantized"] if _HUB_ID.fullmatch(base) else []
    language = manifest.config.get("language")
    spoken = [f"language: {json.dumps(usual_code(str(language)))}"] if language else []
    return [
        *known,
        "library_name: onnx",
        "pipeline_tag: automatic-speech-recognition",
        *spoken,
        "license: other  # that of the base model: look it up before you publish this",
        "tags: [onnx, quantized, myqasr]",
    ]


def _plain(name: str) -> str:
    """A name that is text wherever it stands in Markdown."""
    return re.sub(r"[^\w .@+-]", "_", name.rpartition("/")[2])
