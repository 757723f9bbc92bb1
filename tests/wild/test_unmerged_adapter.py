"""A folder with an adapter beside or instead of the weights: stop, and say what to do."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Save = Callable[..., Path]
Refusal = Callable[[Path], str]


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"])
@pytest.mark.parametrize("alone", [False, True], ids=["beside", "instead"])
def test_an_adapter_is_not_ignored(save_model: Save, refusal: Refusal, name: str, alone: bool) -> None:
    folder = save_model("whisper-smallest")
    shutil.copyfile(folder / "model.safetensors", folder / name)
    if alone:
        (folder / "model.safetensors").unlink()
    text = refusal(folder)
    assert f"{name}: an adapter that is not merged, expected a whole model" in text
    assert "PeftModel.from_pretrained(BASE, DIR).merge_and_unload().save_pretrained(OUT)" in text
    assert len(text) < 300


@pytest.mark.parametrize(
    ("model", "name"), [("whisper-smallest", "adapter.fra.safetensors"), ("smallest", "adapter.fra.bin")]
)
def test_the_adapter_of_a_language_is_not_ignored(save_model: Save, refusal: Refusal, model: str, name: str) -> None:
    folder = save_model(model)
    shutil.copyfile(folder / "model.safetensors", folder / name)
    text = refusal(folder)
    assert f"{name}: the adapter of one language" in text and "load_adapter" in text


def test_a_vocabulary_of_several_languages_is_refused(save_model: Save, refusal: Refusal) -> None:
    folder = save_model("smallest")
    vocabulary = (folder / "vocab.json").read_text()
    (folder / "vocab.json").write_text(f'{{"eng": {vocabulary}, "fra": {vocabulary}}}')
    text = refusal(folder)
    assert "vocabularies of several languages" in text and "set_target_lang" in text
