"""What a model learned, as a record that is checked where it is read, and as a sentence."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from myqasr_fx.bundle.adaptation_record import AdaptationRecord
from myqasr_fx.bundle.record_reader import build_record

RECORD = AdaptationRecord(True, "divergence", 10, 40.0, 12, 0.5, 0.4, -0.2, -0.05, 90, 4)


def test_it_comes_back_as_it_was() -> None:
    assert build_record(AdaptationRecord, asdict(RECORD)) == RECORD


@pytest.mark.parametrize(
    "wrong",
    [{"taught": 0}, {"decided": 0}, {"measure": "words"}, {"low": 0.1}, {"words": -1}, {"taught_seconds": -1.0}],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(RECORD, **wrong)


def test_the_sentence_tells_why() -> None:
    assert RECORD.told == (
        "from 10 clips, without labels, and kept (on 12 others, divergence when they are changed a little (speed, "
        "gaps, noise): 0.500 nats a position as it came, -0.100 [-0.200, -0.050] after learning); it writes 4 of 90 "
        "words otherwise than the model as it came; full precision means the model that has learned"
    )
    left = replace(RECORD, adopted=False, measure="entropy", high=0.1)
    assert left.told.startswith("nothing: what 10 clips taught was left out, since nothing shows that it helps")
    assert "entropy of what it expects: 0.500" in left.told
