"""Languages as people write them: ``de``, ``DE``, ``German``, ``de-AT``; and the code that a model knows them by."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from types import MappingProxyType

from myqasr_fx.errors import ModelError

_TABLE = """
en English; zh Chinese; de German; es Spanish; ru Russian; ko Korean; fr French; ja Japanese; pt Portuguese; tr Turkish;
pl Polish; ca Catalan; nl Dutch; ar Arabic; sv Swedish; it Italian; id Indonesian; hi Hindi; fi Finnish; vi Vietnamese;
he Hebrew; uk Ukrainian; el Greek; ms Malay; cs Czech; ro Romanian; da Danish; hu Hungarian; ta Tamil; no Norwegian;
th Thai; ur Urdu; hr Croatian; bg Bulgarian; lt Lithuanian; la Latin; mi Maori; ml Malayalam; cy Welsh; sk Slovak;
te Telugu; fa Persian; lv Latvian; bn Bengali; sr Serbian; az Azerbaijani; sl Slovenian; kn Kannada; et Estonian;
mk Macedonian; br Breton; eu Basque; is Icelandic; hy Armenian; ne Nepali; mn Mongolian; bs Bosnian; kk Kazakh;
sq Albanian; sw Swahili; gl Galician; mr Marathi; pa Punjabi; si Sinhala; km Khmer; sn Shona; yo Yoruba; so Somali;
af Afrikaans; oc Occitan; ka Georgian; be Belarusian; tg Tajik; sd Sindhi; gu Gujarati; am Amharic; yi Yiddish; lo Lao;
uz Uzbek; fo Faroese; ht Haitian Creole; ps Pashto; tk Turkmen; nn Nynorsk; mt Maltese; sa Sanskrit; lb Luxembourgish;
my Myanmar; bo Tibetan; tl Tagalog; mg Malagasy; as Assamese; tt Tatar; haw Hawaiian; ln Lingala; ha Hausa; ba Bashkir;
jw Javanese; su Sundanese; yue Cantonese
"""

LANGUAGE_NAMES = MappingProxyType(dict(entry.strip().split(" ", 1) for entry in _TABLE.split(";")))
"""Whisper's code to the English name. Source: openai/whisper, tokenizer.py, LANGUAGES."""

_OTHER_NAMES = {
    "burmese": "my",
    "castilian": "es",
    "farsi": "fa",
    "filipino": "tl",
    "flemish": "nl",
    "haitian": "ht",
    "letzeburgesch": "lb",
    "mandarin": "zh",
    "moldavian": "ro",
    "moldovan": "ro",
    "panjabi": "pa",
    "pushto": "ps",
    "sinhalese": "si",
    "valencian": "ca",
    "cmn": "zh",
    "fil": "tl",
    "iw": "he",
    "jv": "jw",
    "nb": "no",
}
"""Other names, and codes of today's ISO 639 that Whisper writes differently."""

_CODES = {name.lower(): code for code, name in LANGUAGE_NAMES.items()} | _OTHER_NAMES

AUTO = "auto"
"""In place of a language: the model is to find it out."""

_FEW = 8
"""Most languages that are listed rather than counted."""


def find_language(text: str, known: Collection[str]) -> str | None:
    """Code of a language; None when it is none of ``known``.

    Args:
        text: Code or English name in any case; a region after the code, as in ``pt-BR``, is passed over.
        known: Codes of the model.
    """
    whole = " ".join(text.lower().replace("_", "-").split())
    for spelling in (whole, whole.replace("-", " "), whole.partition("-")[0]):
        code = spelling if spelling in known else _CODES.get(spelling)
        if code in known:
            return code
    return None


def language_code(text: str, known: Collection[str]) -> str:
    """Code of a language that a model knows.

    Args:
        text: As for :func:`find_language`.
        known: Codes of the model.

    Raises:
        ModelError: The model does not know it; the hint names those that are spelled alike.
    """
    code = find_language(text, known)
    if code is None:
        hint = _near(text, known) or known_languages(known)
        raise ModelError(f"the model knows no language {text[:40]!r}", hint=hint)
    return code


def is_auto(language: str | None) -> bool:
    """True where a model is asked to find the language out."""
    return language is not None and language.strip().lower() == AUTO


def unless_auto(language: str | None) -> str | None:
    """A language that was asked for; None for ``auto``, as where none was."""
    return None if is_auto(language) else language


def usual_code(text: str | None) -> str | None:
    """Whisper's code of a language, whichever model hears it; other languages stay as they are written."""
    return text and (find_language(text, LANGUAGE_NAMES) or text)


def cannot_be_told(language: str) -> ModelError:
    """The error for a language that a CTC model is told."""
    return ModelError(f"a CTC model cannot be told language {language[:40]!r}", hint="leave the language out")


def known_languages(known: Collection[str]) -> str:
    """A hint about the languages of a model: all of few, the first of many."""
    if len(known) <= _FEW:
        return f"it knows {', '.join(known)}"
    return f"it knows {len(known)} languages, by code or English name, such as {', '.join(list(known)[:3])}"


def _near(text: str, known: Collection[str]) -> str | None:
    if len(known) <= _FEW:
        return None
    spellings = {name: code for name, code in _CODES.items() if code in known} | {code: code for code in known}
    found = [spellings[near] for near in get_close_matches(text.lower().strip(), spellings, n=3, cutoff=0.7)]
    shown = [f"{LANGUAGE_NAMES.get(code, code)} ({code})" for code in dict.fromkeys(found)]
    return f"did you mean {' or '.join(shown)}?" if shown else None
