"""The options of ``quantize`` as one frozen value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from myqasr_fx.acceptance import Thresholds
from myqasr_fx.bundle.layout import DEFAULT
from myqasr_fx.errors import OptionError
from myqasr_fx.options.checks import KEPT_WIDTHS, expect, is_int, is_share, is_width, widths
from myqasr_fx.options.conflicts import check_conflicts
from myqasr_fx.options.recipes import check_choice
from passes.allocation.problem import Order
from passes.numbers.scheme import FLOAT_BITS, MAX_PACKED_BITS, Granularity

OPSETS = range(21, 26)
"""From the first with 4-bit integers in DequantizeLinear to the newest, with 2-bit integers."""

Optimize = Literal["size", "balanced", "speed"]
"""Which layers get the 8-bit integer kernels, see :mod:`myqasr_fx.fit.layer_requests`."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How large the quantized model may be: one of the first three, or none for the ``linear`` allocation.

    Args:
        bytes: Sum of the bytes of the model files.
        avg_bits: Average file bits a weight, scales and float leftovers included.
        uniform_bits: Width of every layer, without a bound on the bytes.
        kind: ``file`` counts the bytes that the files will have; ``paper`` counts sum of bits/8 of the weights alone.
    """

    bytes: int | None = None
    avg_bits: float | None = None
    uniform_bits: int | None = None
    kind: Literal["file", "paper"] = "file"

    SIZES: ClassVar[tuple[str, ...]] = ("budget", "avg-bits", "uniform-bits")
    """The first three as the command line spells them."""

    def __post_init__(self) -> None:
        if len(self.given) > 1:
            raise OptionError(f"expected exactly one of {', '.join(self.SIZES)}, got {' and '.join(self.given)}")
        expect(self.kind in ("file", "paper"), "budget kind", self.kind, "file or paper")
        expect(self.bytes is None or is_int(self.bytes, 1), "budget", self.bytes, "whole bytes, at least one")
        expect(self.avg_bits is None or 0 < self.avg_bits <= FLOAT_BITS, "average bits", self.avg_bits, "0 to 32")
        if self.uniform_bits is not None:
            expect(is_width(self.uniform_bits, self.kind), "uniform bits", self.uniform_bits, widths(self.kind))

    @property
    def given(self) -> tuple[str, ...]:
        """Which of ``SIZES`` are there."""
        values = (self.bytes, self.avg_bits, self.uniform_bits)
        return tuple(name for name, value in zip(self.SIZES, values, strict=True) if value is not None)


@dataclass(frozen=True, slots=True)
class LayerRule:
    """What a rules file says about the layers whose names match.

    Args:
        match: Glob over layer names, such as ``model.decoder.*``.
        bits: Fixed width, 1 to 8; the allocation leaves the layer alone.
        keep: 16 or 32: the layer stays in float of that width.
        granularity: ``tensor``, ``channel`` or ``group:N`` instead of the global one.
        rounding: Name in ``passes.rounding`` instead of the global one.
    """

    match: str
    bits: int | None = None
    keep: int | None = None
    granularity: str | None = None
    rounding: str | None = None

    def __post_init__(self) -> None:
        name = f"rule for {self.match!r}:"
        if not self.match or (self.bits, self.keep, self.granularity, self.rounding) == (None,) * 4:
            raise OptionError(f"{name} expected a glob and one of bits, keep, granularity or rounding")
        if self.bits is not None and self.keep is not None:
            raise OptionError(f"{name} bits and keep exclude each other")
        expect(self.bits is None or is_int(self.bits, 1, MAX_PACKED_BITS), f"{name} bits", self.bits, "1 to 8")
        expect(self.keep is None or self.keep in KEPT_WIDTHS, f"{name} keep", self.keep, "16 or 32")
        if self.granularity is not None:
            Granularity.parse(str(self.granularity))
        if self.rounding is not None:
            check_choice("rounding", self.rounding)


@dataclass(frozen=True, slots=True)
class QuantizeConfig:
    """Every choice of a run, resolved.

    Args:
        budget: Size of the result.
        recipe: Name of the recipe that the choices started from; it has no effect of its own.
        sensitivity: Name in ``passes.sensitivity``.
        allocation: Name in ``passes.allocation``.
        order: Which layers lose bits first: ``descending`` sensitivity, ``ascending`` or ``shuffled``.
        calibration: Name in ``passes.calibration``.
        rounding: Name in ``passes.rounding``.
        sequential: Round each layer on what it reads behind the layers that are rounded already.
        granularity: Weights that share a scale: ``tensor``, ``channel`` or ``group:N``.
        symmetric: No zero points for weights.
        activations: ``float``, or ``int8``: static 8-bit inputs of linear, conv1d and attention products.
        activation_bits: Width of quantized activations, 4 to 8; files hold 8.
        optimize: ``size``; ``speed``: 8-bit integer kernels for the linear layers that read frames; or ``balanced``.
        activation_ranges: Name in ``passes.activation_ranges``; files hold ``single`` ones.
        min_bits: Narrowest width that the allocation may take.
        max_bits: Widest width that the allocation may take.
        fill: Give left-over bytes back to lowered layers.
        max_spread: Most rungs between the widest and the narrowest width, for the ``optimal`` allocation.
        max_clips: Most windows of 30 s to use.
        holdout: Share of them that is kept out of the calibration, to judge the result on.
        acceptance: What the result must hold to be accepted.
        opset: ONNX opset of the files.
        layout: Name in ``myqasr_fx.bundle.layout``: the client for which the folder is arranged.
        seed: Of the shuffled order and the choice of windows.
        language: ISO 639-1 code for a multilingual model; None detects it.
        rules: Per-layer exceptions; the first that matches counts.
        private: Keep what was said out of the report.
        embed_audio: Put the judged clips into the report, to be played there.
        cache: Folder for statistics that later runs use again.
        dump_ir: Folder for the graphs after each pass.

    Raises:
        OptionError: A value is unknown, not available yet, out of range or at odds with another.
        QuantizationError: The granularity cannot be parsed.
    """

    budget: Budget
    recipe: str = "default"
    sensitivity: str = "median"
    allocation: str = "uniformity"
    order: Order = "descending"
    calibration: str = "min_max"
    rounding: str = "rtn"
    sequential: bool = False
    granularity: str = "group:64"
    symmetric: bool = False
    activations: str = "float"
    activation_bits: int = 8
    optimize: str = "size"
    activation_ranges: str = "single"
    min_bits: int = 1
    max_bits: int = FLOAT_BITS
    fill: bool = True
    max_spread: int | None = None
    max_clips: int = 32
    holdout: float = 0.25
    acceptance: Thresholds = field(default_factory=Thresholds)
    opset: int = 21
    layout: str = DEFAULT
    seed: int = 0
    language: str | None = None
    rules: tuple[LayerRule, ...] = ()
    private: bool = False
    embed_audio: bool = False
    cache: Path | None = None
    dump_ir: Path | None = None

    def __post_init__(self) -> None:
        for option in ("recipe", "sensitivity", "allocation", "calibration", "rounding", "activation_ranges", "layout"):
            check_choice(option, getattr(self, option))
        kind = self.budget.kind
        expect(self.order in get_args(Order), "order", self.order, ", ".join(get_args(Order)))
        expect(self.activations in ("float", "int8"), "activations", self.activations, "float or int8")
        expect(self.optimize in get_args(Optimize), "optimize", self.optimize, ", ".join(get_args(Optimize)))
        expect(is_int(self.activation_bits, 4, 8), "activation bits", self.activation_bits, "4 to 8")
        expect(is_width(self.min_bits, kind), "min bits", self.min_bits, widths(kind))
        expect(is_width(self.max_bits, kind), "max bits", self.max_bits, widths(kind))
        expect(self.min_bits <= self.max_bits, "min bits", self.min_bits, f"at most max bits ({self.max_bits})")
        if self.max_spread is not None:
            expect(is_int(self.max_spread, 0), "max spread", self.max_spread, "whole rungs, at least 0")
        expect(is_int(self.max_clips, 1), "max clips", self.max_clips, "at least 1")
        expect(is_share(self.holdout), "holdout", self.holdout, "a share of at least 0 and below 1")
        expect(self.opset in OPSETS, "opset", self.opset, f"{OPSETS[0]} to {OPSETS[-1]}")
        expect(is_int(self.seed, 0), "seed", self.seed, "at least 0")
        for flag in (f.name for f in fields(self) if f.type == "bool"):
            expect(isinstance(getattr(self, flag), bool), flag, getattr(self, flag), "true or false")
        expect(self.language is None or isinstance(self.language, str), "language", self.language, "a code such as en")
        check_conflicts(self)

    @property
    def roundings(self) -> frozenset[str]:
        """Every rounding method that some layer may take."""
        return frozenset({self.rounding, *(rule.rounding for rule in self.rules if rule.rounding)})

    def check_exportable(self) -> None:
        """Refuses what evaluates in torch alone.

        Raises:
            OptionError: The activations have a width that the integer kernels lack, or ranges that no file expresses.
        """
        if self.activations == "int8" and self.activation_bits != 8:
            problem = f"{self.activation_bits}-bit activations cannot be stored in a file"
            raise OptionError(problem, hint="take 8; other widths can be evaluated")
        if self.activation_ranges != "single":
            raise OptionError(
                f"{self.activation_ranges} ranges of activations cannot be stored in a file: QuantizeLinear has one "
                "scale and one zero point a tensor",
                hint="take activation_ranges single; `myqasr personalize` evaluates others in fake quantization",
            )

    def rule_for(self, layer: str) -> LayerRule | None:
        """The first rule that matches the layer's name."""
        return next((r for r in self.rules if fnmatchcase(layer, r.match)), None)

    def check_rules(self, layers: tuple[str, ...]) -> None:
        """Refuses a rule that matches none of the model's layers.

        Raises:
            OptionError: A rule matches nothing.
        """
        for rule in self.rules:
            if not any(fnmatchcase(layer, rule.match) for layer in layers):
                raise OptionError(
                    f"rule for {rule.match!r} matches none of {len(layers)} layers",
                    hint=f"the names look like {', '.join(layers[:2])}; `myqasr inspect` lists them",
                )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``myqasr.json``: all choices that shape the files, no folder of this machine."""
        plain: dict[str, Any] = {}
        for option in fields(self):
            if option.name not in ("budget", "rules", "acceptance", "cache", "dump_ir"):
                plain[option.name] = getattr(self, option.name)
        plain["budget"] = {f.name: getattr(self.budget, f.name) for f in fields(Budget)}
        plain["acceptance"] = asdict(self.acceptance)
        plain["rules"] = [
            {f.name: getattr(rule, f.name) for f in fields(LayerRule) if getattr(rule, f.name) is not None}
            for rule in self.rules
        ]
        return plain
