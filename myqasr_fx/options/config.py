"""The options of ``quantize`` as one frozen value."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

from myqasr_fx.bundle.adaptation_record import NONE, SELF
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.context_record import FULL, SPEECH
from myqasr_fx.bundle.layout import DEFAULT as DEFAULT_LAYOUT
from myqasr_fx.errors import OptionError
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.checks import expect, is_int, is_probability, is_share, is_width, widths
from myqasr_fx.options.choices import check_choice
from myqasr_fx.options.conflicts import check_conflicts
from myqasr_fx.options.layer_rule import LayerRule, narrowest
from myqasr_fx.options.recipes import PAPER_FILE
from myqasr_fx.options.thresholds import Thresholds
from passes.allocation.problem import Order

OPSETS = range(21, 26)
"""From the first with 4-bit integers in DequantizeLinear to the newest, with 2-bit integers."""

Format = Literal["auto", "affine", "trellis"]
"""Of the codes of weights, see ``myqasr_fx.fit.layer_requests``."""

Optimize = Literal["size", "balanced", "speed"]
"""Which layers get the 8-bit integer kernels, see ``myqasr_fx.fit.layer_requests``."""


_PROBABILITIES = ("no_speech_threshold", "vad_threshold")
_LATER = {**dict.fromkeys((*_PROBABILITIES, "conv_granularity")), "context": FULL, "adapt": NONE}
"""Options that older releases do not know, and what they do."""


@dataclass(frozen=True, slots=True)
class QuantizeConfig:
    """Every choice of a run, resolved; those that are not given here are those of the recipe ``paper-file``.

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
        conv_granularity: The same for convolutions; None where it is the common one.
        symmetric: No zero points for weights.
        format: ``affine``; ``trellis``: strings of codes of up to 6 bits; ``auto``: what does less damage a byte, where
            the allocation weighs that, else affine.
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
        no_speech_threshold: Probability of no speech, 0 to 1, by which clips are left out of the calibration and texts
            of the bundle are dropped, see ``myqasr_fx.runtime.no_speech``; 1 keeps all, None takes the usual one.
        context: ``full``: the bundle hears every clip in 30 s, as in training; ``speech``: with as little silence
            behind it as does as well on the clips that are judged. Whisper only.
        adapt: ``self``: before it is quantized, the model learns from half of the clips, without labels, and keeps that
            where the other half says that it helps; ``none``: it stays as it came.
        vad_threshold: Probability of speech, 0 to 1, that silero-vad, an extra, must hear somewhere in a clip: others
            are left out of the calibration; None does not ask it.
        rules: Per-layer exceptions; the first that matches counts.
        private: Keep what was said out of the report and the cache.
        embed_audio: Put the judged clips into the report, to be played there.
        cache: Folder for statistics that later runs use again.
        dump_ir: Folder for the graphs after each pass.
        delta: Bundle of the same model whose widths and codes stay: only scales and biases are fitted to the clips.

    Raises:
        OptionError: A value is unknown, not available yet, out of range or at odds with another.
        QuantizationError: The granularity cannot be parsed.
    """

    budget: Budget
    recipe: str = "paper-file"
    sensitivity: str = PAPER_FILE.sensitivity
    allocation: str = PAPER_FILE.allocation
    order: Order = PAPER_FILE.order
    calibration: str = PAPER_FILE.calibration
    rounding: str = PAPER_FILE.rounding
    sequential: bool = PAPER_FILE.sequential
    granularity: str = PAPER_FILE.granularity
    conv_granularity: str | None = PAPER_FILE.conv_granularity
    symmetric: bool = PAPER_FILE.symmetric
    format: str = PAPER_FILE.format
    activations: str = PAPER_FILE.activations
    activation_bits: int = PAPER_FILE.activation_bits
    optimize: str = "size"
    activation_ranges: str = PAPER_FILE.activation_ranges
    min_bits: int = PAPER_FILE.min_bits
    max_bits: int = PAPER_FILE.max_bits
    fill: bool = PAPER_FILE.fill
    max_spread: int | None = None
    max_clips: int = 32
    holdout: float = 0.25
    acceptance: Thresholds = field(default_factory=Thresholds)
    opset: int = 21
    layout: str = DEFAULT_LAYOUT
    seed: int = 0
    language: str | None = None
    no_speech_threshold: float | None = None
    vad_threshold: float | None = None
    context: str = FULL
    adapt: str = NONE
    rules: tuple[LayerRule, ...] = ()
    private: bool = False
    embed_audio: bool = False
    cache: Path | None = None
    dump_ir: Path | None = None
    delta: Path | None = None

    def __post_init__(self) -> None:
        for option in ("recipe", "sensitivity", "allocation", "calibration", "rounding", "activation_ranges", "layout"):
            check_choice(option, getattr(self, option))
        kind = self.budget.kind
        expect(self.order in get_args(Order), "order", self.order, ", ".join(get_args(Order)))
        expect(self.activations in ("float", "int8"), "activations", self.activations, "float or int8")
        expect(self.format in get_args(Format), "format", self.format, ", ".join(get_args(Format)))
        expect(self.optimize in get_args(Optimize), "optimize", self.optimize, ", ".join(get_args(Optimize)))
        expect(self.context in (FULL, SPEECH), "context", self.context, f"{FULL} or {SPEECH}")
        expect(self.adapt in (NONE, SELF), "adapt", self.adapt, f"{NONE} or {SELF}")
        expect(is_int(self.activation_bits, 4, 8), "activation bits", self.activation_bits, "4 to 8")
        expect(is_width(self.min_bits, kind), "min bits", self.min_bits, widths(kind))
        expect(is_width(self.max_bits, kind), "max bits", self.max_bits, widths(kind))
        expect(self.min_bits <= self.max_bits, "min bits", self.min_bits, f"at most max bits ({self.max_bits})")
        if self.max_spread is not None:
            expect(is_int(self.max_spread, 0), "max spread", self.max_spread, "whole rungs, at least 0")
        expect(is_int(self.max_clips, 1), "max clips", self.max_clips, "at least 1")
        expect(is_share(self.holdout), "holdout", self.holdout, "a share of at least 0 and below 1")
        expect(is_int(self.opset, OPSETS[0], OPSETS[-1]), "opset", self.opset, f"{OPSETS[0]} to {OPSETS[-1]}")
        expect(isinstance(self.granularity, str), "granularity", self.granularity, "tensor, channel or group:N")
        conv = self.conv_granularity
        expect(conv is None or isinstance(conv, str), "conv granularity", conv, "tensor, channel or group:N")
        expect(is_int(self.seed, 0), "seed", self.seed, "0 to 2**63")
        for flag in (f.name for f in fields(self) if f.type == "bool"):
            expect(isinstance(getattr(self, flag), bool), flag, getattr(self, flag), "true or false")
        expect(self.language is None or isinstance(self.language, str), "language", self.language, "a code such as en")
        for name in _PROBABILITIES:
            value = getattr(self, name)
            expect(value is None or is_probability(value), name.replace("_", " "), value, "0 to 1")
        for name in ("cache", "dump_ir", "delta"):
            folder = getattr(self, name)
            expect(folder is None or isinstance(folder, (str, Path)), name.replace("_", " "), folder, "a folder")
            object.__setattr__(self, name, None if folder is None else Path(folder))
        check_conflicts(self)

    @property
    def roundings(self) -> frozenset[str]:
        """Every rounding method that some layer may take."""
        return frozenset({self.rounding, *(rule.rounding for rule in self.rules if rule.rounding)})

    @property
    def folders(self) -> dict[str, Path | None]:
        """What is written during the work, by option."""
        return {"cache": self.cache, "dump-ir": self.dump_ir}

    @property
    def narrowest(self) -> int:
        """Bits that every weight takes at least."""
        return narrowest(self.min_bits, self.rules)

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
                    hint=f"the names look like {', '.join(layers[:2])}; `myqasr init MODEL` lists them",
                )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``myqasr.json``: all choices that shape the files, no folder of this machine."""
        plain: dict[str, Any] = {}
        for option in fields(self):
            if option.name not in ("budget", "rules", "acceptance", "cache", "dump_ir", "delta"):
                plain[option.name] = getattr(self, option.name)
        for name, usual in _LATER.items():
            if plain[name] == usual:  # without it, a bundle is one that older releases open
                del plain[name]
        plain["budget"] = {f.name: getattr(self.budget, f.name) for f in fields(Budget)}
        plain["acceptance"] = asdict(self.acceptance)
        plain["rules"] = [
            {f.name: getattr(rule, f.name) for f in fields(LayerRule) if getattr(rule, f.name) is not None}
            for rule in self.rules
        ]
        if self.delta is not None:  # a folder of this machine, but what is in it shapes the files
            plain["delta"] = QuantizedBundle.open(self.delta).digest
        return plain
