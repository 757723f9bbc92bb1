"""sherpa-onnx transcribes a bundle written for it, with the runtime that it brings.

It pads features in its own way, suppresses no tokens and stops after six tokens a second, so that words may differ
from ours.
"""

from __future__ import annotations

from pathlib import Path

import jiwer
import pytest

CLIENT = Path(__file__).with_name("sherpa_client.py")
pytestmark = pytest.mark.clients


def test_texts_are_nearly_the_same(make_case, record, needed, run_client):
    python = needed("MYQASR_SHERPA_PYTHON")
    case = make_case("whisper", "sherpa-onnx")
    heard = run_client(python, CLIENT, case.bundle, *case.recordings)
    record("sherpa-onnx", case, heard)
    assert all(case.texts)
    assert jiwer.wer([t.lower() for t in case.texts], [t.lower() for t in heard.texts]) < 0.1
