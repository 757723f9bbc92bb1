"""sherpa-onnx transcribes a bundle written for it, with the runtime that it brings.

It makes its own log-mel features, which differ from those the model was trained and calibrated on, and it suppresses no
token: where it writes something else, our runtime writes that too when it does the same.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import jiwer
import numpy as np
import pytest

from myqasr_fx.runtime import OrtSettings, load_bundle

CLIENT, FEATURES, CTC_CLIENT = (
    Path(__file__).with_name(f"sherpa_{name}.py") for name in ("client", "features", "ctc_client")
)
EXACT = OrtSettings(entries={"session.qdq_matmulnbits_accuracy_level": "1"})
"""Releases of onnxruntime round the activations beside narrow weights each in their own way, unless told not to."""

WAY = "our runtime, with the client's features and no token suppressed"
pytestmark = pytest.mark.clients


@pytest.mark.parametrize("budget", ["24MB", "80MB"])
def test_what_differs_is_its_features_and_its_tokens(budget, make_case, record, needed, run_client):
    python = needed("MYQASR_SHERPA_PYTHON")
    case = make_case("whisper", "sherpa-onnx", budget)
    heard = run_client(python, CLIENT, case.bundle, *case.recordings)
    subprocess.run([python, FEATURES, *case.recordings], check=True)
    ours = load_bundle(case.bundle, EXACT)
    as_it_does = tuple(_hear_as_it_does(ours, path) for path in case.recordings)
    record("sherpa-onnx", case, replace(heard, between=as_it_does, way=WAY))
    assert all(case.texts)
    assert jiwer.wer([t.lower() for t in case.texts], [t.lower() for t in heard.texts]) < 0.15
    if budget == "80MB":  # no weight is narrow enough for kernels that differ between releases
        assert tuple(heard.texts) == as_it_does


def _hear_as_it_does(runtime, recording: Path) -> str:
    features = np.load(recording.with_suffix(".npy"))[None]
    settings = replace(runtime.settings, suppress_tokens=(), begin_suppress_tokens=())
    return replace(runtime, features=lambda _: features, settings=settings).transcribe(recording).text


def test_a_ctc_bundle_of_the_usual_layout_is_heard(make_case, record, needed, run_client):
    case = make_case("ctc, by the paper's rule", "hf")
    heard = run_client(needed("MYQASR_SHERPA_PYTHON"), CTC_CLIENT, case.bundle, *case.recordings)
    record("sherpa-onnx", case, heard)
    assert all(case.texts)
    assert tuple(heard.texts) == case.texts
