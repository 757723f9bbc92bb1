"""Every kind of content comes back as it was, and what it cannot be is as if it were not there."""

import numpy as np
import pytest
import torch

from myqasr_fx.measure.stored import CURVATURES, GRAMS, LOGITS, STATISTICS, TRANSCRIPTS
from myqasr_fx.runtime import Transcript
from passes.damage.curvature import Curvature
from passes.observe.activation_stats import ActivationStats, Statistics

SEEN: Statistics = {
    ("fc1", "output"): ActivationStats(3, -1.5, 0.1, -0.3, 1 / 3, 0.7),
    ("fc1", "input:0"): ActivationStats(7, 0.0, 1e-30, 1e-31, 1e-32, 0.0),
}
SAID = (Transcript("grüße", (5, 7), 1.25, "de"), Transcript("", (), 0.5))
GRAM = torch.tensor([[2.0, 0.1], [0.1, 3.0]], dtype=torch.float64)


def test_statistics_and_transcripts() -> None:
    assert STATISTICS.decode(memoryview(STATISTICS.encode((SEEN, SAID)))) == (SEEN, SAID)
    assert TRANSCRIPTS.decode(memoryview(TRANSCRIPTS.encode(SAID))) == SAID
    assert TRANSCRIPTS.decode(memoryview(TRANSCRIPTS.encode(()))) == ()
    read = TRANSCRIPTS.decode(memoryview(TRANSCRIPTS.encode(SAID)))
    assert read is not None and [said.segments for said in read] == [(), ()]


def test_grams_and_curvatures() -> None:
    grams = GRAMS.decode(memoryview(GRAMS.encode({"a|b": GRAM, "tied": GRAM})))
    assert grams is not None
    assert set(grams) == {"a|b", "tied"}
    assert all(torch.equal(gram, GRAM) for gram in grams.values())
    each = {"fc1": Curvature(GRAM, torch.ones(3)), "a|b": Curvature(2 * GRAM, torch.ones(2), torch.tensor([1.0, 2.0]))}
    found = CURVATURES.decode(memoryview(CURVATURES.encode(each)))
    assert found is not None
    assert set(found) == set(each)
    assert found["fc1"].lookups is None
    for name, curvature in each.items():
        for field in ("gram", "rows", "lookups"):
            wanted, got = getattr(curvature, field), getattr(found[name], field)
            assert wanted is got is None or torch.equal(wanted, got)


def test_logits() -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32))
    found = LOGITS.decode(memoryview(LOGITS.encode(logits)))
    assert found is not None
    assert found.dtype == torch.float32
    assert torch.equal(found, logits)


@pytest.mark.parametrize("wrong", [torch.zeros(3, 7).double(), torch.zeros(7)], ids=["type", "shape"])
def test_what_cannot_be_logits_is_not_read(wrong: torch.Tensor) -> None:
    assert LOGITS.decode(memoryview(LOGITS.encode(wrong))) is None


@pytest.mark.parametrize("codec", [STATISTICS, TRANSCRIPTS, GRAMS, CURVATURES, LOGITS], ids=lambda codec: codec.kind)
def test_other_content_is_not_read(codec: object) -> None:
    for other in (b"", b"{", b"[1]", b"\xff" * 20, b"null", b'{"statistics": 1}'):
        assert codec.decode(memoryview(other)) is None  # type: ignore[attr-defined]
    assert STATISTICS.decode(memoryview(STATISTICS.encode((SEEN, SAID)).replace(b'"std"', b'"sdt"'))) is None
