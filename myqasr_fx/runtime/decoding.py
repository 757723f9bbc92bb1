"""How a text is found: task, times, beams and what is tried where a text is doubtful."""

from __future__ import annotations

from dataclasses import dataclass

from myqasr_fx.bundle.untrusted_json import short
from myqasr_fx.errors import OptionError

TRANSCRIBE, TRANSLATE = TASKS = ("transcribe", "translate")
SEGMENT, WORD = TIMESTAMPS = ("segment", "word")
NEVER, LOOPS, DOUBTFUL = REDRAWS = ("never", "loops", "doubtful")

MOST_BEAMS = 64

USUAL_TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Tried one after the other. Source: openai/whisper, transcribe.py, ``temperature``."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """What a Whisper model does beyond writing the best token at every step.

    Args:
        task: ``transcribe``, or ``translate`` to English.
        timestamps: ``segment``: the model writes times between parts of the text; ``word``: and those of every word are
            read off its cross-attention. None for neither.
        beams: Texts that are followed side by side; 1 takes the best token at every step.
        redraws: Which texts are drawn again: ``loops``, those that repeat themselves; ``doubtful``: those that the
            model is not sure of, too; or ``never``.
        temperatures: That they are drawn again at, until one is well.
        seed: Of what is drawn.

    Raises:
        OptionError: A value is unknown or out of range.
    """

    task: str = TRANSCRIBE
    timestamps: str | None = None
    beams: int = 1
    redraws: str = LOOPS
    temperatures: tuple[float, ...] = USUAL_TEMPERATURES
    seed: int = 0

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise OptionError(f"task {short(self.task)}: expected {' or '.join(TASKS)}")
        if self.timestamps not in (None, *TIMESTAMPS):
            raise OptionError(f"timestamps {short(self.timestamps)}: expected {' or '.join(TIMESTAMPS)}")
        if self.redraws not in REDRAWS:
            raise OptionError(f"redraws {short(self.redraws)}: expected {', '.join(REDRAWS)}")
        if type(self.beams) is not int or not 1 <= self.beams <= MOST_BEAMS:
            raise OptionError(f"beams {short(self.beams)}: expected 1 to {MOST_BEAMS}")
        if type(self.seed) is not int or self.seed < 0:
            raise OptionError(f"seed {short(self.seed)}: expected a whole number of at least 0")
        if not all(isinstance(value, float) and 0 < value <= 10 for value in self.temperatures):
            raise OptionError(f"temperatures {short(self.temperatures)}: expected numbers above 0, such as 0.2")


USUAL = Decoding()
"""What bundles that are loaded do."""

GREEDY = Decoding(redraws=NEVER)
"""The best token at every step, whatever comes of it."""
