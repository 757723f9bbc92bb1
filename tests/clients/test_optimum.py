"""Optimum loads a bundle's folder by its path and hears what our runtime hears."""

from __future__ import annotations

from pathlib import Path

import pytest

CLIENT = Path(__file__).with_name("optimum_client.py")
pytestmark = pytest.mark.clients


@pytest.mark.parametrize("family", ["whisper", "ctc"])
def test_texts_are_the_same(family, make_case, record, needed, run_client):
    python = needed("MYQASR_OPTIMUM_PYTHON")
    case = make_case(family, "hf")
    heard = run_client(python, CLIENT, family, case.bundle, *case.recordings)
    record("optimum", case, heard)
    assert all(case.texts)
    assert tuple(heard.texts) == case.texts
