"""Runs the observed graphs on the user's clips: once, for every statistic.

Whisper's decoder sees the tokens that the full-precision model itself writes, in prefill and in cached steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from myqasr_fx.audio import ClipSet
from myqasr_fx.fit.damage_table import Damages
from myqasr_fx.measure.statistics_cache import Cached, GramKind, cache_file, read_cache, write_cache
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.process.progress import MODEL_PASSES, Progress
from myqasr_fx.runtime import Transcript
from myqasr_fx.runtime.torch_runner import torch_runtime
from passes.base import Fact
from passes.calibration.rows_read import CalibrationSamples
from passes.manager.manager import PassManager
from passes.observe.activation_stats import Statistics
from passes.observe.insert_gram_observers import Grams, InsertGramObservers, read_grams
from passes.observe.insert_observers import InsertObservers, read_statistics
from passes.rounding import USES_GRAMS

BATCH = 8
"""Clips decoded together: a step of the decoder costs little more for eight rows than for one."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """What the clips told.

    Args:
        clips: The clips.
        transcripts: What the full-precision model writes, one a clip.
        statistics: Of every layer's inputs and output.
        grams: Layer name to the Gram matrix of its inputs; empty when the rounding needs none.
        damages: Expected cost of every way to store every item; empty when the allocation weighs none.
        samples: Some of what every layer reads; empty when the calibration method needs none.
    """

    clips: ClipSet
    transcripts: tuple[Transcript, ...]
    statistics: Statistics
    grams: Grams
    damages: Damages = field(default_factory=dict, repr=False)
    samples: CalibrationSamples = field(default_factory=CalibrationSamples)


def observe(prepared: Prepared, clips: ClipSet, config: QuantizeConfig, progress: Progress) -> Calibration:
    """Transcribes the clips with the observed full-precision graphs.

    Args:
        prepared: Canonical graphs.
        clips: At least one.
        config: For the language, ``cache`` and ``dump_ir``.
        progress: Told about every clip.
    """
    cached = config.cache and cache_file(config.cache, prepared.speech, clips, config.language)
    wanted = _grams_wanted(config)
    if cached and (found := read_cache(cached, wanted)):
        return Calibration(clips, found.transcripts, found.statistics, found.grams)
    observed = prepared.program.clone()
    dump = config.dump_ir and config.dump_ir / "observe"
    passes = (InsertObservers(), *([InsertGramObservers(wanted == "looked_up")] if wanted else []))
    PassManager(passes, frozenset({Fact.CANONICAL}), dump)(observed)
    runtime = torch_runtime(prepared.speech, observed)
    transcripts: list[Transcript] = []
    samples = [clip.samples for clip in clips.clips]
    with progress.stage("observe activations", len(samples)) as advance:
        for start in range(0, len(samples), BATCH):
            with progress.part(MODEL_PASSES):
                transcripts += runtime.transcribe_batch(samples[start : start + BATCH], config.language)
            advance(len(transcripts) - start)
    seen = Cached(read_statistics(observed), tuple(transcripts), read_grams(observed))
    if cached:
        write_cache(cached, seen, wanted)
    return Calibration(clips, seen.transcripts, seen.statistics, seen.grams)


def _grams_wanted(config: QuantizeConfig) -> GramKind | None:
    if not config.roundings & USES_GRAMS:
        return None
    # Curvature brings those of the other layers. Its few clips hold too few tokens for a matrix of all words.
    return "looked_up" if config.allocation == "optimal" else "all"
