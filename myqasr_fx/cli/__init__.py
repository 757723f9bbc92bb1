"""The ``myqasr`` command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import NoReturn

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits; see :func:`myqasr_fx.cli.app.main`."""
    try:
        from myqasr_fx.cli.app import main as run

        run(arguments)
    except KeyboardInterrupt:  # while it is imported, or before it minds
        sys.stderr.write("myqasr: interrupted\n")
        raise SystemExit(130) from None
    finally:
        if arguments is None:
            gc.freeze()  # the process ends, and need not look for garbage among all that torch has made
