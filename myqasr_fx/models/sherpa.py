"""What sherpa-onnx reads beside the graphs of a Whisper: properties of the encoder file, and ``tokens.txt``."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path

from transformers import PretrainedConfig, PreTrainedTokenizerBase

from myqasr_fx.errors import ModelError
from myqasr_fx.models.generation import GenerationSettings

TOKENS = "tokens.txt"

_TASKS = ("<|translate|>", "<|transcribe|>")
_NO_SPEECH = ("<|nospeech|>", "<|nocaptions|>")
"""The token has the second name in tokenizers that are older than Whisper large-v3."""


def sherpa_properties(
    config: PretrainedConfig, settings: GenerationSettings, vocabulary: Mapping[str, int]
) -> dict[str, str]:
    """Metadata of the encoder file: sizes and special tokens, as decimal numbers with commas between them.

    Args:
        config: Of the Whisper network.
        settings: Its prompt.
        vocabulary: Token to id.

    Raises:
        ModelError: The vocabulary lacks a token that the client asks for.
    """
    if missing := [token for token in _TASKS if token not in vocabulary]:
        raise _refused(f"the vocabulary has no {' and no '.join(missing)}")
    languages: dict[str, Iterable[int | str]] = {
        "all_language_tokens": settings.lang_to_id.values(),
        "all_language_codes": settings.languages,
    }
    values: dict[str, object] = {
        "model_type": "whisper",
        "n_mels": config.num_mel_bins,
        "n_audio_ctx": config.max_source_positions,
        "n_text_layer": config.decoder_layers,
        "n_text_ctx": config.max_target_positions,
        "n_text_state": config.d_model,
        "n_vocab": config.vocab_size,
        "sot": settings.decoder_start_token_id,
        "eot": settings.eos_token_id,
        "blank_id": vocabulary.get("Ġ", settings.eos_token_id),  # byte-level BPE's space
        **dict(zip(("translate", "transcribe"), (vocabulary[token] for token in _TASKS), strict=True)),
        "no_timestamps": settings.no_timestamps_token_id,
        "no_speech": next((vocabulary[name] for name in _NO_SPEECH if name in vocabulary), -1),
        "is_multilingual": int(settings.is_multilingual),
        # the client replaces the language and the task, and appends no_timestamps itself
        "sot_sequence": _joined(settings.prompt(settings.languages[0])[:-1]),
        **({name: _joined(value) for name, value in languages.items()} if settings.is_multilingual else {}),
    }
    return {name: str(value) for name, value in values.items()}


def write_tokens(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Writes ``tokens.txt``: a line a token of text, its bytes in base64 and its id.

    Raises:
        ModelError: A token is not spelled in the alphabet of byte-level BPE.
    """
    byte_of = _bytes_of_characters()
    special = {token.content for token in tokenizer.added_tokens_decoder.values()}
    texts = sorted((index, token) for token, index in tokenizer.get_vocab().items() if token and token not in special)
    if strange := next((text for _, text in texts if not byte_of.keys() >= set(text)), None):
        raise _refused(f"token {strange!r} does not stand for bytes")
    lines = (
        f"{base64.b64encode(bytes(byte_of[character] for character in text)).decode()} {index}\n"
        for index, text in texts
    )
    (folder / TOKENS).write_text("".join(lines), encoding="ascii")


def _bytes_of_characters() -> dict[str, int]:
    """The alphabet of byte-level BPE: printable bytes stand for themselves, the others follow from U+0100 on."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = (byte for byte in range(256) if byte not in printable)
    return {chr(byte): byte for byte in printable} | {chr(256 + index): byte for index, byte in enumerate(others)}


def _refused(why: str) -> ModelError:
    return ModelError(f"layout sherpa-onnx: {why}", hint="take --layout hf")


def _joined(values: Iterable[int | str]) -> str:
    return ",".join(map(str, values))
