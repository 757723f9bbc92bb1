"""What a diagnosis says."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.bundle.measure_record import MeasureRecord


@dataclass(frozen=True, slots=True)
class LayerDiagnosis:
    """One layer, its outputs compared while all layers before it are quantized as well.

    Args:
        name: Of the layer.
        op: linear, conv1d, embedding or matmul.
        bits: Mean width; None for a product of activations.
        bytes: In the files.
        rounding_db: Signal-to-quantization-noise ratio of its output, float against fake-quantized weights, dB; None
            when nothing changed.
        runtime_db: The same, fake-quantized weights in torch against onnxruntime; None where no single operator of
            the file computes the output.
        kl: Divergence from full precision when this layer alone is quantized, nats a position; None for products.
        margin_shift: How far this layer alone moves the first differing token's margin; None without such a token.
    """

    name: str
    op: str
    bits: float | None
    bytes: int
    rounding_db: float | None
    runtime_db: float | None
    kl: float | None
    margin_shift: float | None


@dataclass(frozen=True, slots=True)
class TokenDiagnosis:
    """The first position, teacher-forced, where the bundle prefers another token.

    Args:
        clip: Name of the clip.
        position: Of the token in the transcript, or of the frame.
        before: Text so far; empty for models without a decoder.
        expected: Token of the full-precision model.
        got: Token of the bundle.
        margin: By how much the full-precision logits prefer the expected token to the other one.
        usual_margin: Median over all positions of the margin between the two best tokens at full precision.
        rounding_margin: The same margin with fake-quantized weights in torch.
        bundle_margin: The same margin of the bundle; not positive.
        layer: Layer that alone moves the margin furthest down; None when none moves it down.
        why: In words.
    """

    clip: str
    position: int
    before: str
    expected: str
    got: str
    margin: float
    usual_margin: float
    rounding_margin: float
    bundle_margin: float
    layer: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Something to change.

    Args:
        option: Of ``myqasr quantize``.
        bytes: What it adds to the files.
        why: What it is expected to do.
    """

    option: str
    bytes: int
    why: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All of it.

    Args:
        model: Name of the full-precision model.
        judged: True when the clips are those of the bundle's verdict, which then has the same figures.
        clips: Clips compared.
        positions: Tokens and ends, or frames.
        rounding_kl: Divergence of the fake-quantized weights from full precision, nats a position.
        bundle_kl: Divergence of the bundle from full precision.
        agreement: Share of positions where the bundle prefers the same token as full precision.
        measures: Agreement and divergence with their intervals and the bundle's bounds.
        layers: In network order.
        token: First token that differs; None when all are the same.
        advice: Most useful first.
        notes: What limits the diagnosis.
    """

    model: str
    judged: bool
    clips: int
    positions: int
    rounding_kl: float
    bundle_kl: float
    agreement: float
    measures: tuple[MeasureRecord, ...]
    layers: tuple[LayerDiagnosis, ...]
    token: TokenDiagnosis | None
    advice: tuple[Advice, ...]
    notes: tuple[str, ...]
