"""The parts of ``myqasr.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from myqasr_fx.bundle.file_names import check_file_name


def check_least(record: object, names: Iterable[str], least: int = 0) -> None:
    """Refuses a record one of whose fields is below ``least``; None passes.

    Raises:
        ValueError: Names the field.
    """
    for name in names:
        value = getattr(record, name)
        if value is not None and not value >= least:
            raise ValueError(f"{name}: {value}, expected at least {least}")


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """Rows ``start`` to ``stop`` of a layer and how they are stored.

    Args:
        start: First row.
        stop: One past the last row.
        bits: Width of the codes, of a trellis averaged over its inputs; 16 and 32 are floats.
        granularity: Weights that share a scale; None for floats.
        symmetric: True when there are no zero points.
        format: ``affine``, or ``trellis`` for codes in strings.
    """

    start: int
    stop: int
    bits: float
    granularity: str | None
    symmetric: bool
    format: str = "affine"

    def __post_init__(self) -> None:
        if self.format not in ("affine", "trellis"):
            raise ValueError(f"format: {self.format!r}, expected affine or trellis")
        check_least(self, ("start", "bits"))
        check_least(self, ("stop",), self.start)


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """One layer.

    Args:
        name: Path of its weight in the network, or of the attention product.
        op: linear, conv1d, embedding or matmul.
        shape: Of the weight; empty for a product of activations.
        bits: Bits a weight, averaged over rows; None for a product.
        blocks: Runs of rows.
        rounding: Method that chose the codes.
        sensitivity: Larger is more sensitive.
        bytes: Of codes, scales and zero points.
        executes: ``low-bit kernel``, ``int8 kernel`` (rounds its input on every call), or why not.
        expected_damage: Nats a position that the ``optimal`` allocation expects it to cost; None where nothing is
            expected.
        fallbacks: Rows that keep what the rounding method started from, the nearest levels, because that is better by
            its objective.
    """

    name: str
    op: str
    shape: tuple[int, ...]
    bits: float | None
    blocks: tuple[BlockRecord, ...]
    rounding: str | None
    sensitivity: float
    bytes: int
    executes: str
    expected_damage: float | None = None
    fallbacks: int = 0

    def __post_init__(self) -> None:
        check_least(self, ("bits", "bytes", "fallbacks"))


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One model file.

    Args:
        name: Relative to the bundle's folder, with forward slashes.
        bytes: Of the file.
        executed: Operator that onnxruntime executes to count.
        categories: What the bytes are spent on, see ``myqasr_fx.bundle.byte_category``.
        sha256: Of the file as it was verified; None in bundles of earlier versions.
    """

    name: str
    bytes: int
    executed: Mapping[str, int]
    categories: Mapping[str, int] = field(default_factory=dict)
    sha256: str | None = None

    def __post_init__(self) -> None:
        check_file_name(self.name)
        check_least(self, ("bytes",))
        if any(size < 0 for size in self.categories.values()):
            raise ValueError("categories: expected no negative bytes")


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """What the model was calibrated on: numbers and a fingerprint, no recording.

    Args:
        clips: Windows of audio used.
        seconds: Their length together.
        sha256: Of their samples.
        rejected: Recordings that could not be used.
        note: What was left out; None when nothing was.
        decides: What of the files other recordings would change: widths, codes, scales, ranges of inputs.
    """

    clips: int
    seconds: float
    sha256: str
    rejected: tuple[str, ...]
    note: str | None
    decides: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_least(self, ("clips", "seconds"))


@dataclass(frozen=True, slots=True)
class VerificationRecord:
    """How the files compare with the fake-quantized graphs, teacher-forced on clips.

    Args:
        clips: Clips compared.
        tokens: Positions compared.
        exact_error: Relative L2 error of the logits with exact kernels; rounded activations are left in float here.
        rounding_error: The same with rounded activations; None when activations are float.
        shipped_error: The same with the session options of this bundle.
        agreement: Share of positions with the same best token, with the session options of this bundle.
    """

    clips: int
    tokens: int
    exact_error: float
    rounding_error: float | None
    shipped_error: float
    agreement: float

    def __post_init__(self) -> None:
        check_least(self, ("clips", "tokens"))


@dataclass(frozen=True, slots=True)
class DamageRecord:
    """What the ``optimal`` allocation expected; the verdict's divergence is what came of it.

    Args:
        expected: Divergence from full precision of the chosen widths, nats a position.
        bound: What no choice within the budget can be expected to stay below.
    """

    expected: float
    bound: float
