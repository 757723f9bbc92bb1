"""The files and the clips to compare on: what runs them, in torch and on onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from myqasr_fx.bundle.temporary_folder import temporary_folder
from myqasr_fx.errors import BundleError, VerificationError
from myqasr_fx.export.activation_rounding import write_without_roundings
from myqasr_fx.export.executed import ExecutedGraph, check_room, read_executed
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.onnx_session import stored_bytes
from myqasr_fx.runtime import GraphRunner, OrtSettings
from myqasr_fx.runtime.opened import Opened
from myqasr_fx.runtime.ort_runner import OrtRunner, largest_first
from myqasr_fx.runtime.torch_runner import runtime_of, torch_runtime
from myqasr_fx.verify.fake_quant import dequantized_late
from myqasr_fx.verify.forced_logits import Sample, forced_logits
from passes.base import Program

EXACT = OrtSettings(optimize=False)
"""Every operator as the file has it, in float32."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions with the options of a bundle, and what they really run, by the name of the graph.

    Args:
        options: Entries that the runtime sets.
        runners: Graph name to its session.
        executed: Graph name to the operators that onnxruntime runs.
    """

    options: Mapping[str, str]
    runners: Mapping[str, GraphRunner]
    executed: Mapping[str, ExecutedGraph]


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """The files and the clips; logits are (L, vocabulary) float32, a clip each.

    Args:
        speech: The model that the files were made from.
        paths: Graph name to its file.
        samples: Clips.
        limits: Bounds of the work.
        silence: Frames of silence that one stands for in the graphs; None: they do not count them.
    """

    speech: SpeechModel
    paths: Mapping[str, Path]
    samples: Sequence[Sample]
    limits: Limits
    silence: int | None

    @property
    def one_at_a_time(self) -> bool:
        """The files are so large that no two graphs are open at once, and what a run took is handed back."""
        return sum(map(stored_bytes, self.paths.values())) > self.limits.unfolded_bytes

    def on_torch(self, program: Program) -> Iterator[np.ndarray]:
        """Logits of fake-quantized graphs."""
        return forced_logits(torch_runtime(self.speech, dequantized_late(program), silence=self.silence), self.samples)

    def exact(self) -> Iterator[np.ndarray]:
        """Logits of the files with exact kernels."""
        settings = replace(EXACT, unfolds=not self.one_at_a_time)
        opened = {n: Opened(partial(OrtRunner, path, settings), _inputs(path)) for n, path in self.paths.items()}
        return self.heard_by(opened)

    def heard_by(self, runners: Mapping[str, GraphRunner]) -> Iterator[np.ndarray]:
        """Logits of sessions."""
        return forced_logits(runtime_of(self.speech, runners, model_bytes=0, silence=self.silence), self.samples)

    def sessions(self, options: Mapping[str, str]) -> Sessions:
        """Opened once for both: to be heard, and to read back what they run."""
        executed: dict[str, ExecutedGraph] = {}
        opens = {name: partial(self._opened, options, executed, name) for name, _ in largest_first(self.paths)}
        if self.one_at_a_time:
            opened = {name: Opened(each, _inputs(self.paths[name])) for name, each in opens.items()}
            return Sessions(options, opened, executed)
        return Sessions(options, {name: each() for name, each in opens.items()}, executed)

    def _opened(self, options: Mapping[str, str], executed: dict[str, ExecutedGraph], name: str) -> OrtRunner:
        """A session; what it runs goes to ``executed``, which a second opening need not read back."""
        path, settings = self.paths[name], OrtSettings(entries=options, arena=not self.one_at_a_time)
        if name in executed:
            return OrtRunner(path, settings)
        with temporary_folder() as folder:
            try:
                runner = OrtRunner(path, settings.written_to(folder / path.name))
            except BundleError as error:
                check_room(folder, path, error)
                raise VerificationError(error.message, hint=error.hint) from error
            executed[name] = read_executed(folder / path.name)
        return runner

    def with_float_activations(self) -> Iterator[np.ndarray]:
        """Logits of the files with exact kernels, no input rounded."""
        written = {name: write_without_roundings(path) for name, path in self.paths.items()}
        try:
            yield from replace(self, paths=written).exact()
        finally:
            for path in written.values():
                path.unlink()


def _inputs(path: Path) -> frozenset[str]:
    return frozenset(value.name for value in onnx.load(path, load_external_data=False).graph.input)
