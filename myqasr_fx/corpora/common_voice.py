"""Common Voice: ``LOCALE/SPLIT.tsv`` with a header and ``LOCALE/clips/FILE.mp3``; several locales side by side.

Source: R. Ardila et al., "Common Voice: A Massively-Multilingual Speech Corpus", 2020.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from myqasr_fx.corpora.layout import columns, gender_of, read_lines, utterance
from myqasr_fx.errors import EvaluationError
from myqasr_fx.evaluate.manifest import Utterance

SPLITS = ("train", "dev", "test")
"""The lists read; ``validated.tsv`` holds their clips too and counts where none of them is there."""

NEEDED = ("client_id", "path", "sentence")


@dataclass(frozen=True, slots=True)
class CommonVoice:
    """A locale's folder such as ``cv-corpus-17.0/ja``, or a folder of them; a speaker is a client id."""

    name: str = "common_voice"
    marks: str = "LOCALE/test.tsv with LOCALE/clips/"

    def matches(self, folder: Path) -> bool:
        """See :class:`~myqasr_fx.corpora.layout.CorpusLayout`."""
        return any(True for _ in _locales(folder))

    def read(self, folder: Path) -> Iterator[Utterance]:
        """See :class:`~myqasr_fx.corpora.layout.CorpusLayout`."""
        for locale in _locales(folder):
            code = locale.resolve().name.partition("-")[0]
            for split in _lists(locale):
                for row in _rows(locale / f"{split}.tsv"):
                    who = {"speaker": row["client_id"], "gender": gender_of(row.get("gender", ""))}
                    audio = locale / "clips" / row["path"]
                    what = {"lang": code, "dataset": self.name, "split": split}
                    yield utterance(folder, audio, row["sentence"], **who, **what)


def _locales(folder: Path) -> Iterator[Path]:
    for locale in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        if (locale / "clips").is_dir() and _lists(locale):
            yield locale


def _lists(locale: Path) -> tuple[str, ...]:
    found = tuple(split for split in SPLITS if (locale / f"{split}.tsv").is_file())
    return found or (("validated",) if (locale / "validated.tsv").is_file() else ())


def _rows(table: Path) -> Iterator[dict[str, str]]:
    """Lines by column name: quotes are part of a sentence, so this is no CSV dialect."""
    head, *lines = read_lines(table) or [""]
    names = head.rstrip("\r").split("\t")
    if missing := [name for name in NEEDED if name not in names]:
        raise EvaluationError(f"{table}: no column {', '.join(missing)}")
    for number, line in enumerate(lines, start=2):
        yield dict(zip(names, columns(table, number, line, names), strict=True))
