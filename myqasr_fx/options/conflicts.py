"""Options of ``quantize`` that exclude each other."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from myqasr_fx.bundle.adaptation_record import LEAST, NONE
from myqasr_fx.bundle.layout import LAYOUTS
from myqasr_fx.errors import NoSizeError, OptionError
from myqasr_fx.options.budget import Budget
from myqasr_fx.options.layer_rule import LayerRule
from myqasr_fx.options.needs import Methods, knows_trellis, needs_of, searches_scales, weighs_damage
from passes.numbers.scheme import Granularity


class Choices(Methods, Protocol):
    """The options that may contradict each other."""

    @property
    def budget(self) -> Budget:
        """Size of the result."""

    @property
    def rules(self) -> tuple[LayerRule, ...]:
        """Exceptions of single layers."""

    @property
    def optimize(self) -> str:
        """Which layers get integer kernels."""

    @property
    def granularity(self) -> str:
        """Who shares a scale."""

    @property
    def conv_granularity(self) -> str | None:
        """The same for convolutions, where it is another."""

    @property
    def format(self) -> str:
        """Of the codes of weights."""

    @property
    def sequential(self) -> bool:
        """Round layers behind the rounded ones."""

    @property
    def adapt(self) -> str:
        """Whether the model learns from the recordings first."""

    @property
    def max_clips(self) -> int:
        """Most windows to use."""

    @property
    def delta(self) -> Path | None:
        """A bundle whose codes stay."""

    @property
    def layout(self) -> str:
        """The client."""

    @property
    def private(self) -> bool:
        """Keep what was said out of the report and the cache."""

    @property
    def embed_audio(self) -> bool:
        """Put clips into the report."""


def check_conflicts(config: Choices) -> None:
    """Refuses choices that are each valid, but not together.

    Raises:
        OptionError: Naming both, and what to take instead.
        QuantizationError: A granularity cannot be parsed.
    """
    _check_size(config)
    kind = config.budget.kind
    if weighs_damage(config.allocation) and kind != "file":
        raise OptionError(
            f"allocation {config.allocation!r} with budget kind {kind!r}", hint="it weighs the bytes of files"
        )
    if config.optimize != "size" and config.activations == "int8":
        raise OptionError(
            f"optimize {config.optimize!r} with int8 activations, which have the integer kernels everywhere already",
            hint="take one of the two",
        )
    if config.activation_ranges != "single" and config.activations != "int8":
        raise OptionError(
            f"activation ranges {config.activation_ranges!r} with activations in float",
            hint="add activations=int8 and granularity=channel or tensor",
        )
    if config.private and config.embed_audio:
        raise OptionError("private and embed audio exclude each other")
    own = sorted(name for name in config.roundings if searches_scales(name))
    if own and config.calibration != "min_max" and config.granularity != "tensor":
        raise OptionError(
            f"calibration {config.calibration!r} with rounding {own[0]!r}, which searches scales itself",
            hint="take --rounding rtn, or --calibration min_max",
        )
    if config.sequential and config.calibration != "min_max":
        raise OptionError(
            f"sequential with calibration {config.calibration!r}", hint="take --parallel, or --calibration min_max"
        )
    if config.adapt != NONE and config.max_clips < LEAST:
        raise OptionError(
            f"adapt {config.adapt!r} with max clips {config.max_clips}: it needs {LEAST}, half to learn from",
            hint="raise --max-clips, or leave --adapt out",
        )
    if config.adapt != NONE and config.delta is not None:
        raise OptionError(
            f"adapt {config.adapt!r} with delta: the base has codes of a model that has not learned",
            hint="take one of the two",
        )
    _check_layout(config)
    _check_groups(config)
    _check_trellis(config)


def _check_size(config: Choices) -> None:
    given = config.budget.given
    if config.budget.uniform_bits is not None and config.allocation != "uniform":
        raise OptionError(f"uniform bits with allocation {config.allocation!r}", hint="take --allocation uniform")
    if config.allocation == "linear" and given:
        raise OptionError(
            f"{given[0]} with allocation 'linear', which spreads the widths by rank whatever that takes",
            hint="give --min-bits and --max-bits alone, or take another --allocation",
        )
    if config.allocation != "linear" and not given:
        raise NoSizeError(f"expected exactly one of {', '.join(config.budget.SIZES)}, got none")


def _check_layout(config: Choices) -> None:
    needs = needs_of(config)
    reads_whole = config.sequential or needs.roles or needs.curvature or needs.rows
    if LAYOUTS[config.layout].fixed_cache and config.adapt != NONE:
        raise OptionError(
            f"layout {config.layout!r} with adapt {config.adapt!r}: a model learns from whole transcripts, which the "
            "decoder that this client runs cannot read at once",
            hint="give --adapt none",
        )
    if LAYOUTS[config.layout].fixed_cache and reads_whole:
        raise OptionError(
            f"layout {config.layout!r} with allocation {config.allocation!r}, sensitivity {config.sensitivity!r}, "
            f"calibration {config.calibration!r} and {'sequential' if config.sequential else 'parallel'} rounding: the "
            "decoder that this client runs cannot read a whole transcript at once",
            hint="take --recipe paper-file with --rounding gptq",
        )


def _check_groups(config: Choices) -> None:
    for text in (
        config.granularity,
        config.conv_granularity or "tensor",
        *(r.granularity for r in config.rules if r.granularity),
    ):
        if Granularity.parse(str(text)).kind == "group" and config.activations == "int8":
            raise OptionError(
                f"granularity {text} with int8 activations: an integer matrix product has one scale an output "
                "channel, so the scales of groups cannot be taken out of its sum",
                hint="take --granularity channel or tensor, or --activations float",
            )


def _check_trellis(config: Choices) -> None:
    if find_spec("numba") is None:
        raise OptionError(
            "numba is not installed, which counts activations and searches trellis codes", hint="pip install numba"
        )
    if config.format != "trellis":
        return
    hint = "take --format affine, or auto"
    if config.activations == "int8":
        raise OptionError(
            "format 'trellis' with int8 activations: integer kernels read evenly spaced levels", hint=hint
        )
    if config.granularity == "tensor":
        raise OptionError("format 'trellis' with granularity tensor: a trellis has scales of its own rows", hint=hint)
    if config.calibration != "min_max":
        raise OptionError(
            f"format 'trellis' with calibration {config.calibration!r}, which searches evenly spaced levels", hint=hint
        )
    without = sorted(name for name in config.roundings if not knows_trellis(name))
    if without:
        raise OptionError(f"format 'trellis' with rounding {without[0]!r}, which knows no trellis codes", hint=hint)
