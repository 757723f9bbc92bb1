"""The texts of a CTC network's outputs, as the clients with line-by-line vocabularies read them."""

from __future__ import annotations

from pathlib import Path

from myqasr_fx.models.speech_model import SpeechModel

TOKENS = "tokens.txt"

_BLANK, _SPACE = "<blk>", "▁"


def ctc_texts(speech: SpeechModel) -> list[str]:
    """The text of every output; empty for special tokens and those that the tokenizer does not know."""
    tokenizer = speech.tokenizer
    delimiter, between = tokenizer.word_delimiter_token, tokenizer.replace_word_delimiter_char.replace(" ", _SPACE)
    dropped = {*tokenizer.all_special_tokens} - {delimiter}
    texts = [""] * speech.config.vocab_size
    for token, index in tokenizer.get_vocab().items():
        if index < len(texts) and token not in dropped:
            text = between if token == delimiter else token
            texts[index] = text.lower() if tokenizer.do_lower_case else text
    texts[speech.config.pad_token_id] = _BLANK
    return texts


def parting(texts: list[str]) -> str | None:
    """The first text with what parts the entries of such a file, a space or the end of a line."""
    return next((text for text in texts if any(character in " \r\n" for character in text)), None)


def write_ctc_tokens(speech: SpeechModel, folder: Path) -> None:
    """Writes ``tokens.txt``, with which sherpa-onnx runs a plain CTC graph as one of Omnilingual ASR.

    That client normalizes what it hears: a model that hears waveforms as they are gets no such file, and neither does
    one whose tokens the file cannot hold.
    """
    texts = ctc_texts(speech)
    if parting(texts) is None and getattr(speech.feature_extractor, "do_normalize", True):
        lines = (f"{text or f'<{index}>'} {index}\n" for index, text in enumerate(texts))
        (folder / TOKENS).write_text("".join(lines), encoding="utf-8")
