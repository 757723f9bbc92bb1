"""Nodes in front of a graph, for what a client feeds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
import onnxruntime
import pytest

from myqasr_fx.export.client_inputs import normalize_waveforms, take_waveforms

RATE = 16_000


def of_waveforms() -> ir.Model:
    """A graph whose logits are its samples, one row a clip."""
    return ir.from_onnx_text(
        """<ir_version: 10, opset_import: ["" : 21]>
        model (float[batch_size, num_samples] input_values) => (float[batch_size, num_samples] logits)
        { logits = Identity(input_values) }"""
    )


def run(model: ir.Model, samples: npt.NDArray[np.float32], lengths: list[int]) -> list[npt.NDArray[np.float32]]:
    proto = ir.to_proto(model)
    onnx.checker.check_model(proto, full_check=True)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    results: list[npt.NDArray[np.float32]] = session.run(
        ["logits", "logprobs"], {"input_values": samples, "input_lengths": np.array(lengths)}
    )
    return results


@pytest.fixture
def samples() -> npt.NDArray[np.float32]:
    """A quiet clip beside zero, and one that is shorter than its row."""
    random = np.random.default_rng(0)
    clips = random.normal(0.2, 0.001, RATE), np.r_[random.normal(0, 0.1, RATE - 4000), np.full(4000, 9.0)]
    return np.stack(clips).astype(np.float32)


def test_clips_of_two_lengths_are_normalized_each_alone(samples: npt.NDArray[np.float32]) -> None:
    model = of_waveforms()
    normalize_waveforms(model)
    heard, _ = run(model, samples, [RATE, RATE - 4000])
    for row, clip in zip(heard, (samples[0], samples[1, :-4000]), strict=True):
        expected = (clip - clip.mean()) / np.sqrt(clip.var() + 1e-7)
        np.testing.assert_allclose(row[: len(clip)], expected, atol=1e-3)
        assert not row[len(clip) :].any()


def test_silence_stays_silence() -> None:
    model = of_waveforms()
    normalize_waveforms(model)
    heard, _ = run(model, np.zeros((1, RATE), np.float32), [RATE])
    assert not heard.any()


def test_scores_sum_to_one_and_samples_stay_as_they_are(samples: npt.NDArray[np.float32]) -> None:
    model = of_waveforms()
    take_waveforms(model)
    logits, scores = run(model, samples, [RATE, RATE])
    np.testing.assert_array_equal(logits, samples)
    np.testing.assert_allclose(np.exp(scores.astype(np.float64)).sum(-1), 1.0, rtol=1e-4)
