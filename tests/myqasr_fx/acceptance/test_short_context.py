"""Which margin is taken, by verdicts on the same clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.acceptance.short_context import COUNTED_MARGINS, check_context, keeps
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.context_record import COUNTED, ContextRecord, TriedContext
from myqasr_fx.bundle.measure_record import MeasureRecord
from myqasr_fx.bundle.verdict_record import ACCEPTED, REJECTED, UNCERTAIN, AcceptanceRecord
from myqasr_fx.cli.views import context_told
from myqasr_fx.errors import OptionError
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import load_bundle, with_context
from myqasr_fx.runtime.context import LEAST, Context

KEPT = Path(__file__).parents[2] / "data" / "bundle"


def verdict(state: str, agreement: float, kl: float) -> AcceptanceRecord:
    known = QuantizedBundle.open(KEPT).manifest.acceptance
    assert known is not None
    measures = (
        MeasureRecord("agreement", agreement, 0.0, 1.0, 0.9, "undecided"),
        MeasureRecord("kl", kl, 0.0, 9.0, 0.1, "undecided"),
    )
    return replace(known, verdict=state, failed=(), measures=measures)


@pytest.mark.parametrize(
    ("short", "full", "kept"),
    [
        ((ACCEPTED, 0.95, 0.01), (ACCEPTED, 0.99, 0.00), True),
        ((UNCERTAIN, 0.95, 0.01), (ACCEPTED, 0.99, 0.00), False),
        ((ACCEPTED, 0.95, 0.01), (UNCERTAIN, 0.95, 0.01), True),
        ((UNCERTAIN, 0.89, 0.01), (UNCERTAIN, 0.95, 0.01), False),  # beyond the bound, and worse
        ((UNCERTAIN, 0.89, 0.01), (UNCERTAIN, 0.88, 0.01), True),  # beyond it as in 30 s
        ((UNCERTAIN, 0.95, 0.11), (UNCERTAIN, 0.95, 0.09), False),
        ((REJECTED, 0.95, 0.01), (REJECTED, 0.95, 0.01), True),
    ],
)
def test_a_margin_holds_what_30_s_hold(short, full, kept) -> None:
    assert keeps(verdict(*short), verdict(*full)) is kept


def test_a_context_is_of_whisper_alone(make_speech_model: Callable[[str], SpeechModel]) -> None:
    check_context("speech", make_speech_model("whisper-smallest"))
    check_context("full", make_speech_model("smallest"))
    with pytest.raises(OptionError, match="smallest is a CTC model"):
        check_context("speech", make_speech_model("smallest"))


def test_a_margin_is_one_that_was_tried() -> None:
    tried = (TriedContext(64, ACCEPTED, 0.99, 0.01, 0.0, 0),)
    assert ContextRecord(None, LEAST, tried).tried == ContextRecord(64, LEAST, tried).tried
    with pytest.raises(ValueError, match="expected one that was tried"):
        ContextRecord(32, LEAST, tried)
    with pytest.raises(ValueError, match="silence: 0, expected at least 1"):
        ContextRecord(64, 0, tried, 0)


def test_a_bundle_that_never_ends_hears_30_s(compile_model, noise) -> None:
    """A random network is doubtful about everything: each clip is heard twice, which no margin is worth."""
    made = compile_model("whisper-smallest", uniform_bits=8, context="speech")
    record = QuantizedBundle.open(made.path).manifest.context
    assert record is not None and record == made.manifest.context
    assert record.margin is None and tuple(each.margin for each in record.tried) == COUNTED_MARGINS
    assert {each.heard_again for each in record.tried} == {len(noise)}
    assert "no margin of up to 10.2 s behind a clip did as well" in context_told(record)
    runtime, long = load_bundle(made.path), np.tile(noise[0], 30)
    assert runtime.context == Context.of(record.silence) and record.silence == COUNTED and runtime.any_length
    assert np.array_equal(with_context(runtime, "speech").logits(long, (5,)), runtime.logits(long, (5,)))
