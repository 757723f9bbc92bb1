"""transformers.js loads a bundle's folder by its path, without an option, and hears what our runtime hears.

Releases of onnxruntime round the activations beside narrow weights each in their own way, unless told not to: when both
are told, every text is the same; when they are not, a word may differ where the model hesitates.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import jiwer
import pytest

from myqasr_fx.runtime import OrtSettings, load_bundle

CLIENT = Path(__file__).with_name("transformers_js_client.mjs")
EXACT = OrtSettings(entries={"session.qdq_matmulnbits_accuracy_level": "1"})
WAY = "the client, with activations in float inside the kernels"
pytestmark = pytest.mark.clients


@pytest.mark.parametrize("family", ["whisper", "ctc"])
def test_texts_are_the_same(family, make_case, record, needed, run_client, samples_file):
    modules = needed("MYQASR_NODE_MODULES")
    case = make_case(family, "transformers.js")
    heard = run_client("node", CLIENT, modules, case.bundle, *map(samples_file, case.recordings))
    record("transformers.js", case, replace(heard, way=WAY))
    ours = load_bundle(case.bundle, EXACT)
    assert all(case.texts)
    assert tuple(heard.between) == tuple(ours.transcribe(path).text for path in case.recordings)
    assert jiwer.wer(list(case.texts), heard.texts) < 0.05
