"""Keys by which transformers would load code, kernels or other files are refused or without effect."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from myqasr_fx.models.load import load_model

Save = Callable[..., Path]
Change = Callable[..., None]
Refusal = Callable[[Path], str]


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
def test_code_beside_the_model_is_refused(save_model: Save, change_json: Change, refusal: Refusal, name: str) -> None:
    folder = save_model(name)
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    change_json(folder / "config.json", auto_map={"AutoConfig": "evil.Config", "AutoModelForCTC": "evil.Model"})
    assert "auto_map is an object of 2 keys, expected no code" in refusal(folder)
    assert "evil" not in sys.modules


@pytest.mark.parametrize("method", ["bitsandbytes", "gptq", "nothing"])
def test_quantized_weights_are_refused(save_model: Save, change_json: Change, refusal: Refusal, method: str) -> None:
    folder = save_model("smallest")
    change_json(folder / "config.json", quantization_config={"quant_method": method, "load_in_8bit": True})
    assert "quantization_config is an object of 2 keys, expected full-precision weights" in refusal(folder)


@pytest.mark.parametrize(
    "keys",
    [
        {"_attn_implementation": "kernels-community/flash-attn"},
        {"attn_implementation": "someone/kernel@main:attention"},
        {"_attn_implementation_internal": "flash_attention_3"},
        {"_experts_implementation": "someone/kernel"},
        {"kernel_config": {"Linear": "someone/kernel:Linear"}, "use_kernels": True},
        {"fusion_config": {"patch_embeddings": True}},
        {"output_attentions": True, "torchscript": True},
        {"attribute_map": {"d_model": "vocab_size"}, "base_model_tp_plan": {}, "sub_configs": {"a": {}}},
        {"num_labels": 1_000_000_000},
        {"per_layer_config": [{}] * 100},
        {"chunk_size_feed_forward": 7},
    ],
    ids=lambda keys: next(iter(keys)),
)
@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
def test_other_keys_change_nothing(save_model: Save, change_json: Change, name: str, keys: dict[str, object]) -> None:
    folder = save_model(name)
    expected = load_model(str(folder))
    change_json(folder / "config.json", **keys)
    model = load_model(str(folder))
    assert model.fingerprint == expected.fingerprint
    assert model.config.to_dict() == expected.config.to_dict()
    assert model.config._attn_implementation == expected.config._attn_implementation


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
def test_a_tokenizer_opens_no_other_files(save_model: Save, change_json: Change, tmp_path: Path, name: str) -> None:
    folder = save_model(name)
    expected = load_model(str(folder)).tokenizer
    secret = tmp_path / "secret.json"
    secret.write_text('{"a": 0}')
    files = ("vocab_file", "tokenizer_file", "merges_file", "normalizer_file", "special_tokens_map_file")
    change_json(
        folder / "tokenizer_config.json",
        **dict.fromkeys(files, str(secret)),
        auto_map={"AutoTokenizer": ["evil.Tokenizer", None]},
        name_or_path="/home/someone/model",
        chat_template="{{ evil }}",
    )
    model = load_model(str(folder))
    assert type(model.tokenizer) is type(expected)
    assert model.tokenizer.get_vocab() == expected.get_vocab()
    model.save_configs(tmp_path / "saved")
    for path in (tmp_path / "saved").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "secret" not in text and "someone" not in text and "evil" not in text, path.name
