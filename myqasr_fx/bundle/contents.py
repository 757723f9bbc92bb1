"""What may lie in a folder of ours, so that a replacement removes nothing of the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from myqasr_fx.bundle.adaptation_record import LEARNED
from myqasr_fx.bundle.bundle import MANIFEST, BundleManifest

BUNDLE_FILES = (
    *(MANIFEST, "README.md", "report.html", "report.json", "run.json"),
    *("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "vocab.txt", "merges.txt", "normalizer.json", "tokens.txt"),
    *(LEARNED, "delta/delta.json", "delta/delta.xz"),
)
"""What ``quantize`` writes beside the model files."""

READ_WITH_A_MODEL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "whisper": ("config.json", "generation_config.json", "preprocessor_config.json", "tokenizer.json"),
        "ctc": ("config.json", "preprocessor_config.json", "tokenizer_config.json", "vocab.json"),
    }
)
"""Family to what nobody can do without beside the model files."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of one kind of folder.

    Args:
        bundle: Folder of the bundle inside it; empty when the folder is the bundle.
        others: Patterns of the files beside the bundle, relative to the folder.
    """

    bundle: str = ""
    others: tuple[str, ...] = ()

    @property
    def marker(self) -> str:
        """The file by which such a folder is known."""
        return str(PurePosixPath(self.bundle) / MANIFEST)

    def foreign(self, folder: Path) -> list[str]:
        """Files, links and empty folders in ``folder`` that are not ours, sorted.

        Raises:
            BundleError: The bundle's manifest is missing or damaged, so that nothing is known to be ours.
            OSError: A folder inside cannot be looked into.
        """
        home = PurePosixPath(self.bundle)
        listed = [file.name for file in BundleManifest.read(folder / self.bundle).files]
        ours = {str(home / name) for name in (*BUNDLE_FILES, *listed)}
        return sorted(
            name
            for name in _entries(folder)
            if name not in ours and not any(fnmatchcase(name, pattern) for pattern in self.others)
        )


BUNDLE = Contents()


def _entries(folder: Path) -> Iterator[str]:
    for base, folders, files in os.walk(folder, onerror=_refuse):
        inside = Path(base).relative_to(folder)
        links = [name for name in folders if Path(base, name).is_symlink()]
        if not folders and not files and inside.parts:
            yield f"{inside.as_posix()}/"
        yield from ((inside / name).as_posix() for name in (*files, *links))


def _refuse(error: OSError) -> None:
    raise error
