"""What ``quantize`` would do: the width of every layer and the bytes that it predicts, without rounding or writing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from myqasr_fx.acceptance.holdout import hold_out
from myqasr_fx.audio import AudioInput, select_clips
from myqasr_fx.fit.allocation import budget_bytes, check_feasible
from myqasr_fx.fit.fit import allocate
from myqasr_fx.measure.measure import measure
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.process.progress import Progress, Silent
from passes.base import Program
from passes.graph import meta
from passes.graph.layers import Layer, nodes_of
from passes.numbers.scheme import LayerScheme


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """One layer of a plan.

    Args:
        name: Path of its weight in the network, or of the attention product.
        op: linear, conv1d, embedding or matmul.
        shape: Of the weight; empty for a product of activations.
        bits: Mean width; None for a product.
        rows: Width to number of rows, widest first.
        sensitivity: Larger is more sensitive.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    bits: float | None
    rows: tuple[tuple[int, int], ...]
    sensitivity: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A scheme that was not carried out.

    Args:
        model: Name of the model.
        budget_bytes: What is allowed; None without a budget.
        predicted_bytes: What the size rule predicts; the files of a real run are measured and may differ a little.
        num_weights: Weights in layers.
        clips: Clips that the sensitivities come from.
        rejected: Recordings that could not be used, with the reason.
        layers: In network order.
    """

    model: str
    budget_bytes: int | None
    predicted_bytes: int
    num_weights: int
    clips: int
    rejected: tuple[str, ...]
    layers: tuple[PlannedLayer, ...]


def plan(
    model: str | SpeechModel,
    audio: AudioInput | Iterable[AudioInput],
    *,
    config: QuantizeConfig,
    progress: Progress | None = None,
) -> Plan:
    """Ranks and allocates as :func:`myqasr_fx.pipeline.quantize` does, and stops there.

    Args:
        model: Name, folder or loaded model.
        audio: Files, folders or arrays (T,) float32 at 16 kHz of unlabelled speech.
        config: Resolved options.
        progress: Told about every stage.

    Raises:
        MyqasrError: Any input that cannot be used, or an infeasible budget.
    """
    clock = Silent() if progress is None else progress
    with clock.stage("load model"):
        speech = load_model(model) if isinstance(model, str) else model
    with clock.stage("read audio"):
        clips = select_clips(audio, config.max_clips, seed=config.seed)
    with clock.stage("capture graphs"):
        prepared = prepare(speech, config.dump_ir)
        config.check_rules(tuple(layer.name for layer in prepared.layers if layer.weight))
        check_feasible(prepared, config)
    split = hold_out(clips, config.holdout, config.seed)
    calibration = measure(prepared, split.calibration, config, clock)
    with clock.stage("allocate"):
        program, predicted = allocate(prepared, calibration, config)
    return Plan(
        model=speech.name,
        budget_bytes=budget_bytes(config.budget, prepared.num_weights),
        predicted_bytes=predicted,
        num_weights=prepared.num_weights,
        clips=len(split.calibration.clips),
        rejected=tuple(item.reason for item in clips.rejected),
        layers=tuple(_planned(program, layer) for layer in prepared.layers),
    )


def _planned(program: Program, layer: Layer) -> PlannedLayer:
    node = next(nodes_of(program, layer))[1]
    scheme: LayerScheme | None = meta.get(node, meta.SCHEME)
    bits = None if scheme is None else round(scheme.mean_bits, 4)
    sensitivity = float(meta.get(node, meta.SENSITIVITY))
    return PlannedLayer(layer.name, layer.kind.value, layer.shape, bits, _rows(scheme), sensitivity)


def _rows(scheme: LayerScheme | None) -> tuple[tuple[int, int], ...]:
    rows: dict[int, int] = {}
    for block in () if scheme is None else scheme.blocks:
        rows[block.spec.bits] = rows.get(block.spec.bits, 0) + block.stop - block.start
    return tuple(sorted(rows.items(), reverse=True))
