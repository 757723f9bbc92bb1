"""What a method has to be told about the model on the user's clips. Each declares it; who runs them collects the union.

=================== =========== ======================================================================================
role                layer       values
=================== =========== ======================================================================================
``output``          every one   the layer's output activations, which every run observes, as its inputs (``input:0``, …)
``gradient``        with weight gradients of the log-probability of the model's own tokens with respect to the weights
``output gradient`` with weight one a clip: the 0.9 quantile of the same with respect to the layer's result
``kl@8``            with weight one a clip: how far the model's outputs move when this layer alone has 8 bits
``kl@w8a8``         with weight the same when what this layer reads has 8 bits, too
=================== =========== ======================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class LayerAlone:
    """Role of the distances of a model in which one layer alone is rounded to nearest.

    Args:
        distance: Name in ``passes.sensitivity.DISTANCES``.
        bits: Width of that layer.
        input_bits: Width of what it reads; None keeps that float.
    """

    distance: str
    bits: int
    input_bits: int | None = None

    def __str__(self) -> str:
        return f"{self.distance}@{self.bits if self.input_bits is None else f'w{self.bits}a{self.input_bits}'}"


Role = str | LayerAlone
"""Of observed values: a port of the layer, its gradients, or distances."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What has to be measured; ``a | b`` is what both need.

    Args:
        roles: Statistics beyond those of inputs and outputs.
        grams: Gram matrices of what layers read.
        curvature: What rounding errors cost, from backward passes, with Gram matrices of it.
        rows: Some rows of what layers read.
        row_gradients: Gradients of the outputs of those rows.
        energies: How much each frame matters that layers are rounded on in sequence; comes with the curvature.
    """

    roles: frozenset[Role] = frozenset()
    grams: bool = False
    curvature: bool = False
    rows: bool = False
    row_gradients: bool = False
    energies: bool = False

    def __or__(self, other: Needs) -> Needs:
        return Needs(**{f.name: getattr(self, f.name) | getattr(other, f.name) for f in fields(Needs)})

    def __str__(self) -> str:
        flags = [f.name.replace("_", " ") for f in fields(self) if getattr(self, f.name) is True]
        return ", ".join([*sorted(map(str, self.roles)), *flags]) or "inputs and outputs"


NOTHING = Needs()
"""No more than every run observes."""
