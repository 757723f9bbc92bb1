"""Whether the recordings of a manifest can be heard, found out before hours of others are scored."""

from __future__ import annotations

from collections.abc import Sequence

from myqasr_fx.audio import load_audio
from myqasr_fx.audio.unusable import first_of, reason_of
from myqasr_fx.errors import AudioError
from myqasr_fx.evaluate.manifest import Utterance
from myqasr_fx.process.progress import Progress, Silent


def check_recordings(utterances: Sequence[Utterance], progress: Progress | None = None) -> None:
    """Reads every recording once.

    Args:
        utterances: That will be scored.
        progress: Who is told how many are read.

    Raises:
        AudioError: Recordings cannot be used: all of them are counted, the first named.
    """
    paths, found = dict.fromkeys(utterance.audio for utterance in utterances), list[AudioError]()
    with (progress or Silent()).stage("read audio", len(paths)) as advance:
        for path in paths:
            try:
                load_audio(path)
            except AudioError as error:
                found.append(error)
            advance(1)
    if len(found) == 1:
        raise found[0]
    if found:
        reasons = [reason_of(error) for error in found]
        raise AudioError(
            f"{len(found)} of {len(paths)} recordings: {first_of(reasons)}",
            hint="mend them, or leave their lines out of the manifest",
        )
