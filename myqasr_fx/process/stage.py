"""One stage of the road, for people who want to see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage does.

    Args:
        name: Of the stage.
        does: In words.
        passes: Names of the graph passes that it runs, in order.
        clips: The share of clips that it reads, with their number where that is known; None when it reads none.
    """

    name: str
    does: str
    passes: tuple[str, ...] = ()
    clips: str | None = None
