"""How large the result may be."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar, Literal, get_args

from myqasr_fx.errors import OptionError
from myqasr_fx.options.checks import expect, is_int, is_width, widths
from passes.numbers.scheme import FLOAT_BITS

BudgetKind = Literal["file", "paper", "parameters"]
"""What is counted."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How large the quantized model may be: one of the first three, or none for the ``linear`` allocation.

    Args:
        bytes: Sum of the bytes of the model files.
        avg_bits: Average file bits a weight, scales and float leftovers included.
        uniform_bits: Width of every layer, without a bound on the bytes.
        kind: ``file`` counts the bytes that the files will have; ``paper`` counts sum of bits/8 of the weights alone;
            ``parameters`` counts all parameters, as the paper's published code does: biases, norms, embeddings, the
            output layer and the positional convolution have 32 bits. Average bits are then those of the other weights.
    """

    bytes: int | None = None
    avg_bits: float | None = None
    uniform_bits: int | None = None
    kind: BudgetKind = "file"

    SIZES: ClassVar[tuple[str, ...]] = ("budget", "avg-bits", "uniform-bits")
    """The first three as the command line spells them."""

    def __post_init__(self) -> None:
        if len(self.given) > 1:
            raise OptionError(f"expected exactly one of {', '.join(self.SIZES)}, got {' and '.join(self.given)}")
        expect(self.kind in get_args(BudgetKind), "budget kind", self.kind, "file, paper or parameters")
        expect(self.bytes is None or is_int(self.bytes, 1), "budget", self.bytes, "whole bytes, at least one")
        avg = self.avg_bits
        number = isinstance(avg, Real) and not isinstance(avg, bool)
        expect(avg is None or (number and 0 < avg <= FLOAT_BITS), "average bits", avg, "above 0, at most 32")
        if self.uniform_bits is not None:
            expect(is_width(self.uniform_bits, self.kind), "uniform bits", self.uniform_bits, widths(self.kind))

    @property
    def given(self) -> tuple[str, ...]:
        """Which of ``SIZES`` are there."""
        values = (self.bytes, self.avg_bits, self.uniform_bits)
        return tuple(name for name, value in zip(self.SIZES, values, strict=True) if value is not None)
