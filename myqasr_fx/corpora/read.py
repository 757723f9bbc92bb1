"""From a manifest or a corpus folder to utterances."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from myqasr_fx.corpora.common_voice import CommonVoice
from myqasr_fx.corpora.fleurs import Fleurs
from myqasr_fx.corpora.layout import CorpusLayout
from myqasr_fx.corpora.librispeech import LibriSpeech
from myqasr_fx.corpora.speech_commands import SpeechCommands
from myqasr_fx.errors import EvaluationError
from myqasr_fx.evaluate.manifest import Utterance, choose_utterances, expanded, read_manifest

LAYOUTS: tuple[CorpusLayout, ...] = (LibriSpeech(), SpeechCommands(), CommonVoice(), Fleurs())


def read_corpus(
    path: str | Path, filters: Mapping[str, str] | None = None, limit: int | None = None
) -> tuple[Utterance, ...]:
    """Utterances of a JSONL manifest or of a corpus in one of the published layouts.

    Args:
        path: Manifest, or the corpus's folder.
        filters: Fields and the values, as text, that an utterance must have.
        limit: Most utterances, the first ones.

    Raises:
        EvaluationError: It is neither, is malformed, no utterance matches, or a recording is missing.
    """
    folder = expanded(path)
    if not _is_folder(folder):
        return read_manifest(folder, filters, limit)
    for layout in LAYOUTS:
        if layout.matches(folder):
            found = tuple(layout.read(folder))
            if not found:
                raise EvaluationError(f"{folder}: holds no utterance of {layout.name}")
            return choose_utterances(folder, found, filters or {}, limit)
    known = "; ".join(f"{layout.name} ({layout.marks})" for layout in LAYOUTS)
    raise EvaluationError(f"{folder}: no known corpus", hint=f"give a JSONL manifest or one of {known}")


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError) as error:  # a name that the file system does not take
        raise EvaluationError(f"{str(path)[:80]}: cannot be read: {error.args[-1]}") from error
