"""A command with its memory looked at while it runs."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PAUSE = 0.05  # seconds between looks
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Peak:
    """Most bytes that a process and all that it started held at once.

    Args:
        resident: In memory, pages of files that it maps among them.
        own: Of these, what no file holds, so that only the process's end or its own doing frees it.
    """

    resident: int = 0
    own: int = 0

    def with_(self, resident: int, own: int) -> Peak:
        """The larger of both."""
        return Peak(max(self.resident, resident), max(self.own, own))


@dataclass(frozen=True, slots=True)
class SampledRun:
    """What a run took.

    Args:
        code: Its exit code.
        seconds: From start to end.
        peak: Over all of it.
        stages: Line of standard error that was the last one to peak and seconds until the next.
        said: The end of standard error.
    """

    code: int
    seconds: float
    peak: Peak
    stages: Mapping[str, tuple[Peak, float]] = field(default_factory=dict)
    said: str = ""


def sampled_run(command: Sequence[str | Path], environment: Mapping[str, str]) -> SampledRun:
    """Runs a command to its end.

    Args:
        command: With its arguments; standard output is dropped, and a line of standard error begins a stage.
        environment: Variables beside those of this process.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    lines = ["start"]
    reader = threading.Thread(target=_read, args=(process, lines), daemon=True)
    reader.start()
    stages: dict[str, tuple[Peak, float]] = {}
    peak, last = Peak(), start
    while process.poll() is None:
        resident, own = (sum(held) for held in zip(*_held(process.pid), strict=True))
        now, stage = time.perf_counter(), lines[-1].split(" …")[0][:60]
        before, seconds = stages.get(stage, (Peak(), 0.0))
        stages[stage], peak = (before.with_(resident, own), seconds + now - last), peak.with_(resident, own)
        last = now
        time.sleep(_PAUSE)
    reader.join()
    return SampledRun(process.returncode, time.perf_counter() - start, peak, stages, "\n".join(lines[-5:]))


def _read(process: subprocess.Popen[str], lines: list[str]) -> None:
    for line in process.stderr or ():
        if line.strip():
            lines.append(line.strip())


def _held(pid: int) -> Iterator[tuple[int, int]]:
    """Bytes in memory, and those of no file, of a process and of all that it started."""
    yield 0, 0
    for process in (pid, *_children(pid)):
        try:
            _, resident, shared, *_ = Path(f"/proc/{process}/statm").read_text().split()
        except OSError:  # it has just ended
            continue
        yield int(resident) * _PAGE, (int(resident) - int(shared)) * _PAGE


def _children(pid: int) -> Iterator[int]:
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = [int(child) for child in listed.read_text().split()]
        except OSError:
            continue
        for child in found:
            yield child
            yield from _children(child)
