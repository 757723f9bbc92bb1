"""Everything that a run learns from the clips, in the order in which one measurement needs another."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import replace

from myqasr_fx.measure.corrections import CORRECTIONS, measure_corrections
from myqasr_fx.measure.curvature import curvatures_of, grams_of
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Measurements
from myqasr_fx.measure.observe import observe
from myqasr_fx.measure.ranking import measure_role
from myqasr_fx.measure.rows_read import read_rows
from myqasr_fx.measure.speech import clips_with_speech
from myqasr_fx.process.freed_memory import give_back
from passes.needs import Needs
from passes.observe.insert_gram_observers import Grams


def measure(job: MeasureJob) -> Measurements:
    """Observes the clips, then collects once what else the chosen methods need.

    Clips in which the model hears no speech are left out: the others are observed again, by themselves.

    Args:
        job: What is to be learned, of which model and clips.

    Raises:
        AudioError: The model hears speech in none of the clips.
        QuantizationError: A layer cannot be quantized alone.
        OutputError: The store cannot be written.
    """
    needs = job.request.needs
    found = observe(job, job.shares.observe)
    spoken = clips_with_speech(found.observed)
    if spoken is not found.observed.clips:
        job = replace(job, shares=job.shares.of(spoken, job.limits))
        found = observe(job, spoken)
    give_back()  # watched graphs, and the keys and values of a batch
    for role in sorted(needs.roles, key=str):
        found = replace(found, statistics={**found.statistics, **measure_role(job, found, role)})
    if needs.curvature:
        curvatures, energies = curvatures_of(job, found.observed)
        grams: Grams = ChainMap(found.grams, grams_of(curvatures))  # type: ignore[arg-type]  # only read
        corrections = measure_corrections(job, found.observed, grams if needs.grams else {})
        found = replace(found, curvatures=curvatures, energies=energies, grams=grams, corrections=corrections)
    if needs.rows:
        found = replace(found, rows=read_rows(job, found.observed))
    return found


def steps(needs: Needs) -> tuple[tuple[str, str, str], ...]:
    """Each measurement that ``needs`` ask for: its name, what it collects, and the share of clips that it reads."""
    grams = " and Gram matrices" if needs.grams else ""
    found = [("observe", f"inputs and outputs of every layer{grams}", "observe")]
    found += [("measure role", str(role), "observe") for role in sorted(needs.roles, key=str)]
    if needs.curvature:
        found += [
            ("measure curvature", "squared gradients and Gram matrices", "curvature"),
            *([("weigh frames", "squared gradients, with the curvature", "sequence")] if needs.energies else []),
            ("round large layers alone", f"divergence at {' and '.join(map(str, CORRECTIONS))} bits", "correct"),
            ("probe rounded layers", "change of the logits", "probe"),
        ]
    if needs.rows:
        gradients = " with gradients of their outputs" if needs.row_gradients else ""
        found.append(("read rows", f"some rows of what layers read{gradients}", "observe"))
    return tuple(found)
