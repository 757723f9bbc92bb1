"""transformers.js loads a bundle's folder by its path and hears what our runtime hears.

It needs an option only where the layout is Optimum's.

Its features differ from ours in the last bits of a float, which decides where the model hesitates between two tokens:
given them, our runtime writes what the client writes, to the letter.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import myqasr_fx

CLIENT = Path(__file__).with_name("transformers_js_client.mjs")
EXACT = 4 * np.finfo(np.float32).eps
WAY = "our runtime, with the client's features"
pytestmark = pytest.mark.clients


@pytest.mark.parametrize("layout", ["transformers.js", "hf"])
@pytest.mark.parametrize("family", ["whisper", "ctc"])
def test_texts_are_the_same(family, layout, make_case, record, needed, run_client, samples_file, hear_with_features):
    modules = needed("MYQASR_NODE_MODULES")
    case = make_case(family, layout)
    heard = run_client("node", CLIENT, modules, case.bundle, *map(samples_file, case.recordings))
    ours = myqasr_fx.load(case.bundle)
    with_its_features = tuple(hear_with_features(ours, path, EXACT) for path in case.recordings)
    name = "transformers.js" if layout == "transformers.js" else "transformers.js on hf"
    record(name, case, replace(heard, between=with_its_features, way=WAY))
    assert all(case.texts)
    assert tuple(heard.texts) == with_its_features
