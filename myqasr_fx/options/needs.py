"""What the chosen methods need together: the union of what each of them declares."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from passes.needs import Needs


class Methods(Protocol):
    """The options that name methods."""

    @property
    def sensitivity(self) -> str:
        """Name in ``passes.sensitivity``."""

    @property
    def allocation(self) -> str:
        """Name in ``passes.allocation``."""

    @property
    def calibration(self) -> str:
        """Name in ``passes.calibration``."""

    @property
    def roundings(self) -> frozenset[str]:
        """Names in ``passes.rounding``."""

    @property
    def sequential(self) -> bool:
        """Layers are rounded behind the rounded ones."""

    @property
    def activations(self) -> str:
        """Float or int8."""

    @property
    def activation_ranges(self) -> str:
        """Name in ``passes.activation_ranges``."""


def needs_of(methods: Methods) -> Needs:
    """The union; loads the methods."""
    integer = methods.activations == "int8"
    found: Needs = import_module("passes.sensitivity.named").metric_of(methods.sensitivity).needs
    found |= _method("allocation", methods.allocation).needs
    for name in sorted(methods.roundings):
        found |= _method("rounding", name).needs
    found |= _method("calibration", methods.calibration).needs(integer)
    found = replace(found, energies=methods.sequential and found.curvature)
    return found | _method("activation_ranges", methods.activation_ranges).needs if integer else found


def weighs_damage(allocation: str) -> bool:
    """Whether an allocation weighs the damage of choices against their bytes."""
    return bool(_method("allocation", allocation).needs.curvature)


def searches_scales(rounding: str) -> bool:
    """Whether a rounding chooses scales of its own."""
    return not _method("rounding", rounding).keeps_scales


def knows_trellis(rounding: str) -> bool:
    """Whether a rounding can choose trellis codes."""
    return _method("rounding", rounding).trellis is not None


def decided_by_recordings(methods: Methods, sequential: bool) -> tuple[str, ...]:
    """What of the files other recordings would change: ``widths``, ``codes``, ``scales``, ``inputs``, or nothing.

    Args:
        methods: Options that name methods.
        sequential: Layers are rounded behind the rounded ones.
    """
    codes = sequential or any(_method("rounding", name).needs.grams for name in methods.roundings)
    calibration = _method("calibration", methods.calibration)
    searched = codes or calibration.needs(False).rows
    integer = methods.activations == "int8"
    found = {
        "widths": methods.allocation != "uniform",
        "codes": codes or searched,
        "scales": searched,
        "ranges of inputs": integer,
    }
    return tuple(name for name, decided in found.items() if decided)


def _method(kind: str, name: str) -> Any:
    """A method of a registry, whose packages import torch where it is first used."""
    return import_module(f"passes.{kind}").REGISTRY[name]
