import os
import signal

import pytest

from myqasr_fx.bundle.signals import signals_as_exceptions, signals_held

pytestmark = pytest.mark.usefixtures("interruptible")


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit), (signal.SIGHUP, SystemExit)]
)
def test_a_signal_unwinds(number: signal.Signals, error: type[BaseException]) -> None:
    with pytest.raises(error) as stopped, signals_as_exceptions():
        os.kill(os.getpid(), number)
    if error is SystemExit:
        assert stopped.value.code == 128 + number


def test_an_inner_context_knows_what_came_to_the_outer_one() -> None:
    with signals_as_exceptions():
        with pytest.raises(SystemExit):
            os.kill(os.getpid(), signal.SIGTERM)
        with signals_as_exceptions() as check, pytest.raises(SystemExit):
            check()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_held_signal_raises_behind_the_outermost_hold(number: signal.Signals) -> None:
    reached = []
    with pytest.raises((KeyboardInterrupt, SystemExit)), signals_as_exceptions():
        with signals_held():
            with signals_held():
                os.kill(os.getpid(), number)
                reached.append("inner")
            reached.append("outer")
        reached.append("behind")
    assert reached == ["inner", "outer"]


def test_nothing_is_held_where_nobody_unwinds() -> None:
    with pytest.raises(KeyboardInterrupt), signals_held():
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("goes on behind a signal")
