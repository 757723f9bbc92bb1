"""When a text is dropped because nobody speaks: options that Whisper's users know, of several commands."""

from __future__ import annotations

from typing import Annotated

from typer import Option

_PANEL = "When nobody speaks: no text (Whisper only, but for --vad-threshold)"

NoSpeechThreshold = Annotated[
    float | None,
    Option(
        "--no-speech-threshold",
        help="Probability of no speech above which a doubtful text is dropped, and above 0.8 any; 1 drops none. "
        r"\[default: 0.7, or the bundle's]",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
LogprobThreshold = Annotated[
    float | None,
    Option(
        "--logprob-threshold",
        help=r"Mean log-probability of its tokens below which a text is doubtful. \[default: -1]",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
CompressionRatioThreshold = Annotated[
    float | None,
    Option(
        "--compression-ratio-threshold",
        help=r"Compression ratio above which a text repeats itself and is doubtful. \[default: 2.4]",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]
VadThreshold = Annotated[
    float | None,
    Option(
        "--vad-threshold",
        help="Probability of speech that silero-vad, an extra, must hear somewhere, such as 0.05, or the text is "
        r"dropped. \[default: do not ask it]",
        rich_help_panel=_PANEL,
        show_default=False,
    ),
]


def thresholds(
    no_speech: float | None, logprob: float | None, compression_ratio: float | None, vad: float | None
) -> dict[str, float | None]:
    """The options under the names of the rule's bounds."""
    return {
        "no_speech_threshold": no_speech,
        "logprob_threshold": logprob,
        "compression_ratio_threshold": compression_ratio,
        "vad_threshold": vad,
    }
