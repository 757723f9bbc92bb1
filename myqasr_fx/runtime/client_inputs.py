"""Files with the inputs that onnx-asr feeds, behind the inputs of our own; see ``myqasr_fx.export.client_inputs``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from myqasr_fx.runtime.features import Features, waveform
from myqasr_fx.runtime.ort_runner import OrtRunner
from myqasr_fx.runtime.runtime import GraphRunner

_LENGTHS, _BRANCH = "input_lengths", "use_cache_branch"


class _Waveforms:
    """A CTC graph that takes waveforms with their lengths."""

    def __init__(self, runner: GraphRunner) -> None:
        self._runner = runner

    @property
    def inputs(self) -> frozenset[str]:
        return self._runner.inputs - {_LENGTHS}

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        samples = feeds["input_values"]
        lengths = np.full(len(samples), samples.shape[1], np.int64)
        return self._runner.run({**feeds, _LENGTHS: lengths}, outputs)


class _Branch:
    """A decoder that asks whether its cache is to be used, and uses it whatever the answer."""

    def __init__(self, runner: GraphRunner) -> None:
        self.runner = runner

    @property
    def inputs(self) -> frozenset[str]:
        return self.runner.inputs - {_BRANCH}

    def run(self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str]) -> dict[str, np.ndarray]:
        return self.runner.run({**feeds, _BRANCH: np.array([True])}, outputs)


def ctc_graph(runner: GraphRunner, features: Features) -> tuple[GraphRunner, Features]:
    """A CTC graph from ``input_values`` to ``logits``, and what makes the former of samples.

    Args:
        runner: Of a file with the inputs of any client.
        features: What the model was trained on, which the file may compute itself.
    """
    return (_Waveforms(runner), waveform) if _LENGTHS in runner.inputs else (runner, features)


def decoder_graph(runner: GraphRunner) -> GraphRunner:
    """A decoder that takes tokens, states and cache, of a file with the inputs of any client."""
    return _Branch(runner) if _BRANCH in runner.inputs else runner


def of_file(decoder: GraphRunner) -> OrtRunner | None:
    """What runs the file of a decoder, whatever the inputs of that; None for a decoder in torch."""
    runner = decoder.runner if isinstance(decoder, _Branch) else decoder
    return runner if isinstance(runner, OrtRunner) else None
