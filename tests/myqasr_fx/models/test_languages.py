"""Languages as people write them."""

from __future__ import annotations

import pytest

from myqasr_fx.errors import ModelError
from myqasr_fx.models.languages import LANGUAGE_NAMES, find_language, language_code, usual_code

ALL = tuple(LANGUAGE_NAMES)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("de", "de"),
        ("EN", "en"),
        ("english", "en"),
        ("German", "de"),
        (" german ", "de"),
        ("en-US", "en"),
        ("zh-CN", "zh"),
        ("zh_Hans_CN", "zh"),
        ("pt-BR", "pt"),
        ("haw", "haw"),
        ("Haitian Creole", "ht"),
        ("haitian-creole", "ht"),
        ("Mandarin", "zh"),
        ("jv", "jw"),
        ("Cantonese", "yue"),
        ("nb-NO", "no"),
    ],
)
def test_codes_names_and_regions(text: str, code: str) -> None:
    assert language_code(text, ALL) == code


def test_every_name_and_code_of_whisper_is_found() -> None:
    transformers = pytest.importorskip("transformers.models.whisper.tokenization_whisper")
    assert {code: name.lower() for code, name in LANGUAGE_NAMES.items()} == transformers.LANGUAGES
    for name, code in transformers.TO_LANGUAGE_CODE.items():
        assert find_language(name, ALL) == code


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("germn", "did you mean German (de)"),
        ("Englisch", "did you mean English (en)"),
        ("portugese", "did you mean Portuguese (pt)"),
        ("klingon", "it knows 100 languages, by code or English name, such as en, zh, de"),
        ("", "it knows 100 languages"),
        ("x" * 1000, "it knows 100 languages"),
    ],
)
def test_unknown_ones_suggest_near_ones_in_a_short_line(text: str, hint: str) -> None:
    with pytest.raises(ModelError) as caught:
        language_code(text, ALL)
    assert hint in str(caught.value)
    assert len(str(caught.value)) < 200


def test_only_languages_of_the_model_count() -> None:
    assert find_language("French", ("en", "de")) is None
    with pytest.raises(ModelError, match="it knows en, de"):
        language_code("French", ("en", "de"))


def test_a_code_that_no_table_has_is_the_models_own() -> None:
    assert language_code("GSW-CH", ("en", "gsw")) == "gsw"


def test_languages_that_nobody_hears_keep_their_spelling() -> None:
    assert [usual_code(text) for text in ("English", "zh_CN", "gsw-CH", "", None)] == ["en", "zh", "gsw-CH", "", None]
