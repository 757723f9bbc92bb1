"""The road that is shown is the road that runs."""

import logging
from collections.abc import Callable

import numpy as np
import pytest

from myqasr_fx import pipeline
from myqasr_fx.fit.stages import stages
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits


@pytest.mark.parametrize("options", [{}, {"recipe": "best"}, {"rounding": "gptq", "sensitivity": "fisher"}])
def test_the_passes_of_the_road_run_in_its_order(
    options: dict[str, object],
    make_speech_model: Callable[[str], SpeechModel],
    noise: list[np.ndarray],
    tmp_path: object,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = resolve_config(avg_bits=11.2, max_bits=8, **{"recipe": "paper-file", **options})
    speech, limits = make_speech_model("smallest"), Limits(spare_bytes=1 << 14)
    with caplog.at_level(logging.DEBUG, "passes.manager.run_passes"):
        pipeline.quantize(speech, noise, out=f"{tmp_path}/out", config=config, limits=limits)
    ran = [tuple(record.args[0].split()) for record in caplog.records if record.name == "passes.manager.run_passes"]
    wanted = [step for stage in stages(config) for step in stage.passes]
    for folding in ("FoldConstants", "FuseRoundTrips", "LateConstants"):  # how torch runs the reference, not a stage
        ran = [tuple(step for step in group if step != folding) for group in ran]
    last = dict.fromkeys(step for group in reversed(ran) for step in reversed(group))  # drafts of files come before
    assert list(last)[::-1] == wanted


def test_a_stage_names_its_clips_with_their_number(
    make_speech_model: Callable[[str], SpeechModel], noise: list[np.ndarray]
) -> None:
    planned = pipeline.plan(make_speech_model("smallest"), noise, config=resolve_config("60KB", recipe="best"))
    clips = {stage.name: stage.clips for stage in planned.stages if stage.clips}
    assert clips["observe"] == "observe: 4" and clips["measure curvature"] == "curvature: 3"
    assert clips["probe rounded layers"] == "probe: 1 kept from the curvature"
    assert clips["judge"] == "judge: 4 of those observed"
