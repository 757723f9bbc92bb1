"""Compares exported files on onnxruntime with the fake-quantized graphs in torch, before a bundle is called done.

Three checks, teacher-forced on the user's clips:

1. With exact kernels the logits are those of torch to ``Limits.exact_error``. Rounded activations are left in float
   on both sides here: a difference of one float32 rounding moves some of them to the next integer, layer after layer,
   until two faithful computations differ by as much as a tenth of what the rounding itself changes. Their scales and
   zero points are compared number by number instead.
2. With rounded activations and exact kernels, the difference is smaller than what the rounding itself changes.
3. With the session options of the bundle the best token is the same at ``Limits.verified_agreement`` of the positions.
   A position is tied, and counts as the same, where torch prefers its token by less than exact kernels already differ
   from torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import onnxruntime

from myqasr_fx.bundle.records import VerificationRecord
from myqasr_fx.bundle.session_options import ACCURACY_LEVEL, PRECISE_INTEGERS
from myqasr_fx.errors import VerificationError
from myqasr_fx.export.activation_rounding import Rounding, roundings
from myqasr_fx.export.executed import ExecutedGraph, check_fused
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.process.freed_memory import give_back, trim
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.mapped_tensors import mapped_array
from myqasr_fx.runtime import GraphRunner
from myqasr_fx.runtime.torch_runner import torch_runtime
from myqasr_fx.verify.bench import Bench, Sessions
from myqasr_fx.verify.fake_quant import Reference, dequantized_late
from myqasr_fx.verify.forced_logits import Sample, enough
from myqasr_fx.verify.logits import Difference, agreement, difference

SESSION_OPTIONS: tuple[Mapping[str, str], ...] = (
    MappingProxyType({}),
    MappingProxyType({PRECISE_INTEGERS: "1"}),
    MappingProxyType({ACCURACY_LEVEL: "1"}),
    MappingProxyType({ACCURACY_LEVEL: "1", PRECISE_INTEGERS: "1"}),
)
"""Options to ship, fastest first: 8-bit activations inside the kernels, then float ones."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What held.

    Args:
        record: Errors and agreement.
        executed: File name to the operators that onnxruntime runs.
        session_options: Entries with which the agreement was reached.
        runners: Graph name to the session that reached it; of large files each is an ``Opened`` one.
    """

    record: VerificationRecord
    executed: Mapping[str, ExecutedGraph]
    session_options: Mapping[str, str]
    runners: Mapping[str, GraphRunner] = field(default_factory=dict, repr=False, compare=False)


def verify_files(
    paths: Mapping[str, Path],
    speech: SpeechModel,
    reference: Reference,
    samples: Sequence[Sample],
    fused: Mapping[str, int],
    limits: Limits,
    silence: int | None = None,
) -> Verified:
    """Checks the model files.

    Args:
        paths: Graph name to its file.
        speech: The model that they were made from, for features and prompt.
        reference: What they must compute.
        samples: Clips to compare on, as many as the limits ask for.
        fused: Graph name to the number of matrix products that must run in a low-bit kernel.
        limits: Clips and positions to compare, and what must hold.
        silence: Frames of silence that one stands for in the graphs; None: they do not count them.

    Raises:
        VerificationError: A file is no valid ONNX, does not run fused, or its logits differ too much.
    """
    give_back()
    speech.set_aside()
    for path in paths.values():
        _check_file(path)
    heard = torch_runtime(speech, dequantized_late(reference.fake_quant), silence=silence)
    used, expected = enough(heard, samples, limits)
    del heard
    bench = Bench(speech, paths, used, limits, silence)
    if bench.one_at_a_time:
        expected = [mapped_array(logits) for logits in expected]
    give_back()
    exact = difference(bench.exact(), expected)
    error, rounding_error = _check_exact(bench, exact, expected, reference)
    trim()  # what exact sessions and torch took
    sessions, shipped, share = _shipped(bench, exact, expected)
    executed = {paths[name].name: check_fused(paths[name].name, sessions.executed[name], fused[name]) for name in paths}
    record = VerificationRecord(
        clips=len(used),
        tokens=sum(len(logits) for logits in expected),
        exact_error=error,
        rounding_error=rounding_error,
        shipped_error=shipped.error,
        agreement=round(share, 6),
    )
    return Verified(record, executed, sessions.options, sessions.runners)


def _check_exact(
    bench: Bench, exact: Difference, expected: Sequence[np.ndarray], reference: Reference
) -> tuple[float, float | None]:
    """Errors with exact kernels, without and with rounded activations; None when none are rounded."""
    error, rounding_error = exact.error, None
    if reference.float_activations is not None:
        _check_roundings(bench.paths, reference.roundings)
        unrounded = list(bench.on_torch(reference.float_activations))
        effect = difference(unrounded, expected).error
        error, rounding_error = difference(bench.with_float_activations(), unrounded).error, exact.error
        if not rounding_error <= effect:
            raise VerificationError(
                f"logits with rounded activations differ from torch by {rounding_error:.2e}, more than by what the "
                f"rounding changes, {effect:.2e}",
                hint=_DEFECT,
            )
    if not error <= bench.limits.exact_error:
        raise VerificationError(
            f"logits of onnxruntime {onnxruntime.__version__} differ from torch by {error:.2e}, expected at most "
            f"{bench.limits.exact_error:.0e}",
            hint=_DEFECT,
        )
    return error, rounding_error


def _check_roundings(paths: Mapping[str, Path], expected: Mapping[str, Set[Rounding]]) -> None:
    for name, path in paths.items():
        wrong = sorted(roundings(path) ^ expected[name])
        if wrong:
            raise VerificationError(
                f"{path.name}: {len(wrong)} scales and zero points of activations are not those calibrated, first "
                f"{wrong[0]}",
                hint=_DEFECT,
            )


def _shipped(bench: Bench, exact: Difference, expected: Sequence[np.ndarray]) -> tuple[Sessions, Difference, float]:
    """Sessions of the first options that agree with torch, how far their logits are apart, and how far they agree."""
    share = 0.0
    for options in SESSION_OPTIONS:
        sessions = bench.sessions(options)
        shipped = difference(bench.heard_by(sessions.runners), expected)
        share = agreement(shipped, exact)
        if share >= bench.limits.verified_agreement:
            return sessions, shipped, share
        del sessions  # before the next are open
        trim()
    raise VerificationError(
        f"onnxruntime {onnxruntime.__version__} prefers another token than torch at {1 - share:.1%} of positions",
        hint="give a larger budget",
    )


_DEFECT = "this is a defect of the export: please report it with the options used"


def _check_file(path: Path) -> None:
    try:
        onnx.checker.check_model(path)
    except onnx.checker.ValidationError as error:
        raise VerificationError(f"{path.name} is no valid ONNX: {error}") from error
