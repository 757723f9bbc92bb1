"""Commands where something that programs take for granted is missing: home, terminal, UTF-8, streams, columns.

Each runs in an interpreter of its own, since Python settles such things when it starts.
"""

from __future__ import annotations

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from fcntl import ioctl
from pathlib import Path
from random import Random

from fault_base import QUANTIZE
from fault_case import LIMIT_SECONDS, NAME, Ended, Outcome, Trial, Tried, Verdict, last_line, strict_json
from fault_folder import changes, entries, link_tree
from fault_process import HOME, TEMPORARY, Place, environment, run_whole, taken

COLUMNS = 20
_ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": None}
_CLOSED = "no standard output"
_FULL = "a full standard output"


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not there.

    Args:
        name: What.
        variables: To set; None takes one away.
        shell: What runs before the interpreter, with ``"$@"`` for it; empty for none.
        terminal: On a terminal of ``COLUMNS`` columns.
        codes: Exit codes that are right.
    """

    name: str
    variables: Mapping[str, str | None] = field(default_factory=dict)
    shell: str = ""
    terminal: bool = False
    codes: tuple[int, ...] = (0, 3)


MISSING = (
    Missing("no HOME", {"HOME": None}),
    Missing("a HOME that is not there", {"HOME": "/nowhere/at/all", "XDG_CACHE_HOME": "/nowhere/at/all/cache"}),
    Missing("a C locale", _ASCII),
    Missing("a terminal of 20 columns", {"TERM": "xterm"}, terminal=True),
    Missing("20 columns without a terminal", {"COLUMNS": str(COLUMNS), "TERM": "dumb"}),
    Missing("no standard input", shell='exec "$@" <&-'),
    Missing("no standard error", shell='exec "$@" 2>&-'),
    Missing(_CLOSED, shell='exec "$@" >&-', codes=(2,)),
    Missing(_FULL, shell='exec "$@" >/dev/full', codes=(2,)),
    Missing("no temporary folder", {"TMPDIR": "/nowhere/at/all"}),
)
"""Where TMPDIR leads nowhere, Python takes another folder."""

_COMMANDS = (
    ("--help",),
    ("quantize", "--help"),
    ("models", "--json"),
    ("inspect", "bundle-ctc"),
    ("transcribe", "bundle-ctc", "audio/ä\u2028b.wav"),
    ("lint", "bundle-ctc"),
    ("report", "bundle-ctc", "bundle-whisper", "--out", "page.html"),
    ("evaluate", "bundle-whisper", "--manifest", "manifest.jsonl"),
    ("quantize", "ctc", "audio/f0.wav", *QUANTIZE, "--dry-run", "--json"),
)
_SILENT_CLOSED = ("--help",)
"""What the library of the command line prints itself, and nobody reads, is no failure."""


def _attempt(base: Path, scratch: Path, random: Random, number: int) -> Tried:
    missing, command = MISSING[number % len(MISSING)], _COMMANDS[number // len(MISSING)]
    for name in ("bundle-ctc", "bundle-whisper", "audio", "ctc"):
        link_tree(base / name, scratch / name)
    (scratch / "audio" / "ä\u2028b.wav").hardlink_to(base / "audio" / "f0.wav")
    (scratch / "manifest.jsonl").hardlink_to(base / "manifest.jsonl")
    place = Place(scratch, environment=missing.variables)
    if missing.terminal:
        ended = _on_terminal(command, place)
    else:
        ended = run_whole(command, place, ("sh", "-c", missing.shell, "sh") if missing.shell else ())
    complaint = _complaint(missing, command, ended)
    outcome = Outcome.HANG if ended.code is None else Outcome.UNFORESEEN if complaint else Outcome.WORKED
    if outcome is Outcome.WORKED and ended.code == 2:
        outcome = Outcome.REFUSED
    return Tried(missing.name, command, Verdict(outcome, complaint or last_line(ended.err)), ended)


def _complaint(missing: Missing, command: tuple[str, ...], ended: Ended) -> str | None:
    codes = (*missing.codes, 0) if command[-1] in _SILENT_CLOSED and missing.name == _CLOSED else missing.codes
    if ended.code not in codes:
        return f"exit code {ended.code}: {last_line(ended.err)[:300]}"
    if "Traceback" in ended.err or "Traceback" in ended.out:
        return "a traceback"
    if ended.code == 2 and (ended.err.count(NAME) != 1 or len(last_line(ended.err)) >= 300):
        return f"not one line: {ended.err[:300]!r}"
    if ended.code == 0 and "--json" in command and not missing.terminal:
        try:
            strict_json(ended.out)
        except ValueError as error:
            return f"its answer is no JSON: {error}"
    strays = [name for name in ended.made if name != "page.html"]
    return f"left behind: {', '.join(strays[:4])}" if strays else None


def _on_terminal(command: tuple[str, ...], place: Place) -> Ended:
    """Runs a command on a terminal; all that it shows is ``out``."""
    for name in (HOME, TEMPORARY):
        (place.scratch / name).mkdir(exist_ok=True)
    before, start = entries(place.scratch), time.perf_counter()
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    whole = [sys.executable, "-m", "myqasr_fx", *command]
    process = subprocess.Popen(whole, cwd=place.scratch, env=environment(place), start_new_session=True, **streams)
    os.close(theirs)
    shown, waited = bytearray(), 0.0
    while (left := LIMIT_SECONDS - (seconds := taken(process.pid, start))) > 0:
        waited = time.perf_counter() - start - seconds  # gone with the process
        if not select.select([ours], [], [], min(1.0, left))[0]:
            continue
        try:
            shown += os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
    if left <= 0:
        process.kill()
    code = process.wait()
    os.close(ours)
    made = changes(before, place.scratch)
    text = shown.decode("utf-8", "replace")
    seconds = time.perf_counter() - start - waited
    return Ended(code if left > 0 else None, text, "", seconds, seconds, 0, made)


TRIALS = (Trial("missing: HOME, UTF-8, streams, columns", len(MISSING) * len(_COMMANDS), _attempt),)
