"""A Wav2Vec2 with an adapter, a head and a vocabulary for each language (MMS): the right ones, or an error."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

import myqasr_fx
from myqasr_fx.cli.app import main
from myqasr_fx.errors import ModelError
from myqasr_fx.models.load import load_model
from myqasr_fx.runtime.torch_runner import torch_runtime

Save = Callable[..., Path]
Change = Callable[..., None]

LETTERS = {"eng": "ABCDEFGHIJ", "fra": "ÀBCDÉFGHIJKLMNOPQRSTUVWXYZ", "azj-script_latin": "AƏ"}
SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", "|")


@pytest.fixture
def mms(save_model: Save) -> Path:
    """A folder as MMS has it; ``model.safetensors`` holds the English adapter and head."""
    folder = save_model("smallest")
    sizes = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "adapter_attn_dim": 8}
    for language, letters in reversed(LETTERS.items()):
        torch.manual_seed(len(letters))
        config = Wav2Vec2Config.from_pretrained(folder, **sizes, vocab_size=len(SPECIAL) + len(letters))
        network = Wav2Vec2ForCTC(config)
        own = {name: torch.randn(parameter.shape) for name, parameter in network._get_adapters().items()}
        save_file(own, folder / f"adapter.{language}.safetensors")
    torch.manual_seed(0)
    network = Wav2Vec2ForCTC(config)
    network.load_state_dict(network.state_dict() | own)
    network.save_pretrained(folder)
    vocabulary = {lang: {t: i for i, t in enumerate((*SPECIAL, *letters))} for lang, letters in LETTERS.items()}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"target_lang": "eng"}), encoding="utf-8")
    return folder


def refused(folder: Path, language: str | None) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(str(folder), language)
    text = str(caught.value)
    assert len(text) < 300 and text.isprintable()
    return text


@pytest.mark.parametrize("asked", ["eng", "fra", "azj-script_latin", "FRA"])
def test_adapter_head_and_vocabulary_are_those_of_the_language(mms: Path, asked: str) -> None:
    language = asked.lower()
    model = load_model(str(mms), asked)
    assert model.language == language
    assert model.config.vocab_size == len(SPECIAL) + len(LETTERS[language])
    assert set(LETTERS[language]) < set(model.tokenizer.get_vocab())
    expected = Wav2Vec2ForCTC.from_pretrained(mms, target_lang=language, ignore_mismatched_sizes=True).eval()
    samples = torch.from_numpy(model.features(np.sin(np.arange(16_000, dtype=np.float32))))
    with torch.no_grad():
        assert torch.equal(model.network(samples).logits, expected(samples).logits)


def test_languages_are_different_models(mms: Path) -> None:
    found = [load_model(str(mms), language) for language in LETTERS]
    assert len({model.fingerprint for model in found}) == len(LETTERS)
    samples = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    texts = {torch_runtime(model, model.capture()).transcribe(samples).text for model in found}
    assert len(texts) == len(LETTERS)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (None, "3 languages, expected one to be asked for (give --language, such as azj-script_latin, eng, fra)"),
        ("fre", "has no adapter of language 'fre' (did you mean fra?)"),
        ("azj", "has no adapter of language 'azj' (it knows 3 languages by code, such as azj-script_latin, eng, fra)"),
        ("x" * 1000, "it knows 3 languages by code"),
        ("../fra", "has no adapter of language '../fra'"),
    ],
)
def test_other_languages_are_an_error_that_names_near_ones(mms: Path, language: str | None, expected: str) -> None:
    assert expected in refused(mms, language)


def test_an_adapter_without_a_vocabulary_is_refused(mms: Path, change_json: Change) -> None:
    change_json(mms / "vocab.json", fra=...)
    assert "vocab.json: has no vocabulary of language 'fra', whose adapter is there" in refused(mms, "fra")
    (mms / "vocab.json").write_text(json.dumps({"A": 0, "B": 1}))
    assert "has no vocabulary of language 'fra'" in refused(mms, "fra")


def test_the_vocabulary_of_another_language_is_refused(mms: Path, change_json: Change) -> None:
    vocabulary = json.loads((mms / "vocab.json").read_text(encoding="utf-8"))
    change_json(mms / "vocab.json", eng=vocabulary["fra"])
    assert "the highest id is 30, expected one below the network's vocab_size, 15" in refused(mms, "eng")


def test_only_what_is_a_languages_own_is_taken_from_its_file(mms: Path) -> None:
    path = mms / "adapter.fra.safetensors"
    own = load_file(path)
    save_file({**own, "wav2vec2.encoder.layer_norm.weight": torch.zeros(64)}, path)
    assert "tensor 'wav2vec2.encoder.layer_norm.weight' belongs to no adapter" in refused(mms, "fra")
    short = {name: tensor for name, tensor in own.items() if "linear_2.bias" not in name}
    save_file(short, path)
    assert "1 tensors of the adapter are missing" in refused(mms, "fra")
    save_file({**own, "lm_head.bias": torch.zeros(3)}, path)
    assert "tensor 'lm_head.bias' has shape [3], expected [31]" in refused(mms, "fra")
    save_file({**own, "lm_head.weight": torch.zeros(())}, path)
    assert "lm_head.weight" in refused(mms, "fra")
    path.write_bytes(b"x")
    assert "adapter.fra.safetensors: the weights cannot be read" in refused(mms, "fra")
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert "links to another place" in refused(mms, "fra")


def test_adapters_for_a_network_without_room_for_them_are_refused(mms: Path, change_json: Change) -> None:
    change_json(mms / "config.json", adapter_attn_dim=None)
    assert "adapter" in refused(mms, "fra")


def test_from_the_folder_to_text(mms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", noise, 16_000)
    words = ["quantize", str(mms), str(tmp_path / "noise.wav"), "--uniform-bits", "8", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        main([*words, "--language", "FRA", "--json", "--max-kl", "100", "--min-agreement", "0", "--max-deletions", "9"])
    made = json.loads(capsys.readouterr().out)
    assert stop.value.code in (0, 3)
    assert made["config"]["language"] == "fra"
    assert any("adapter_layer" in layer["name"] for layer in made["layers"])
    said = myqasr_fx.load(tmp_path / "out").transcribe(tmp_path / "noise.wav")
    full = load_model(str(mms), "fra")
    assert said.text
    assert set(said.text) <= {" ", *LETTERS["fra"]}
    assert full.fingerprint == made["fingerprint"]


def test_a_loaded_model_is_told_no_other_language(mms: Path) -> None:
    model = load_model(str(mms), "fra")
    assert (model.language_code(None), model.language_code("FRA"), model.told("fra")) == ("fra", "fra", None)
    with pytest.raises(ModelError, match="cannot be told language 'eng'"):
        model.language_code("eng")
    plain = replace(model, language=None)
    with pytest.raises(ModelError, match="cannot be told language 'fra'"):
        plain.language_code("fra")


def test_one_adapter_is_asked_for_too(mms: Path) -> None:
    for language in ("eng", "azj-script_latin"):
        (mms / f"adapter.{language}.safetensors").unlink()
    shutil.copyfile(mms / "adapter.fra.safetensors", mms / "adapter.fra.bin")  # a pickle beside it is not looked at
    assert "has adapters of 1 language, expected one to be asked for (give --language, such as fra)" in refused(mms, "")
    assert load_model(str(mms), "fra").language == "fra"
