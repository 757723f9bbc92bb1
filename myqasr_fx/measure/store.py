"""Keeps what was measured for the next run: one folder, one version, one place where keys are made.

A file holds numbers and the tokens and texts of transcripts, no audio; of a private run numbers only. It is named after
all that its content depends on and begins with the SHA-256 of the rest, so that one that was cut off or changed is
measured again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch

from myqasr_fx.audio import Clip, ClipSet
from myqasr_fx.bundle.adaptation_record import AdaptationRecord
from myqasr_fx.bundle.signals import signals_held
from myqasr_fx.bundle.writable_folder import refusals
from myqasr_fx.measure.clip_shares import Positions
from myqasr_fx.measure.energies import Energies
from myqasr_fx.measure.layer_ledger import LayerLedger
from myqasr_fx.measure.stored import (
    ADAPTATION,
    CURVATURES,
    DAMAGES,
    ENERGIES,
    GRAMS,
    LEVELS,
    LOGITS,
    PARAMETERS,
    STATISTICS,
    TRANSCRIPTS,
    Codec,
)
from myqasr_fx.process.abandoned import remove_abandoned
from myqasr_fx.runtime import Transcript
from myqasr_fx.runtime.no_speech import USUAL, NoSpeechRule
from passes.allocation.choice import Damages
from passes.damage.curvature import Curvatures
from passes.numbers.trellis import Levels
from passes.observe.activation_stats import Statistics
from passes.observe.insert_gram_observers import Grams

VERSION = "14"
"""Changes with the meaning of anything kept."""

Parameters = Mapping[str, torch.Tensor]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key(Generic[T]):
    """What is kept, and all that it depends on.

    Args:
        codec: How it becomes bytes; names its kind.
        parts: Texts.
    """

    codec: Codec[T]
    parts: tuple[str, ...]

    @property
    def file(self) -> str:
        """Name of its file."""
        return f"{self.codec.kind}-{_digest(self.parts)}"


@dataclass(frozen=True, slots=True)
class Keys:
    """Makes the keys of one model, told one language and one rule.

    Args:
        model: SHA-256 of all that decides what it writes.
        language: Code; None when the model finds it out.
        graphs: Which the model became: those of the bundle's layout, which may count silence.
        no_speech: Rule by which texts are dropped.
    """

    model: str
    language: str | None
    graphs: str
    no_speech: NoSpeechRule = USUAL

    def statistics(self, clips: ClipSet) -> Key[tuple[Statistics, tuple[Transcript, ...]]]:
        """Of what the observers saw, with what the model wrote."""
        return Key(STATISTICS, self._of(clips.sha256))

    def grams(self, clips: ClipSet, looked_up: bool) -> Key[Grams]:
        """Of Gram matrices: of all layers, or of those whose rows are also looked up."""
        return Key(GRAMS, self._of(clips.sha256, "looked up" if looked_up else "all"))

    def curvatures(self, clips: ClipSet, positions: Positions, seed: int) -> Key[Curvatures]:
        """Of curvatures on some of the clips, with the seed of their probes."""
        return Key(CURVATURES, self._of(clips.sha256, " ".join(map(str, positions)), str(seed)))

    def energies(self, clips: ClipSet, shares: tuple[Positions, Positions], seed: int) -> Key[Energies]:
        """Of how much frames matter, measured with the curvatures of the first share, of the clips of the second."""
        return Key(ENERGIES, (*self.curvatures(clips, shares[0], seed).parts, " ".join(map(str, shares[1]))))

    def damages(self, clips: ClipSet, positions: Positions, seed: int, what: str) -> Key[Damages]:
        """Of the damage to expect of every choice, made of these curvatures; ``what`` tells the choices."""
        return Key(DAMAGES, (*self.curvatures(clips, positions, seed).parts, what))

    def transcripts(self, clips: Sequence[Clip]) -> Key[tuple[Transcript, ...]]:
        """Of what the model writes for clips to judge on."""
        return Key(TRANSCRIPTS, self._of(*(clip.sha256 for clip in clips)))

    def logits(self, samples: str, tokens: Sequence[int], language: str | None) -> Key[torch.Tensor]:
        """Of full-precision logits (L, vocabulary) of one clip, named by the SHA-256 of its samples."""
        said = (samples, " ".join(map(str, tokens)), language or "")
        return Key(LOGITS, (self.model, torch.__version__, self.graphs, *said))

    def parameters(self, clips: ClipSet, shares: tuple[Positions, Positions], seed: int) -> Key[Parameters]:
        """Of what the model learned of some of the clips; the others decided whether it helps."""
        positions = (" ".join(map(str, share)) for share in shares)
        return Key(PARAMETERS, self._of(clips.sha256, *positions, str(seed)))

    def adaptation(self, clips: ClipSet, shares: tuple[Positions, Positions], seed: int) -> Key[AdaptationRecord]:
        """Of whether that helps."""
        return Key(ADAPTATION, self.parameters(clips, shares, seed).parts)

    def levels(self, bits: int) -> Key[Levels]:
        """Of the table of trellis codes that is fitted to the weights, whatever the clips."""
        return Key(LEVELS, (self.model, self.graphs, str(bits)))

    def layers(self, clips: ClipSet, what: str) -> str:
        """Name of the ledger of ``what`` was measured of single layers."""
        return f"layers-{_digest(self._of(clips.sha256, what))}"

    def _of(self, *parts: str) -> tuple[str, ...]:
        rule = () if self.no_speech == USUAL else (repr(self.no_speech),)
        return (self.model, self.language or "", self.graphs, *rule, *parts)


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of what was measured.

    Args:
        folder: Made when it is first written to; None keeps nothing.
        keys: Of the model.
        private: Keep nothing from which what was said can be read.
    """

    folder: Path | None
    keys: Keys
    private: bool = False

    def __post_init__(self) -> None:
        if self.folder is not None:
            with refusals(self.folder, "cache"):
                self.folder.mkdir(parents=True, exist_ok=True)
            remove_abandoned(self.folder)

    def get(self, key: Key[T], compute: Callable[[], T]) -> T:
        """What is kept under ``key``; computed and kept where there is nothing, or something damaged.

        Raises:
            OutputError: The folder cannot be written.
        """
        found = self.read(key)
        if found is None:
            found = compute()
            self.write(key, found)
        return found

    def read(self, key: Key[T]) -> T | None:
        """What is kept, if anything whole is."""
        if self.folder is None:
            return None
        try:
            content = (self.folder / key.file).read_bytes()
        except OSError:
            return None
        digest, payload = content[:32], memoryview(content)[32:]
        return key.codec.decode(payload) if hashlib.sha256(payload).digest() == digest else None

    def write(self, key: Key[T], value: T) -> None:
        """Keeps ``value``, unless it tells what must stay private, in a file that appears whole or not at all.

        Raises:
            OutputError: The folder cannot be written.
        """
        if self.folder is None or (self.private and key.codec.tells):
            return
        payload = key.codec.encode(value)
        with refusals(self.folder, "cache"), signals_held():
            descriptor, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{key.file}.")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(hashlib.sha256(payload).digest())
                    file.write(payload)
                os.replace(temporary, self.folder / key.file)
            except BaseException:
                os.unlink(temporary)
                raise

    def ledger(self, clips: ClipSet, what: str) -> LayerLedger:
        """Of ``what`` is measured layer by layer on these clips."""
        return LayerLedger(self.folder and self.folder / self.keys.layers(clips, what))


NOTHING_KEPT = Store(None, Keys("", None, ""))
"""For work of which no later run shall know."""


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join((VERSION, *parts)).encode()).hexdigest()[:32]
