"""torchao's PT2E flow and ExecuTorch's XNNPACK run a CTC model at 8 and 4 bits and hear what torch hears."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from myqasr_fx.audio import load_audio
from myqasr_fx.runtime import load_bundle

CLIENT = Path(__file__).with_name("executorch_client.py")
SECONDS = 2
pytestmark = pytest.mark.clients


def test_the_program_hears_what_torch_hears(shared, make_case, record, needed, run_client, tmp_path):
    python = needed("MYQASR_EXECUTORCH_PYTHON")
    digits = shared / "data" / "digits"
    rows = [json.loads(line) for line in (digits / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    source = next(digits / row["audio"] for row in rows if row["split"] == "test")
    recording = tmp_path / "digits.wav"
    soundfile.write(recording, load_audio(source).samples[: SECONDS * 16_000], 16_000, subtype="FLOAT")
    heard = run_client(python, CLIENT, shared / "models" / "w2v2-digits", recording)
    case = make_case("ctc", "hf")
    ours = load_bundle(case.bundle).transcribe(recording).text
    record("torchao and ExecuTorch", replace(case, layout="", texts=(ours,)), heard)
    assert heard.texts[0] == ours
    assert tuple(heard.texts) == tuple(heard.between)
    assert heard.details["error"] < 1e-4
    assert set(heard.details["widths"]) == {"4", "8"}
    assert heard.details["bytes"] < 2_000_000
