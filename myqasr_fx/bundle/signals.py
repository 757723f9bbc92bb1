"""Signals that unwind the stack, so that nothing half-written stays."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

_USUAL = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
"""Handlers of a process that minds none; any other is left alone."""


@contextlib.contextmanager
def signals_as_exceptions() -> Iterator[Callable[[], None]]:
    """SIGTERM and SIGHUP unwind the stack like Ctrl-C instead of ending the process on the spot.

    Inside another such context, that one stays in charge.

    Yields:
        What raises again if a signal came. Python runs a handler wherever it is, in finalizers and callbacks of
        compiled code too, and an exception that is raised there goes no further.
    """
    if threading.current_thread() is not threading.main_thread():
        yield _Unwinding().check
        return
    outer = signal.getsignal(signal.SIGTERM)
    if isinstance(outer, _Unwinding):
        yield outer.check
        return
    unwinding = _Unwinding()
    mine = {number: handler for number, handler in _USUAL.items() if signal.getsignal(number) is handler}
    for number in mine:
        signal.signal(number, unwinding)
    try:
        yield unwinding.check
    finally:
        for number, handler in mine.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Within :func:`signals_as_exceptions`, a signal that comes meanwhile raises behind this context.

    For what would be left halfway: a new file whose name nobody knows yet, a folder that is being removed.
    """
    unwinding = next((h for h in map(signal.getsignal, _USUAL) if isinstance(h, _Unwinding)), None)
    if unwinding is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    with unwinding.held():
        yield


class _Unwinding:
    """A handler that raises, and knows what came."""

    def __init__(self) -> None:
        self._came: list[int] = []
        self._holds = 0

    def __call__(self, number: int, _: FrameType | None) -> None:
        self._came.append(number)
        if not self._holds:
            self.check()

    def check(self) -> None:
        """Raises if a signal came."""
        if self._came:
            raise KeyboardInterrupt if self._came[0] == signal.SIGINT else SystemExit(128 + self._came[0])

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Raises behind the outermost of these contexts what came within."""
        before = len(self._came)
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            if not self._holds and len(self._came) > before:
                self.check()
