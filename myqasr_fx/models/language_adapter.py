"""Models with an adapter, a head and a vocabulary for each language, as MMS is: which one is loaded.

Source: transformers, ``Wav2Vec2ForCTC.load_adapter``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from myqasr_fx.errors import ModelError
from myqasr_fx.models.network_tensors import ExpectedTensors, renamed
from myqasr_fx.models.refusal import place, shown
from myqasr_fx.models.stored_tensors import StoredTensor, read_tensors
from myqasr_fx.models.weight_files import weight_file

_FILE = re.compile(r"adapter\.(.+)\.safetensors", re.DOTALL)
_OF_A_LANGUAGE = re.compile(r"^lm_head\.(weight|bias)$|\.adapter_layer\.")
"""Names in the network of the tensors that differ between languages."""

_FEW = 8
"""Most languages that are listed rather than counted."""


@dataclass(frozen=True, slots=True)
class LanguageAdapter:
    """The file with what is one language's own.

    Args:
        language: As the file's name spells it.
        path: The file.
    """

    language: str
    path: Path

    def read(self, prefix: str) -> dict[str, StoredTensor]:
        """Its tensors by their names in the network.

        Args:
            prefix: Of the network's body, with a dot.

        Raises:
            ModelError: The file is damaged, or holds anything but an adapter and a head.
        """
        stored = read_tensors((self.path,))
        names = renamed(stored, prefix, self.path)
        stranger = min((name for name in names if not _OF_A_LANGUAGE.search(name)), default=None)
        if stranger is not None:
            raise ModelError(f"{place(self.path)}: tensor {shown(stranger)} belongs to no adapter and no head")
        return {name: stored[old] for name, old in names.items()}

    def check_whole(self, found: Iterable[str], expected: ExpectedTensors) -> None:
        """Checks that nothing of another language would stay in the network.

        Args:
            found: Names of its tensors.
            expected: By the network.

        Raises:
            ModelError: A tensor is missing.
        """
        missing = sorted({name for name in expected.shapes if _OF_A_LANGUAGE.search(name)} - set(found))
        if missing:
            raise ModelError(
                f"{place(self.path)}: {len(missing)} tensors of the adapter are missing, the first is {missing[0]!r}",
                hint="copy the model again",
            )


def file_of(language: str) -> str:
    """Name of the file of a language."""
    return f"adapter.{language}.safetensors"


def languages_of(names: Iterable[str]) -> tuple[str, ...]:
    """Languages that have an adapter among the names of a model's files, in alphabetical order."""
    return tuple(sorted(match[1] for match in map(_FILE.fullmatch, names) if match))


def find_adapter(folder: Path, language: str | None) -> LanguageAdapter | None:
    """The adapter of a language; None for a folder without any.

    Raises:
        ModelError: The folder has adapters, but no language was asked for or another one.
    """
    known = languages_of(path.name for path in folder.glob("adapter.*"))
    if not known:
        return None
    chosen = choose_language(place(folder), known, language)
    return LanguageAdapter(chosen, weight_file(folder, file_of(chosen)))


def choose_language(where: str, known: Sequence[str], asked: str | None) -> str:
    """The one of the languages that was asked for, in whatever case.

    Args:
        where: The model, for errors.
        known: At least one.
        asked: By the user.

    Raises:
        ModelError: None was asked for, or one that is not there; the hint names those that are spelled alike.
    """
    spellings = {code.lower(): code for code in known}
    chosen = spellings.get((asked or "").strip().lower())
    if chosen is not None:
        return chosen
    count = f"{len(known)} language{'s' * (len(known) != 1)}"
    some = ", ".join(known if len(known) <= _FEW else known[:3])
    if not asked:
        raise ModelError(
            f"{where}: has adapters of {count}, expected one to be asked for", hint=f"give --language, such as {some}"
        )
    near = [spellings[code] for code in get_close_matches(asked.lower(), spellings, n=3, cutoff=0.6)]
    hint = f"did you mean {' or '.join(near)}?" if near else f"it knows {count} by code, such as {some}"
    raise ModelError(f"{where}: has no adapter of language {shown(asked)}", hint=hint)
