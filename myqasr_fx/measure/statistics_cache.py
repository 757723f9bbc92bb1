"""Keeps what a calibration run saw, so that another budget for the same user needs no second run.

A file holds numbers and the transcripts' tokens, no audio, and is read only for the same weights, the same samples and
the same language. The full-precision logits of clips to judge on are kept, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from myqasr_fx.audio import Clip, ClipSet
from myqasr_fx.errors import OutputError
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Transcript
from passes.damage.curvature import Curvature, Curvatures
from passes.errors import QuantizationError
from passes.observe.activation_stats import ActivationStats, Statistics
from passes.observe.insert_gram_observers import Grams

_VERSION = 4

GramKind = Literal["all", "looked_up"]
"""Gram matrices of all layers, or of those whose rows are also looked up."""


@dataclass(frozen=True, slots=True, eq=False)
class Cached:
    """What a calibration run saw: statistics, transcripts and, where the rounding uses them, Gram matrices."""

    statistics: Statistics
    transcripts: tuple[Transcript, ...]
    grams: Grams


def cache_file(folder: Path, speech: SpeechModel, clips: ClipSet, language: str | None) -> Path:
    """Where the statistics of this model, these samples and this language belong; makes the folder.

    Raises:
        OutputError: There can be no such folder.
    """
    return _file(folder, "statistics", (speech.fingerprint, clips.sha256, language or ""))


def transcripts_file(folder: Path, speech: SpeechModel, clips: Sequence[Clip], language: str | None) -> Path:
    """Where what this model writes for these samples, told this language, belongs; makes the folder.

    Raises:
        OutputError: There can be no such folder.
    """
    return _file(folder, "transcripts", (speech.fingerprint, *(clip.sha256 for clip in clips), language or ""))


def curvature_file(folder: Path, speech: SpeechModel, clips: ClipSet, told: tuple[str | None, int]) -> Path:
    """Where the curvatures of this model on these samples belong, told a language and the seed of the probes.

    Raises:
        OutputError: There can be no such folder.
    """
    key = (speech.fingerprint, clips.sha256, told[0] or "", str(told[1]))
    return _file(folder, "curvature", key).with_suffix(".safetensors")


def logits_file(folder: Path, speech: SpeechModel, key: Sequence[str]) -> Path:
    """Where logits of this model belong; ``key`` is all else that they depend on. Makes the folder.

    Raises:
        OutputError: There can be no such folder.
    """
    return _file(folder, "logits", (speech.fingerprint, torch.__version__, *key)).with_suffix(".safetensors")


def read_logits(path: Path) -> np.ndarray | None:
    """Logits (L, vocabulary) float32 in the file at ``path``; None when there is none or it is damaged."""
    try:
        found = load_file(path)["logits"]
    except (OSError, KeyError, SafetensorError):
        return None
    return found.numpy() if found.dtype == torch.float32 and found.dim() == 2 else None


def write_logits(path: Path, logits: np.ndarray) -> None:
    """Writes a file that appears whole or not at all.

    Raises:
        OutputError: The folder cannot be written.
    """
    with _refused(path.parent):
        _write_whole(path, save({"logits": torch.from_numpy(np.ascontiguousarray(logits))}))


def read_curvatures(path: Path) -> Curvatures | None:
    """What the file at ``path`` holds; None when there is none or it is damaged."""
    fields: dict[str, dict[str, Tensor]] = {}
    try:
        for key, tensor in load_file(path).items():
            name, _, field = key.rpartition("|")
            fields.setdefault(name, {})[field] = tensor
        return {name: Curvature(**found) for name, found in fields.items()}
    except (OSError, TypeError, QuantizationError, SafetensorError):
        return None


def write_curvatures(path: Path, curvatures: Curvatures) -> None:
    """Writes a file that appears whole or not at all.

    Raises:
        OutputError: The folder cannot be written.
    """
    tensors = {
        f"{name}|{field}": tensor.contiguous()
        for name, curvature in curvatures.items()
        for field in ("gram", "rows", "lookups")
        if (tensor := getattr(curvature, field)) is not None
    }
    with _refused(path.parent):
        _write_whole(path, save(tensors))


def _file(folder: Path, kind: str, key: Sequence[str]) -> Path:
    with _refused(folder):
        folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256("\n".join((str(_VERSION), *key)).encode()).hexdigest()
    return folder / f"{kind}-{digest[:32]}.json"


def read_cache(path: Path, wanted: GramKind | None) -> Cached | None:
    """What the file at ``path`` holds; None when there is none, it is damaged, or it lacks Gram matrices needed now.

    Args:
        path: Of :func:`cache_file`.
        wanted: Which Gram matrices; None for none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        statistics = {(row["layer"], row["port"]): ActivationStats(**row["stats"]) for row in content["statistics"]}
        transcripts = _transcripts(content["transcripts"])
        grams = {} if wanted is None else load_file(_grams_file(path, wanted))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
    return Cached(statistics, transcripts, grams)


def write_cache(path: Path, seen: Cached, kept: GramKind | None) -> None:
    """Writes files that appear whole or not at all; Gram matrices in one of their own beside ``path``.

    Args:
        path: Of :func:`cache_file`.
        seen: What to keep.
        kept: Which Gram matrices ``seen`` holds; None for none.

    Raises:
        OutputError: The folder cannot be written.
    """
    content: Mapping[str, object] = {
        "statistics": [
            {"layer": layer, "port": port, "stats": asdict(stats)} for (layer, port), stats in seen.statistics.items()
        ],
        "transcripts": [asdict(transcript) for transcript in seen.transcripts],
    }
    with _refused(path.parent):
        if kept is not None:
            found = {name: gram.clone() for name, gram in seen.grams.items()}
            _write_whole(_grams_file(path, kept), save(found))
        _write_whole(path, json.dumps(content).encode())


def read_transcripts(path: Path, count: int) -> tuple[Transcript, ...] | None:
    """The ``count`` transcripts that the file at ``path`` holds; None when there is none or it is damaged."""
    try:
        transcripts = _transcripts(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return transcripts if len(transcripts) == count else None


def write_transcripts(path: Path, transcripts: Sequence[Transcript]) -> None:
    """Writes a file that appears whole or not at all.

    Raises:
        OutputError: The folder cannot be written.
    """
    with _refused(path.parent):
        _write_whole(path, json.dumps([asdict(transcript) for transcript in transcripts]).encode())


def _transcripts(rows: Sequence[Mapping[str, Any]]) -> tuple[Transcript, ...]:
    return tuple(Transcript(**{**row, "tokens": tuple(row["tokens"])}) for row in rows)


def _grams_file(path: Path, kind: GramKind) -> Path:
    return path.with_name(f"{path.stem}-{kind}.safetensors")


def _write_whole(path: Path, content: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


@contextmanager
def _refused(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cache {folder}: {error.strerror}", hint="choose another --cache") from error
