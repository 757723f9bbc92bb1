import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from myqasr_fx.errors import ModelError
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel

Writer = Callable[..., bytes]
Variables = Callable[[str], dict[str, np.ndarray]]


def rewrite(folder: Path, ct2_bytes: Writer, variables: dict[str, np.ndarray], **header: object) -> None:
    (folder / "model.bin").write_bytes(ct2_bytes(variables, **header))


def test_float32_is_the_same_network(ct2_folder: Path, tiny_whisper: SpeechModel) -> None:
    model = load_model(str(ct2_folder))
    expected = tiny_whisper.network.state_dict()
    assert model.network.state_dict().keys() == expected.keys()
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(tensor, expected[name]), name
    sizes = ("vocab_size", "d_model", "encoder_layers", "decoder_attention_heads", "decoder_ffn_dim", "num_mel_bins")
    assert [getattr(model.config, size) for size in sizes] == [getattr(tiny_whisper.config, size) for size in sizes]
    assert model.name == "ct2"
    assert model.family.name == "whisper"


def test_the_network_is_ready_to_run(ct2_folder: Path, tiny_whisper: SpeechModel) -> None:
    network = load_model(str(ct2_folder)).network
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert network.proj_out.weight is network.model.decoder.embed_tokens.weight
    features = torch.from_numpy(tiny_whisper.features(np.sin(np.arange(16_000, dtype=np.float32))))
    tokens = torch.tensor([[257, 266]])
    logits = network(input_features=features, decoder_input_ids=tokens).logits
    assert torch.equal(logits, tiny_whisper.network(input_features=features, decoder_input_ids=tokens).logits)


def test_float16_is_read_as_float32(
    ct2_folder: Path, tiny_whisper: SpeechModel, ct2_bytes: Writer, ct2_variables: Variables
) -> None:
    rewrite(ct2_folder, ct2_bytes, ct2_variables("float16"))
    network = load_model(str(ct2_folder)).network
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, tiny_whisper.network.state_dict()[name].half().float()), name


def test_settings_come_from_config_and_tokenizer(ct2_folder: Path) -> None:
    generation = load_model(str(ct2_folder)).generation
    assert generation is not None
    assert generation.suppress_tokens == (1, 2)
    assert generation.begin_suppress_tokens == (5, 256)
    assert generation.alignment_heads == ((0, 1),)
    assert not generation.is_multilingual
    assert generation.prompt() == (257, 266)
    assert generation.max_length == 32


def test_integer_weights_are_refused(ct2_folder: Path, ct2_bytes: Writer, ct2_variables: Variables) -> None:
    variables = ct2_variables("float32")
    variables["encoder/layer_0/ffn/linear_0/weight"] = np.ones((128, 64), np.int8)
    rewrite(ct2_folder, ct2_bytes, variables)
    with pytest.raises(ModelError, match=r"is int8, expected float16 or float32.*without integer quantization"):
        load_model(str(ct2_folder))


def test_other_models_are_refused(ct2_folder: Path, ct2_bytes: Writer, ct2_variables: Variables) -> None:
    rewrite(ct2_folder, ct2_bytes, ct2_variables("float32"), spec="TransformerSpec")
    with pytest.raises(ModelError, match="'TransformerSpec', expected a Whisper model"):
        load_model(str(ct2_folder))


@pytest.mark.parametrize("name", ["encoder/conv1/weight", "decoder/num_heads", "decoder/layer_1/ffn/linear_1/bias"])
def test_missing_variable_is_named(ct2_folder: Path, ct2_bytes: Writer, ct2_variables: Variables, name: str) -> None:
    variables = ct2_variables("float32")
    del variables[name]
    rewrite(ct2_folder, ct2_bytes, variables)
    with pytest.raises(ModelError, match=name):
        load_model(str(ct2_folder))


def test_variable_without_a_place_is_named(ct2_folder: Path, ct2_bytes: Writer, ct2_variables: Variables) -> None:
    untied = {"decoder/projection/weight": np.zeros((288, 64), np.float32)}
    rewrite(ct2_folder, ct2_bytes, ct2_variables("float32") | untied)
    with pytest.raises(ModelError, match="'decoder/projection/weight' has no place"):
        load_model(str(ct2_folder))


def test_wrong_shape_is_an_error(ct2_folder: Path, ct2_bytes: Writer, ct2_variables: Variables) -> None:
    rewrite(ct2_folder, ct2_bytes, ct2_variables("float32") | {"encoder/conv2/bias": np.zeros(63, np.float32)})
    with pytest.raises(ModelError, match=r"conv2\.bias"):
        load_model(str(ct2_folder))


@pytest.mark.parametrize("file", ["tokenizer.json", "config.json"])
@pytest.mark.parametrize("content", [None, "", "{"])
def test_missing_or_damaged_json_is_an_error(ct2_folder: Path, file: str, content: str | None) -> None:
    (ct2_folder / file).unlink()
    if content is not None:
        (ct2_folder / file).write_text(content)
    with pytest.raises(ModelError, match=r"needs config\.json and the tokenizer\.json"):
        load_model(str(ct2_folder))


