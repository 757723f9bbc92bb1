"""cached_frames: steps that read the cached keys and values of the cross-attention where they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from myqasr_fx.capture import signatures
from myqasr_fx.capture.whisper import DECODER
from myqasr_fx.export.cached_frames import read_cached
from myqasr_fx.export.files import build_model
from myqasr_fx.export.finish import declare, tidy
from myqasr_fx.export.to_onnx import to_onnx
from myqasr_fx.models.prepared import prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import OrtRunner, OrtSettings
from myqasr_fx.runtime.cross_attention import PREFIX, with_weights

MakeModel = Callable[[str], SpeechModel]
FRAMES, TOKENS = 12, 3


@pytest.fixture(scope="module")
def joining(make_speech_model: MakeModel) -> bytes:
    """A decoder that joins cached and computed frames."""
    model = make_speech_model("whisper-multilingual")
    graphs, signature = prepare(model).program.graphs, signatures(model.config)[DECODER]
    made = tidy(declare(to_onnx(graphs[DECODER], signature, opset=21), signature))
    return ir.to_proto(made).SerializeToString()


@pytest.fixture(scope="module")
def apart(joining: bytes) -> bytes:
    """The same with its products taken apart."""
    return ir.to_proto(read_cached(parsed(joining))).SerializeToString()


def parsed(content: bytes) -> ir.Model:
    return ir.from_proto(onnx.ModelProto.FromString(content))


class Decoder:
    """A decoder's results for one batch of states, whatever cache it is given."""

    def __init__(self, folder: Path, content: bytes, batch: int) -> None:
        (folder / "decoder.onnx").write_bytes(content)
        self.runner = OrtRunner(folder / "decoder.onnx", OrtSettings(threads=1))
        self.names = [name for name in self.runner.inputs if name.startswith("past_key_values")]
        self.graph = parsed(content).graph
        shape = next(value.shape for value in self.graph.inputs if value.name == "past_key_values.0.encoder.key")
        assert shape is not None
        self.empty = np.zeros((batch, int(shape[1]), 0, int(shape[3])), np.float32)
        states = next(value.shape for value in self.graph.inputs if value.name == "encoder_hidden_states")
        assert states is not None
        generator = np.random.default_rng(0)
        self.states = generator.standard_normal((batch, FRAMES, int(states[2]))).astype(np.float32)

    def step(self, tokens: list[int], cache: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        feeds = {name: cache.get(name, self.empty) for name in self.names}
        feeds["input_ids"] = np.array([tokens] * len(self.states), np.int64)
        results = self.runner.run(
            {**feeds, "encoder_hidden_states": self.states},
            ["logits", *(name.replace("past_key_values", "present") for name in self.names)],
        )
        logits = results.pop("logits")
        return logits, {name.replace("present", "past_key_values"): value for name, value in results.items()}


@pytest.mark.parametrize("batch", [1, 3])
def test_logits_are_the_same_and_nothing_is_joined(joining: bytes, apart: bytes, batch: int, tmp_path: Path) -> None:
    whole, parts = Decoder(tmp_path, joining, batch), Decoder(tmp_path, apart, batch)
    expected, cache = whole.step([1, 2, 3], {})
    found, computed = parts.step([1, 2, 3], {})
    np.testing.assert_array_equal(found, expected)
    for name, value in cache.items():
        np.testing.assert_array_equal(computed[name], value, err_msg=name)
    expected, _ = whole.step([4], cache)
    found, later = parts.step([4], cache)
    np.testing.assert_array_equal(found, expected)
    cross = [name for name in later if ".encoder." in name]
    assert cross and all(later[name].shape == (batch, *parts.empty.shape[1:]) for name in cross)
    assert all(later[name].shape[2] == TOKENS + 1 for name in later if name not in cross)
    joined = [[value.name for value in node.inputs if value] for node in parts.graph if node.op_type == "Concat"]
    assert not [names for names in joined if any(".encoder." in (name or "") for name in names)]


def test_a_client_that_hands_back_what_it_gets_is_heard_as_before(joining: bytes, apart: bytes, tmp_path: Path) -> None:
    whole, parts = Decoder(tmp_path, joining, 2), Decoder(tmp_path, apart, 2)
    _, cache = whole.step([1, 2, 3], {})
    _, own = parts.step([1, 2, 3], {})
    for token in (4, 5, 6):
        expected, cache = whole.step([token], cache)
        found, own = parts.step([token], own)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("silence", [None, 4])
def test_files_are_written_so(make_speech_model: MakeModel, silence: int | None) -> None:
    model = make_speech_model("whisper-multilingual")
    graphs, signature = (
        prepare(model, silence=silence).program.graphs,
        signatures(model.config, silence=silence)[DECODER],
    )
    written = build_model(graphs[DECODER], signature, 21, frozenset())
    assert Counter(node.op_type for node in written.graph)["Split"] == 1


def test_twice_is_once(apart: bytes) -> None:
    assert ir.to_proto(read_cached(parsed(apart))).SerializeToString() == apart


@pytest.mark.parametrize("kind", ["a second reader", "a rounding between"])
def test_what_others_read_too_stays_joined(joining: bytes, kind: str) -> None:
    model = parsed(joining)
    keys = next(value for value in model.graph.outputs if value.name == "present.0.encoder.key")
    (use,) = keys.uses()
    other = ir.node("Identity", [keys])
    model.graph.insert_before(use.node, other)
    if kind == "a rounding between":
        use.node.replace_input_with(use.idx, other.outputs[0])
    read_cached(model)
    assert keys.producer() is not None and keys.producer().op_type == "Concat"  # type: ignore[union-attr]
    assert keys in model.graph.outputs
    values = next(value for value in model.graph.outputs if value.name == "present.0.encoder.value")
    assert values.producer().op_type != "Concat"  # type: ignore[union-attr]


def test_its_weights_are_found(joining: bytes, apart: bytes, tmp_path: Path) -> None:
    path, found = tmp_path / "decoder.onnx", []
    for content in (joining, apart):
        path.write_bytes(content)
        listening = with_weights(path)
        assert listening is not None
        decoder = Decoder(tmp_path, listening, 1)
        feeds = dict.fromkeys(decoder.names, decoder.empty)
        feeds |= {"input_ids": np.array([[1, 2, 3]]), "encoder_hidden_states": decoder.states}
        found.append(decoder.runner.run(feeds, [f"{PREFIX}0"])[f"{PREFIX}0"])
    assert found[0].shape[-2:] == (TOKENS, FRAMES)
    np.testing.assert_array_equal(found[1], found[0])
