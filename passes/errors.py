"""Every error of the two packages derives from ``MyqasrError``; the CLI turns one into one clear line."""

from __future__ import annotations


class MyqasrError(Exception):
    """Base of all errors that a user can cause or fix.

    Args:
        message: What went wrong, naming the pass, node, layer or file, and what was expected and got.
        hint: What to try next, one sentence; shown after the message.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message if hint is None else f"{message} ({hint})")
        self.message = message
        self.hint = hint


class PassError(MyqasrError):
    """A pass failed or left a graph that its stage does not allow."""


class PassOrderError(PassError):
    """A pass manager was built with a pass whose requirements no earlier pass provides."""


class VerificationError(PassError):
    """A graph, file or session does not satisfy what its stage promises."""


class DumpError(MyqasrError):
    """The folder that shall hold the graphs after each pass cannot be written."""


class QuantizationError(MyqasrError):
    """A tensor cannot be quantized as asked: width, granularity, shape or range."""


class AllocationError(MyqasrError):
    """No assignment of widths satisfies the request."""


class BudgetError(AllocationError):
    """The budget is smaller than the smallest model that the options allow.

    Args:
        message: What is wrong.
        hint: What to do.
        over: Bytes that the smallest model has more, where that is known.
    """

    def __init__(self, message: str, *, hint: str | None = None, over: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.over = over