def test_tokenizer_of_another_model_is_an_error(ct2_folder: Path) -> None:
    content = json.loads((ct2_folder / "tokenizer.json").read_text())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] != "<|notimestamps|>"]
    (ct2_folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"no token <\|notimestamps\|>"):
        load_model(str(ct2_folder))


def test_tokenizer_with_more_tokens_than_the_model_is_an_error(
    ct2_folder: Path, ct2_bytes: Writer, ct2_variables: Variables
) -> None:
    variables = ct2_variables("float32")
    variables["decoder/embeddings/weight"] = variables["decoder/embeddings/weight"][:266]
    rewrite(ct2_folder, ct2_bytes, variables)
    with pytest.raises(ModelError, match="tokenizer has token 266, the model only 266 tokens"):
        load_model(str(ct2_folder))


@pytest.mark.parametrize("shape", [(), (64,), (0, 64), (2, 3, 4, 5)])
@pytest.mark.parametrize(
    "name",
    [
        "decoder/embeddings/weight",
        "encoder/conv1/weight",
        "encoder/position_encodings/encodings",
        "decoder/position_encodings/encodings",
        "encoder/layer_0/ffn/linear_0/weight",
        "encoder/layer_0/self_attention/linear_0/weight",
        "decoder/layer_1/attention/linear_1/bias",
        "decoder/layer_norm/gamma",
    ],
)
def test_variables_of_another_rank_are_refused(
    ct2_folder: Path,
    ct2_bytes: Writer,
    ct2_variables: Variables,
    refusal: Callable[[Path], str],
    name: str,
    shape: tuple[int, ...],
) -> None:
    if name.endswith(("bias", "gamma")) and shape == (64,):
        shape = (63,)
    rewrite(ct2_folder, ct2_bytes, ct2_variables("float32") | {name: np.zeros(shape, np.float32)})
    assert str(ct2_folder) in refusal(ct2_folder)


@pytest.mark.parametrize("heads", [0, -1, 7, 30_000])
@pytest.mark.parametrize("side", ["encoder", "decoder"])
def test_heads_that_do_not_divide_the_width_are_refused(
    ct2_folder: Path,
    ct2_bytes: Writer,
    ct2_variables: Variables,
    refusal: Callable[[Path], str],
    side: str,
    heads: int,
) -> None:
    rewrite(ct2_folder, ct2_bytes, ct2_variables("float32") | {f"{side}/num_heads": np.array(heads, np.int16)})
    assert f"{side}_attention_heads is {heads}, expected a whole number that divides" in refusal(ct2_folder)


@pytest.mark.parametrize("heads", [np.array(2.5, np.float32), np.array([2], np.int16), np.array(np.inf, np.float32)])
def test_heads_that_are_no_number_are_refused(
    ct2_folder: Path,
    ct2_bytes: Writer,
    ct2_variables: Variables,
    refusal: Callable[[Path], str],
    heads: np.ndarray,
) -> None:
    rewrite(ct2_folder, ct2_bytes, ct2_variables("float32") | {"encoder/num_heads": heads})
    assert "'encoder/num_heads' is no single whole number" in refusal(ct2_folder)


@pytest.mark.parametrize("number", ["2", "100000", "999999999", "9" * 5_000])
def test_names_of_layers_far_away_are_refused(
    ct2_folder: Path,
    ct2_bytes: Writer,
    ct2_variables: Variables,
    refusal: Callable[[Path], str],
    number: str,
) -> None:
    far = {f"encoder/layer_{number}/ffn/linear_0/weight": np.zeros((128, 64), np.float32)}
    rewrite(ct2_folder, ct2_bytes, ct2_variables("float32") | far)
    assert "variable" in refusal(ct2_folder)


@pytest.mark.parametrize(
    "change",
    [
        {"suppress_ids": "1,2"},
        {"suppress_ids": ["1"]},
        {"suppress_ids": [10**9]},
        {"suppress_ids": [1e30]},
        {"suppress_ids_begin": "220"},
        {"suppress_ids_begin": [288]},
        {"alignment_heads": [0, 1]},
        {"alignment_heads": [[0, 1, 2]]},
        {"alignment_heads": [[0, float("nan")]]},
        {"alignment_heads": 7},
    ],
    ids=str,
)
def test_lists_of_anything_but_ids_are_refused(
    ct2_folder: Path, change_json: Callable[..., None], refusal: Callable[[Path], str], change: dict[str, object]
) -> None:
    change_json(ct2_folder / "config.json", **change)
    assert "expected" in refusal(ct2_folder)


def test_mel_bins_that_no_model_has_are_refused(
    ct2_folder: Path, ct2_bytes: Writer, ct2_variables: Variables, refusal: Callable[[Path], str]
) -> None:
    many = {"encoder/conv1/weight": np.zeros((64, 5_000, 3), np.float32)}
    rewrite(ct2_folder, ct2_bytes, ct2_variables("float32") | many)
    assert "num_mel_bins is 5000, expected a whole number from 8 to 201" in refusal(ct2_folder)
