"""Every code block of README.md and docs/: run as it is written, or listed here with the reason why not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]

_ROAD = "resolve ─> prepare ─> measure ─> price ─> allocate ─> round ─> lower ─> write ─> verify ─> judge"
FIGURES = {
    ("docs/concepts.md", " resolve    options, recipe, rules ────────────────> what the chosen methods need together"),
    ("docs/architecture.md", _ROAD),
    ("README.md", _ROAD),
}
"""Page and first line of drawings."""

INSTALLS = "installs packages"
_HOSTS = "tests/clients/test_hosts.py runs it"
NOT_RUN = {
    ("README.md", "python3 -m venv .venv && .venv/bin/pip install -e '.[demo]' && .venv/bin/myqasr demo"): (
        f"{INSTALLS}; tests/myqasr_fx/cli/test_demo_run.py runs the demonstration"
    ),
    (
        "README.md",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[demo,dev]' && .venv/bin/python -m pytest -q -n 2",
    ): (f"{INSTALLS} and runs these tests; .ci/run does just that"),
    (
        "README.md",
        "model        whisper-tiny.en (whisper)",
    ): "what the real model gave; a random one stands in for it here",
    ("docs/bundle.md", "python3 -m venv .venv-runtime"): (
        f"{INSTALLS}; tests/myqasr_fx/runtime/test_bundle.py runs bundles without torch"
    ),
    (
        "docs/clients.md",
        "from optimum.onnxruntime import ORTModelForSpeechSeq2Seq",
    ): "tests/clients/test_optimum.py runs it",
    ("docs/clients.md", "import { env, pipeline } from '@huggingface/transformers';"): (
        "tests/clients/test_transformers_js.py runs it"
    ),
    ("docs/scale.md", "myqasr fleet whisper-tiny.en --users users --budget 24MB --out fleet --workers 2"): (
        "tests/myqasr_fx/fleet/test_on_ray.py runs workers"
    ),
    ("docs/clients.md", "npm install --ignore-scripts @huggingface/transformers"): (
        f"{INSTALLS}; tests/clients/test_web.py runs the page"
    ),
    (
        "docs/clients.md",
        "myqasr push bundle NAME",
    ): "tests/myqasr_fx/integrations/test_push.py sends to a hub of its own",
    (
        "docs/clients.md",
        "pip install . ./integrations/optimum-myqasr",
    ): f"{INSTALLS}; tests/clients/test_hosts.py runs it",
    (
        "docs/clients.md",
        "pip install . ./integrations/olive-myqasr",
    ): f"{INSTALLS}; tests/clients/test_hosts.py runs it",
    (
        "docs/clients.md",
        'recognizer = sherpa_onnx.OfflineRecognizer.from_omnilingual_asr_ctc("bundle/model.onnx", "bundle/tokens.txt")',
    ): "tests/clients/test_sherpa.py runs it",
    (
        "docs/clients.md",
        "def quantize(name, program):  # the steps of api.md's passes, up to LowerToFakeQuant",
    ): "tests/clients/executorch_passes_client.py has it whole",
    ("docs/clients.md", "import onnx_asr"): "tests/clients/test_onnx_asr.py runs it",
    ("docs/clients.md", "import sherpa_onnx"): "tests/clients/test_sherpa.py runs it",
    ("docs/wild.md", "from peft import PeftModel"): "peft is no dependency",
}
"""Page and first line of blocks that need other programs, packages to be installed or real weights, to the reason."""

BY_OTHERS = {"docs/cli.md": "tests/myqasr_fx/cli/test_reference.py makes the whole page"}
"""Pages of output that another test makes."""


def marked(page: str) -> Any:
    """The page, as slow where it compiles a model."""
    compiles = page in ("README.md", "docs/api.md", "docs/concepts.md", "docs/personalize.md", "docs/scale.md")
    return pytest.param(page, marks=pytest.mark.slow) if compiles else page


@pytest.mark.parametrize("page", [marked(page) for page in PAGES if page not in BY_OTHERS])
def test_a_page_does_what_it_says(page: str, read_blocks: Callable[[str], list[Any]], reader: Any) -> None:
    said: str | None = None
    for block in read_blocks(page):
        key = (page, block.first_line)
        if key in NOT_RUN or key in FIGURES:
            said = None
        elif "." in block.title:
            reader.write(block)
        elif block.language in ("python", "bash"):
            said = reader.run(block)
        elif block.language == "text" and said is not None:
            assert said == block.code, f"{page}: the block before {key[1]!r} prints something else"
            said = None
        else:
            pytest.fail(f"{page}: nothing is known of the {block.language or 'bare'} block that begins {key[1]!r}")


def test_nothing_is_listed_in_vain(read_blocks: Callable[[str], list[Any]]) -> None:
    found = {(page, block.first_line) for page in PAGES for block in read_blocks(page)}
    assert not {*NOT_RUN, *FIGURES} - found
    assert set(BY_OTHERS) <= set(PAGES)


@pytest.mark.parametrize(("language", "code"), [("ruby", "puts 1\n"), ("", "figure\n"), ("text", "said by nobody\n")])
def test_a_block_of_no_set_is_found(
    language: str, code: str, read_blocks: Callable[[str], list[Any]], reader: Any
) -> None:
    block = replace(read_blocks("docs/api.md")[0], language=language, code=code)
    with pytest.raises(pytest.fail.Exception, match=f"nothing is known of the {language or 'bare'} block"):
        test_a_page_does_what_it_says("docs/api.md", lambda page: [block], reader)
