"""torchao's PT2E flow, or our own passes, and ExecuTorch's XNNPACK run a CTC model and hear what torch hears."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from myqasr_fx.audio import load_audio
from myqasr_fx.runtime import load_bundle

CLIENT, PASSES_CLIENT = (Path(__file__).with_name(f"executorch_{name}.py") for name in ("client", "passes_client"))
SECONDS = 2
pytestmark = pytest.mark.clients


@pytest.fixture
def recording(shared, tmp_path):
    """Two seconds of a speaker's digits."""
    digits = shared / "data" / "digits"
    rows = [json.loads(line) for line in (digits / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    source = next(digits / row["audio"] for row in rows if row["split"] == "test")
    path = tmp_path / "digits.wav"
    soundfile.write(path, load_audio(source).samples[: SECONDS * 16_000], 16_000, subtype="FLOAT")
    return path


def test_our_passes_run_before_the_edge_dialect(shared, make_case, record, needed, run_client, recording):
    python, model = needed("MYQASR_EXECUTORCH_PYTHON"), shared / "models" / "w2v2-digits"
    heard = run_client(python, PASSES_CLIENT, model, recording)
    case = make_case("ctc, by the paper's rule", "hf")
    ours = load_bundle(case.bundle).transcribe(recording).text
    record("our passes and ExecuTorch", replace(case, layout="", family="ctc", texts=(ours,)), heard)
    assert heard.texts[0] == ours
    assert tuple(heard.texts) == tuple(heard.between)
    assert heard.details["error"] < 1e-4
    assert heard.details["bytes"] < 0.3 * heard.details["float_bytes"]


def test_the_program_hears_what_torch_hears(shared, make_case, record, needed, run_client, recording):
    python = needed("MYQASR_EXECUTORCH_PYTHON")
    heard = run_client(python, CLIENT, shared / "models" / "w2v2-digits", recording)
    case = make_case("ctc", "hf")
    ours = load_bundle(case.bundle).transcribe(recording).text
    record("torchao and ExecuTorch", replace(case, layout="", texts=(ours,)), heard)
    assert heard.texts[0] == ours
    assert tuple(heard.texts) == tuple(heard.between)
    assert heard.details["error"] < 1e-4
    assert set(heard.details["widths"]) == {"4", "8"}
    assert heard.details["bytes"] < 2_000_000
