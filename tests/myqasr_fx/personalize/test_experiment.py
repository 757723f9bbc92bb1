"""The whole experiment on a tiny model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from myqasr_fx.bundle.sole_run import sole_run
from myqasr_fx.corpora import read_corpus
from myqasr_fx.errors import BudgetError, EvaluationError, OutputError
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.personalize import experiment as module
from myqasr_fx.personalize.condition import Condition
from myqasr_fx.personalize.controls import NOISE, OTHERS
from myqasr_fx.personalize.experiment import RAW, SCHEMES, Experiment, run
from myqasr_fx.personalize.groups import GroupSplit, make_groups
from myqasr_fx.personalize.ledger import FULL, read_rows
from myqasr_fx.personalize.result import Result, write_result
from myqasr_fx.personalize.schemes import read_schemes
from passes.base import Program
from passes.graph import meta
from passes.numbers.twin import TwinQParams

SPLIT = GroupSplit("speaker", 2, calibrate={"split": "calib"}, test={"split": "test"}, only=("ann", "bob"))


@pytest.fixture
def experiment(manifest: Path) -> Experiment:
    groups = make_groups(manifest, read_corpus(manifest), SPLIT)
    return Experiment(groups, (Condition("paper", "avg=12"),), (2,))


def test_every_cell_is_filled_and_resumed(
    experiment: Experiment, make_speech_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech: SpeechModel = make_speech_model("smallest")
    rows = run(experiment, speech, tmp_path)
    cells = [(row.cell.calibration or row.cell.recipe, row.cell.test) for row in rows]
    expected = [(c, t) for c in (FULL, "ann", "bob", NOISE) for t in ("ann", "bob")]
    expected += [(OTHERS, "ann"), (OTHERS, "bob")]
    assert sorted(cells) == sorted(expected * 2)
    assert {(row.audio, row.words) for row in rows if row.cell.test == "bob"} == {("bob3.wav", 2), ("bob4.wav", 2)}
    widths = read_schemes(tmp_path / SCHEMES)
    assert {key[-1] for key in widths} == {"ann", "bob", NOISE}
    assert max(widths["paper", "avg=12", 2, 0, "ann"].values()) in (12, 13)  # no file could hold them

    lines = (tmp_path / RAW).read_text().splitlines(keepends=True)
    (tmp_path / RAW).write_text("".join(lines[:-1]))  # half of the last cell
    quantized: list[str] = []
    fit = module.quantize_in_torch
    monkeypatch.setattr(module, "quantize_in_torch", lambda *args: quantized.append("") or fit(*args))
    assert run(experiment, speech, tmp_path) == rows
    assert len(quantized) == 1

    assert all(row.positions for row in rows)
    written = write_result(Result.of(rows, "wer"), tmp_path, plots=True)
    assert [path.name for path in written] == ["matrices.csv", "result.json", "matrix_paper-avg-12-2-clips.png"]
    assert written[0].read_text().count("\n") == 1 + len(expected)
    result = json.loads(written[1].read_text())
    assert {verdict["control"] for verdict in result["verdicts"]} == {OTHERS, NOISE, "another group"}
    assert written[2].read_bytes().startswith(b"\x89PNG")


def test_two_ranges_of_activations_change_what_is_computed(
    experiment: Experiment, make_speech_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twins: list[int] = []
    fit = module.quantize_in_torch

    def counted(*args: Any) -> Program:
        program = fit(*args)
        found = (meta.get(node, meta.ACTIVATION_QPARAMS) or () for _, _, node in program.nodes())
        twins.append(sum(isinstance(qparams, TwinQParams) for pair in found for qparams in pair))
        return program

    monkeypatch.setattr(module, "quantize_in_torch", counted)
    ways = (Condition("paper:activation_ranges=twin", "avg=12"), Condition("paper", "avg=12"))
    few = replace(experiment, conditions=ways, control=False, cross=False)
    assert len(run(few, make_speech_model("smallest"), tmp_path)) == 2 * (1 + 2) * 2
    assert [count > 0 for count in twins] == [True, False] * 2  # both ways on the clips of one, then of the other


def test_texts_are_not_needed_for_the_distance_from_full_precision(
    experiment: Experiment, make_speech_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "evaluate", None)  # nothing is transcribed for its errors
    few = replace(experiment, control=False, cross=False, texts=False)
    rows = run(few, make_speech_model("smallest"), tmp_path)
    assert {(row.errors, row.words) for row in rows} == {(0, 0)}
    full, quantized = ([row for row in rows if (row.cell.recipe == FULL) == is_full] for is_full in (True, False))
    assert all(row.same == row.positions > 0 and row.nats == pytest.approx(0, abs=1e-3) for row in full)
    assert len(quantized) == 4
    assert all(row.nats > 0 for row in quantized)
    result = Result.of(rows, "divergence")
    assert result.matrices[0].scores["ann", "ann"].value > 0
    with pytest.raises(EvaluationError, match="another texts"):
        run(replace(few, texts=True), make_speech_model("smallest"), tmp_path)


def test_a_group_too_large_to_be_kept_is_heard_twice(
    experiment: Experiment, make_speech_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(experiment, control=False, cross=False)
    kept = run(few, make_speech_model("smallest"), tmp_path / "kept")
    sizes: list[int] = []
    once = module.Once
    monkeypatch.setattr(module, "Once", lambda runner, most: sizes.append(most) or once(runner, most))
    monkeypatch.setattr(module, "MOST_HEARD", 1)
    assert run(few, make_speech_model("smallest"), tmp_path / "twice") == kept
    assert set(sizes) == {1}


def test_an_experiment_that_is_at_work_is_not_joined(experiment: Experiment, make_speech_model, tmp_path: Path) -> None:
    few = replace(experiment, conditions=(), control=False)
    with sole_run(tmp_path), pytest.raises(OutputError, match="another run is writing there"):
        run(few, make_speech_model("smallest"), tmp_path)
    assert not list(tmp_path.glob("*.json"))  # whose it is says the other
    assert len(run(few, make_speech_model("smallest"), tmp_path)) == 4


def test_another_experiment_is_not_mixed_in(experiment: Experiment, make_speech_model, tmp_path: Path) -> None:
    few = replace(experiment, conditions=(), control=False)
    run(few, make_speech_model("smallest"), tmp_path)
    assert len(read_rows(tmp_path / RAW)) == 4
    other = replace(few, groups=(few.groups[1], few.groups[0]))
    with pytest.raises(EvaluationError, match="holds an experiment with another recordings"):
        run(other, make_speech_model("smallest"), tmp_path)


def test_a_budget_that_cannot_be_met_is_told_before_anything_is_measured(
    experiment: Experiment, make_speech_model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "measure", lambda job: pytest.fail("measured"))
    for condition in (Condition("paper", "1KB"), Condition("normal", "1KB")):
        asked = replace(experiment, conditions=(*experiment.conditions, condition))
        with pytest.raises(BudgetError, match="1,000 bytes is infeasible"):
            run(asked, make_speech_model("smallest"), tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_changed_texts_and_recordings_are_another_experiment(
    experiment: Experiment, make_speech_model, tmp_path: Path
) -> None:
    """Under the same names: rows of an earlier sitting would be told of what nobody heard."""
    few, speech = replace(experiment, conditions=(), control=False), make_speech_model("smallest")
    rows = run(few, speech, tmp_path)
    ann, bob = few.groups
    other = replace(ann.test[0], text="no")
    with pytest.raises(EvaluationError, match="another texts"):
        run(replace(few, groups=(replace(ann, test=(other, *ann.test[1:])), bob)), speech, tmp_path)
    recording = ann.pool[0].audio
    before = recording.read_bytes()
    try:
        soundfile.write(recording, np.ones(8000) / 2, 16_000)
        with pytest.raises(EvaluationError, match="another recordings"):
            run(few, speech, tmp_path)
    finally:
        recording.write_bytes(before)
    assert run(few, speech, tmp_path) == rows
