"""The stages of the road, as options choose them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from myqasr_fx.bundle.adaptation_record import SELF
from myqasr_fx.capture.canonical import CANONICALIZING
from myqasr_fx.measure.clip_shares import ClipShares
from myqasr_fx.measure.measure import steps
from myqasr_fx.measure.observe import observers
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.needs import decided_by_recordings, needs_of, weighs_damage
from myqasr_fx.process.stage import Stage
from myqasr_fx.verify.fake_quant import LOWERING
from passes.allocation.allocate_bits import AllocateBits
from passes.base import Pass
from passes.calibration.calibrate import Calibrate
from passes.canonical.replace_parameters import ReplaceParameters
from passes.lowering.lower_qdq import LowerToQDQ
from passes.rounding.correct_biases import CorrectBiases
from passes.rounding.restore_layers import RestoreLayers
from passes.rounding.round_floats import RoundFloats
from passes.rounding.round_weights import RoundWeights
from passes.sensitivity.rank_sensitivity import RankSensitivity

_LEARNING = (
    Stage("adapt", "learn from half of the clips, at most 16; as many others decide", (ReplaceParameters.__name__,)),
)


def stages(config: QuantizeConfig, shares: ClipShares | None = None) -> tuple[Stage, ...]:
    """The road that options take: every stage with its passes in order, and which clips it reads.

    Args:
        config: Resolved options.
        shares: Of the clips at hand, to tell their numbers.
    """
    needs, told = needs_of(config), dict(shares.told()) if shares else {}
    hear = [Stage(name, does, clips=share) for name, does, share in steps(needs)]
    hear[0] = replace(hear[0], passes=_own_names(observers(needs)))
    found = (
        Stage("prepare", f"capture the graphs for {config.layout}", _own_names(CANONICALIZING)),
        *(_LEARNING if config.adapt == SELF else ()),
        *hear,
        *_fitting(config),
        Stage("verify", "files on onnxruntime beside fake quantization in torch", _own_names(LOWERING), "observe"),
        Stage("judge", "files beside full precision, without labels", clips="judge"),
    )
    return tuple(replace(s, clips=f"{s.clips}: {told[s.clips]}") if s.clips in told else s for s in found)


def _fitting(config: QuantizeConfig) -> tuple[Stage, ...]:
    """From prices to files; those from allocate on are repeated until the files meet a budget of bytes."""
    if config.delta is not None:
        return _to_base(config)
    damage = "; expected damage of every width and group" if weighs_damage(config.allocation) else ""
    codes: tuple[type[Pass], ...] = (RoundWeights, CorrectBiases) if config.sequential else (RoundWeights,)
    behind = " behind the layers rounded already" if config.sequential else ""
    return (
        Stage("price", f"rank layers by {config.sensitivity}{damage}", _names(RankSensitivity, RoundFloats)),
        Stage("allocate", f"widths by {config.allocation}", _names(AllocateBits)),
        Stage(
            "round",
            f"scales by {config.calibration}, codes by {config.rounding}{behind}",
            _names(Calibrate, *codes),
            "sequence" if config.sequential else None,
        ),
        Stage("lower", "to the operators of files", _names(LowerToQDQ)),
        Stage("write", f"ONNX files, opset {config.opset}, for {config.layout}"),
    )


def decided_by_clips(config: QuantizeConfig) -> tuple[str, ...]:
    """What of the files other recordings would change."""
    return ("scales", "biases") if config.delta else decided_by_recordings(config, config.sequential)


def _to_base(config: QuantizeConfig) -> tuple[Stage, ...]:
    """From a base's codes to files."""
    return (
        Stage("restore", "widths, codes and scales of the base", _names(RestoreLayers)),
        Stage("fit to the base", "scales and biases behind the layers fitted already", clips="sequence"),
        Stage("compare with the base", "divergence from full precision", clips="probe"),
        Stage("write", f"the base's ONNX files for {config.layout} with other scales and biases"),
    )


def _names(*passes: type[Pass]) -> tuple[str, ...]:
    return tuple(step.__name__ for step in passes)


def _own_names(passes: Iterable[Pass]) -> tuple[str, ...]:
    return tuple(step.name for step in passes)
