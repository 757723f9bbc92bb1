"""The model card: what hubs read in front, what people read behind, and no word of what was said."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from myqasr_fx.bundle.bundle import BundleManifest
from myqasr_fx.report.card import render_card


def front(card: str) -> dict[str, Any]:
    """Key to value of the front matter, whose values are JSON, plain words or a list of them."""
    head = re.match(r"---\n(.*?)\n---\n\n# ", card, re.S)
    assert head is not None
    pairs = (line.partition("  #")[0].split(": ", 1) for line in head[1].splitlines())
    return {key: json.loads(value) if value.startswith('"') else value for key, value in pairs}


def with_options(manifest: BundleManifest, **options: object) -> BundleManifest:
    return replace(manifest, config={**manifest.config, **options})


def test_a_hub_is_told_what_it_is(manifest: BundleManifest) -> None:
    told = front(render_card(replace(with_options(manifest, language="de"), model="whisper-base")))
    assert told["base_model"] == "openai/whisper-base"
    assert (told["base_model_relation"], told["language"]) == ("quantized", "de")
    assert (told["pipeline_tag"], told["license"]) == ("automatic-speech-recognition", "other")
    assert front(render_card(replace(manifest, model="someone/a-model")))["base_model"] == "someone/a-model"
    assert "base_model" not in front(render_card(replace(manifest, model="my folder")))


def test_a_person_reads_bytes_and_verdict(manifest: BundleManifest) -> None:
    card = render_card(manifest)
    assert f"{manifest.model_bytes:,} bytes" in card
    for file in manifest.files:
        assert f"| `{file.name}` | {file.bytes:,} |" in card
    assert manifest.acceptance is not None
    assert f"**{manifest.acceptance.verdict.capitalize()}**" in card
    assert "myqasr quantize" in card
    assert "not judged" in render_card(replace(manifest, acceptance=None))


@pytest.mark.parametrize(
    ("layout", "family", "call"),
    [
        ("hf", "whisper", "ORTModelForSpeechSeq2Seq"),
        ("hf", "ctc", "ORTModelForCTC"),
        ("transformers.js", "whisper", "@huggingface/transformers"),
        ("sherpa-onnx", "whisper", "OfflineRecognizer"),
        ("onnx-asr", "whisper", 'onnx_asr.load_model("whisper"'),
        ("onnx-asr", "ctc", 'onnx_asr.load_model("wav2vec2-ctc"'),
    ],
)
def test_the_client_of_the_layout_is_shown(manifest: BundleManifest, layout: str, family: str, call: str) -> None:
    card = render_card(replace(with_options(manifest, layout=layout), family=family))
    assert call in card
    clients = ("ForSpeechSeq2Seq", "ForCTC", "@huggingface", "sherpa_onnx.", "onnx_asr.")
    assert sum(other in card for other in clients) == 1
    assert ("subfolder: ''" in card) == (layout == "hf")


def test_names_cannot_break_out(manifest: BundleManifest) -> None:
    card = render_card(replace(manifest, model="a`\n---\n# b](http://x)<script>"))
    assert "<script>" not in card.partition("## How it was made")[0]
    assert front(card)["library_name"] == "onnx"
    assert card.count("\n---\n") == 1
    fences = [line for line in card.splitlines() if line.startswith("```")]
    assert len(fences) % 2 == 0


def test_options_of_sessions_are_told(manifest: BundleManifest) -> None:
    options = {"session.qdq_matmulnbits_accuracy_level": "1"}
    card = render_card(replace(manifest, session_options=options))
    assert "`session.qdq_matmulnbits_accuracy_level=1`" in card
