"""Runs every cell: calibrates, quantizes in torch, transcribes the test recordings and writes down what was lost.

Nothing is exported, so that the paper's widths of 9 to 31 bits and activations below 8 bits can be tried too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from myqasr_fx.audio import ClipSet
from myqasr_fx.bundle.output_file import write_file
from myqasr_fx.bundle.sole_run import sole_run
from myqasr_fx.bundle.untrusted_json import read_object
from myqasr_fx.bundle.writable_folder import check_writable
from myqasr_fx.errors import EvaluationError
from myqasr_fx.evaluate import Utterance, default_normalizer, evaluate, without_diacritics
from myqasr_fx.fit.allocation import check_budget
from myqasr_fx.fit.request import fit_request
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measure import measure
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.personalize.condition import Condition
from myqasr_fx.personalize.controls import NOISE, OTHERS
from myqasr_fx.personalize.draw import draw
from myqasr_fx.personalize.features import FeatureCache
from myqasr_fx.personalize.full_precision import FullPrecision
from myqasr_fx.personalize.groups import Group, check_apart
from myqasr_fx.personalize.ledger import Cell, Ledger, Row, full_cell, read_rows
from myqasr_fx.personalize.schemes import append_scheme
from myqasr_fx.pipeline import Road, for_model, measuring, quantize_in_torch
from myqasr_fx.process.graph_sources import sources_forgotten
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Progress, Silent
from myqasr_fx.runtime import Runtime
from myqasr_fx.runtime.once import Once
from myqasr_fx.runtime.torch_runner import torch_runtime
from myqasr_fx.runtime.whisper import WhisperRuntime
from myqasr_fx.verify.fake_quant import runnable_in_torch
from passes.allocation.allocate_bits import read_scheme
from passes.base import Program

RAW = "utterances.csv"
SCHEMES = "schemes.csv"
IDENTITY = "experiment.json"

MOST_HEARD = 64
"""Recordings of a group whose encoder output is kept until they are compared, 4 MB each; more are heard twice."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What to run.

    Args:
        groups: Targets.
        conditions: Ways to quantize.
        clips: Numbers of calibration clips to try; each is the same in every cell.
        seeds: Number of draws of calibration clips.
        control: Also calibrate on everybody else, for each target, and on noise.
        cross: Test what is calibrated on one group on all others too.
        diacritics: Let accents count; some corpora write their texts without.
        texts: Transcribe and count errors; else models are compared with full precision alone.
    """

    groups: tuple[Group, ...]
    conditions: tuple[Condition, ...]
    clips: tuple[int, ...]
    seeds: int = 1
    control: bool = True
    cross: bool = True
    diacritics: bool = True
    texts: bool = True

    def runs(self) -> Iterator[tuple[Cell, ...]]:
        """The cells that one quantized model fills, model by model; those with the same clips follow each other."""
        names = [group.name for group in self.groups]
        sources = [(name, tuple(names if self.cross else [name])) for name in names]
        if self.control:
            sources += [*((OTHERS, (name,)) for name in names), (NOISE, tuple(names))]
        for seed, clips, (source, tests) in product(range(self.seeds), self.clips, sources):
            for condition in self.conditions:
                yield tuple(Cell(condition.recipe, condition.budget, clips, seed, source, test) for test in tests)

    def identity(self, speech: SpeechModel, heard: Mapping[Path, str]) -> dict[str, object]:
        """What may not change between two sittings.

        Args:
            speech: The model.
            heard: Each recording's samples, as :func:`~myqasr_fx.personalize.groups.check_apart` hashes them.
        """
        sides = [(g.name, *([(u.name, heard[u.audio]) for u in s] for s in (g.pool, g.test))) for g in self.groups]
        return {
            "model": speech.name,
            "fingerprint": speech.fingerprint,
            "recordings": _digest(sides),
            "diacritics": self.diacritics,
            "texts": _digest([u.text for group in self.groups for u in group.test]) if self.texts else False,
        }


def run(experiment: Experiment, speech: SpeechModel, out: Path, progress: Progress | None = None) -> tuple[Row, ...]:
    """Runs the cells that ``out`` does not hold yet.

    Args:
        experiment: What to run.
        speech: The model.
        out: Folder of the raw result, of the widths chosen and of cached statistics.
        progress: Told about every quantized model.

    Returns:
        All rows, those of earlier sittings included.

    Raises:
        EvaluationError: Calibration and test overlap, or ``out`` belongs to another experiment.
        BudgetError: A budget cannot be met by any widths; told before the work.
        OutputError: ``out`` cannot be written, or another run writes to it.
        MyqasrError: A model cannot be quantized so.
    """
    clock = progress or Silent()
    identity = experiment.identity(speech, check_apart(experiment.groups, clock))
    _is_of(out, identity)  # what is another's is told before the work; under the lock it is asked again
    check_writable(out, "out")
    with clock.stage("capture graphs"):
        prepared = prepare(speech)
    for condition in experiment.conditions:
        check_budget(prepared, fit_request(prepared, for_model(condition.config(seed=0), speech)))
    out.mkdir(parents=True, exist_ok=True)
    with sole_run(out):
        if not _is_of(out, identity):
            write_file(out / IDENTITY, json.dumps(identity, indent=1) + "\n", force=True)
        _fill(experiment, prepared, out, clock)
    return read_rows(out / RAW)


def _fill(experiment: Experiment, prepared: Prepared, out: Path, clock: Progress) -> None:
    """Runs the cells that ``out`` does not hold."""
    ledger = Ledger(out / RAW)
    done = ledger.resume({group.name: len(group.test) for group in experiment.groups})
    bench = _Bench(experiment, prepared, out, ledger)
    full = [cell for cell in (full_cell(group.name) for group in experiment.groups) if cell not in done]
    if full:
        bench.score(prepared.program, full, "full precision", clock)
    for cells in experiment.runs():
        if missing := [cell for cell in cells if cell not in done]:
            with sources_forgotten():
                bench.fill(missing, clock)


class _Bench:
    """Quantizes and scores."""

    def __init__(self, experiment: Experiment, prepared: Prepared, out: Path, ledger: Ledger) -> None:
        self._experiment = experiment
        self._prepared = prepared
        self._out = out
        self._ledger = ledger
        self._features = FeatureCache(prepared.speech.features)
        self._measured: tuple[str, MeasureJob, Measurements] | None = None
        self._full = FullPrecision(self._runtime(prepared.program, 1))

    def fill(self, cells: list[Cell], clock: Progress) -> None:
        """Quantizes once and scores every cell."""
        cell = cells[0]
        config = Condition(cell.recipe, cell.budget).config(cell.seed, self._out / "cache")
        config = for_model(config, self._prepared.speech)
        clips = draw(self._experiment.groups, cell.calibration, cell.test, cell.clips, cell.seed)
        rounded = quantize_in_torch(*self._measure(clips, config), config)
        if cell.calibration != OTHERS:  # a model for each target under one name
            append_scheme(self._out / SCHEMES, cell, read_scheme(rounded))
        name = f"{cell.recipe} at {cell.budget}, seed {cell.seed}, {cell.clips} clips of {cell.calibration}"
        self.score(runnable_in_torch(rounded), cells, name, clock)

    def _measure(self, clips: ClipSet, config: QuantizeConfig) -> tuple[MeasureJob, Measurements]:
        """What the clips tell; kept for the other budgets of a recipe, on which it does not depend."""
        choices = {name: value for name, value in config.as_dict().items() if name != "budget"}
        key = f"{clips.sha256} {json.dumps(choices, sort_keys=True)}"
        if self._measured is None or self._measured[0] != key:
            job = measuring(self._prepared, clips, Road(config, Silent(), Limits()))
            self._measured = (key, job, measure(job))
        return self._measured[1:]

    def score(self, program: Program, cells: list[Cell], name: str, clock: Progress) -> None:
        """Transcribes the test recordings of every cell, and compares them with full precision."""
        tests = {group.name: group.test for group in self._experiment.groups}
        with clock.stage(name, len(cells)) as advance:
            for cell in cells:
                runtime, test = self._runtime(program, len(tests[cell.test])), tests[cell.test]
                errors = self._errors(runtime, test) if self._experiment.texts else [(0, 0)] * len(test)
                self._ledger.append(
                    Row(cell, utterance.name, *counts, *astuple(self._full.compare(runtime, utterance)))
                    for utterance, counts in zip(test, errors, strict=True)
                )
                advance(1)

    def _errors(self, runtime: Runtime, test: Sequence[Utterance]) -> list[tuple[int, int]]:
        """Wrong words and words of every recording."""
        normalizer = default_normalizer(runtime)
        if not self._experiment.diacritics:
            normalizer = without_diacritics(normalizer)
        scored = evaluate(runtime, test, normalizer=normalizer).rows
        return [(row.words.errors, row.words.total) for row in scored]

    def _runtime(self, program: Program, recordings: int) -> Runtime:
        """Runs what hears the recordings once for their transcripts and their distributions."""
        runtime: Any = torch_runtime(self._prepared.speech, program)  # both runtimes are dataclasses
        ear = "encoder" if isinstance(runtime, WhisperRuntime) else "model"
        once = Once(getattr(runtime, ear), min(recordings, MOST_HEARD))
        heard: Runtime = replace(runtime, features=self._features, **{ear: once})
        return heard


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _is_of(out: Path, identity: dict[str, object]) -> bool:
    """Whether ``out`` notes that it holds these results; False where it holds none.

    Raises:
        BundleError: The note is damaged.
        EvaluationError: It holds others.
    """
    if not (out / IDENTITY).is_file():
        return False
    found = read_object(out / IDENTITY)
    if changed := sorted(key for key in {*identity, *found} if found.get(key) != identity.get(key)):
        raise EvaluationError(
            f"{out}: holds an experiment with another {' and '.join(changed)}", hint="choose another --out"
        )
    return True
