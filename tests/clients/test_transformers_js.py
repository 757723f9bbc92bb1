"""transformers.js loads a bundle's folder by its path, without an option, and hears what our runtime hears."""

from __future__ import annotations

from pathlib import Path

import pytest

CLIENT = Path(__file__).with_name("transformers_js_client.mjs")
pytestmark = pytest.mark.clients


@pytest.mark.parametrize("family", ["whisper", "ctc"])
def test_texts_are_the_same(family, make_case, record, needed, run_client, samples_file):
    modules = needed("MYQASR_NODE_MODULES")
    case = make_case(family, "transformers.js")
    heard = run_client("node", CLIENT, modules, case.bundle, *map(samples_file, case.recordings))
    record("transformers.js", case, heard)
    assert all(case.texts)
    assert tuple(heard.texts) == case.texts
