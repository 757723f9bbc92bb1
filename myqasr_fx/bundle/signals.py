"""Signals that unwind the stack, so that nothing half-written stays."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def signals_as_exceptions() -> Iterator[Callable[[], None]]:
    """SIGTERM and SIGHUP unwind the stack like Ctrl-C instead of ending the process on the spot.

    Yields:
        What raises again if a signal came. Python runs a handler wherever it is, in finalizers and callbacks of
        compiled code too, and an exception that is raised there goes no further.
    """
    came: list[int] = []

    def check() -> None:
        if came:
            raise KeyboardInterrupt if came[0] == signal.SIGINT else SystemExit(128 + came[0])

    def leave(number: int, _: FrameType | None) -> None:
        came.append(number)
        check()

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    mine = {number: handler for number, handler in usual.items() if signal.getsignal(number) is handler}
    for number in mine:
        signal.signal(number, leave)
    try:
        yield check
    finally:
        for number, handler in mine.items():
            signal.signal(number, handler)
