"""The pipeline as one Python call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Progress, TellStep, as_progress

if TYPE_CHECKING:
    from myqasr_fx.models.speech_model import SpeechModel


def quantize(
    model: str | Path | SpeechModel,
    audio: str | Path | Sequence[str | Path | np.ndarray],
    budget: str | int | None = None,
    *,
    out: str | Path,
    force: bool = False,
    progress: Progress | TellStep | None = None,
    **options: object,
) -> QuantizedBundle:
    """Quantizes ``model`` to ``budget`` for the speech in ``audio`` and writes the bundle to ``out``.

    Args:
        model: Folder, built-in name, hub id or a loaded model.
        audio: Files, folders, or samples (T,) float32 at 16 kHz.
        budget: Bytes of the model files, such as ``24MB``; or give ``avg_bits`` or ``uniform_bits``.
        out: Folder to write.
        force: Replace an existing bundle.
        progress: Who is told where the work stands, such as a function of a stage's name, its steps done and all its
            steps; nobody when None.
        options: As for :func:`~myqasr_fx.options.resolve.resolve_config`: ``recipe``, ``rules`` and the fields of
            :class:`~myqasr_fx.options.config.QuantizeConfig`.

    Raises:
        MyqasrError: The input cannot be used, the budget is infeasible, or the result failed its verification.
    """
    config = resolve_config(budget, **options)  # type: ignore[arg-type]  # resolve_config checks names and values
    told = as_progress(progress)
    named = str(model) if isinstance(model, Path) else model
    return pipeline.quantize(named, audio, out=Path(out), config=config, force=force, progress=told)
