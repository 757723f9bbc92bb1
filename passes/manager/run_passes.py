"""``run_passes``: passes on a copy of a program, in an order that what is true of it allows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from torch import fx

from passes.base import Pass, Program
from passes.manager.manager import PassManager

_LOG = logging.getLogger(__name__)


def run_passes(program: Program | fx.GraphModule, passes: Sequence[Pass], dump_ir: Path | None = None) -> Program:
    """What the passes leave of a copy of ``program``, which itself stays as it is; weights are shared.

    Args:
        program: Says what is true of it; a GraphModule is taken as captured.
        passes: At least one, in order.
        dump_ir: Folder for the graphs after each pass that changed them.

    Raises:
        PassOrderError: A pass requires what is not true before it.
        PassError: A pass failed or left a graph that its stage does not allow.
    """
    _LOG.debug("passes: %s", " ".join(step.name for step in passes))
    given = Program.of(program)
    return PassManager(tuple(passes), given.facts, dump_ir)(given.clone()).program
