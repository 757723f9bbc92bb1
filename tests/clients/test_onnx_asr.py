"""onnx-asr loads a bundle's folder by its path and hears what our runtime hears.

It suppresses no token of a Whisper: where it writes something else, our runtime writes that too when it does the same.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import myqasr_fx

CLIENT = Path(__file__).with_name("onnx_asr_client.py")
WAY = "our runtime, with the client's features and no token suppressed"
FLOAT32 = np.finfo(np.float32).eps * 10 ** (80 / 20) * 2 / np.log(10) / 4
"""What one rounding of the loudest amplitude does to the quietest of log10(power) / 4 over 80 dB."""
pytestmark = pytest.mark.clients


def test_a_ctc_model_normalizes_waveforms_itself(make_case, record, needed, run_client):
    case = make_case("ctc, by the paper's rule", "onnx-asr")
    heard = run_client(needed("MYQASR_ONNX_ASR_PYTHON"), CLIENT, "ctc", case.bundle, *case.recordings)
    record("onnx-asr", case, heard)
    assert all(case.texts)
    assert tuple(heard.texts) == case.texts


def test_what_differs_of_whisper_is_its_tokens(make_case, record, needed, run_client, hear_with_features):
    python = needed("MYQASR_ONNX_ASR_PYTHON")
    case = make_case("multilingual", "onnx-asr")
    heard = run_client(python, CLIENT, "multilingual", case.bundle, *case.recordings)
    ours = myqasr_fx.load(case.bundle)
    settings = replace(ours.settings, suppress_tokens=(), begin_suppress_tokens=())
    as_it_does = tuple(hear_with_features(replace(ours, settings=settings), path, FLOAT32) for path in case.recordings)
    record("onnx-asr", case, replace(heard, between=as_it_does, way=WAY))
    assert all(case.texts)
    assert tuple(text.strip() for text in heard.texts) == as_it_does
