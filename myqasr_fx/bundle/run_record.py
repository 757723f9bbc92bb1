"""``run.json``: what differs between two runs of the same inputs."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from myqasr_fx.process.progress import Progress

RUN_FILE = "run.json"


def write_run(folder: Path, clock: Progress) -> None:
    """Writes the wall time of every stage and of the model's passes in them, and the peak memory of this process."""
    run = {
        "seconds": {name: round(value, 3) for name, value in clock.seconds.items()},
        "parts": {name: round(value, 3) for name, value in clock.parts.items()},
        "peak_memory_bytes": _peak_memory_bytes(),
    }
    (folder / RUN_FILE).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")


def _peak_memory_bytes() -> int:
    """Largest resident size of this process so far, what came before the run included."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
