"""A file for each recording, named after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from myqasr_fx.bundle.output_file import check_file, write_file
from myqasr_fx.cli.standard_input import STANDARD_INPUT
from myqasr_fx.cli.transcript_view import Format, file_content
from myqasr_fx.errors import OptionError, OutputError

if TYPE_CHECKING:
    from myqasr_fx.runtime import Transcript

_ENDINGS = {Format.TEXT: ".txt", Format.JSON: ".json", Format.SRT: ".srt", Format.VTT: ".vtt"}


@dataclass(frozen=True, slots=True)
class TranscriptFiles:
    """Where transcripts go.

    Args:
        folder: Of all of them; made when the first is there.
        printed: Their format.
        timed: With the times of their segments.
        force: Replace files.
    """

    folder: Path
    printed: Format
    timed: bool
    force: bool

    def check(self, recordings: Sequence[Path]) -> None:
        """Refuses, before any work, what could not be written.

        Raises:
            OptionError: A recording has no name, or two would have one file.
            OutputError: A file exists and may not be replaced, or the folder is a file.
        """
        if recordings == (STANDARD_INPUT,):
            raise OptionError("- with --out: standard input has no name", hint="leave --out out, and send it to a file")
        if self.folder.exists() and not self.folder.is_dir():
            raise OutputError(f"output {self.folder} is not a folder", hint="choose another --out")
        taken, sources = dict[str, Path](), {recording.resolve() for recording in recordings}
        for recording in recordings:
            path = self.path_of(str(recording))
            other = taken.setdefault(path.name.casefold(), recording)
            if other is not recording:
                hint = "give them in two calls, each with its own --out"
                raise OptionError(f"{other} and {recording} would both be {path}", hint=hint)
            if path.resolve() in sources:
                raise OptionError(f"{path} is a recording itself", hint="choose another --out")
            check_file(path, self.force)

    def path_of(self, recording: str) -> Path:
        """The file of a recording."""
        return self.folder / f"{Path(recording).stem}{_ENDINGS[self.printed]}"

    def write(self, recording: str, said: Transcript) -> Path:
        """Writes one.

        Raises:
            OutputError: It cannot be written.
        """
        path = self.path_of(recording)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {self.folder}: {error.strerror}", hint="choose another --out") from error
        write_file(path, file_content(recording, said, self.printed, timed=self.timed), force=self.force)
        return path
