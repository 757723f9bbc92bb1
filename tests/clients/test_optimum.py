"""Optimum loads a bundle's folder by its path and hears what our runtime hears.

Its features come from Fourier transforms in float32, which ours do not, and differ from the sixth digit on: given
them, our runtime writes what the client writes, to the letter.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import myqasr_fx

CLIENT = Path(__file__).with_name("optimum_client.py")
WAY = "our runtime, with the client's features"
FLOAT32 = np.finfo(np.float32).eps * 10 ** (80 / 20) * 2 / np.log(10) / 4
"""Features are log10(power) / 4 over 80 dB: what one rounding of the loudest amplitude does to the quietest."""
pytestmark = pytest.mark.clients


@pytest.mark.parametrize("family", ["whisper", "ctc"])
def test_texts_are_the_same(family, make_case, record, needed, run_client, hear_with_features):
    python = needed("MYQASR_OPTIMUM_PYTHON")
    case = make_case(family, "hf")
    heard = run_client(python, CLIENT, family, case.bundle, *case.recordings)
    ours = myqasr_fx.load(case.bundle)
    with_its_features = tuple(hear_with_features(ours, path, FLOAT32) for path in case.recordings)
    record("optimum", case, replace(heard, between=with_its_features, way=WAY))
    assert all(case.texts)
    assert tuple(heard.texts) == with_its_features
