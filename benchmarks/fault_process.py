"""Runs a command of ``myqasr`` in a child that is forked after everything is imported, with a time limit.

A child has a home, a temporary folder and a terminal of its own: none. Nothing of torch or onnxruntime may run in the
parent, whose threads a child would miss.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from typing import NoReturn

from fault_case import LIMIT_SECONDS, Ended
from fault_folder import changes, entries

HOME, TEMPORARY = "home", "tmp"
MOST_ADDRESSES = 16 << 30
"""Bytes of address space of a child, so that a machine survives what asks for hundreds of gigabytes."""

Watch = Callable[[str, tuple[object, ...]], None]
"""Called in a child with every audit event and its arguments."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how a command runs.

    Args:
        scratch: Its working folder; ``home`` and ``tmp`` in it are made.
        watch: An audit hook; None without one.
        stop: Signal and the seconds, as of ``limit``, after which it is sent.
        largest_file: Bytes beyond which no file can grow.
        environment: Variables to set; None takes one away.
        limit: Seconds after which it is ended; those in which it waited for a processor do not count.
    """

    scratch: Path
    watch: Watch | None = None
    stop: tuple[int, float] | None = None
    largest_file: int | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    limit: float = LIMIT_SECONDS


def import_everything() -> None:
    """What commands import on their way, so that no child has to; starts no thread."""
    os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "ORT_DISABLE_TELEMETRY": "1"}
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}  # as the command line does
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)
    import av  # noqa: F401
    import jiwer  # noqa: F401

    import myqasr_fx.acceptance.assess
    import myqasr_fx.cli.app
    import myqasr_fx.corpora
    import myqasr_fx.evaluate
    import myqasr_fx.lint.lint
    import myqasr_fx.personalize.experiment
    import myqasr_fx.personalize.result
    import myqasr_fx.pipeline
    import myqasr_fx.report.command
    import myqasr_fx.runtime  # noqa: F401


def warm_up(base: Path) -> None:
    """Takes the road of a plan once, on which libraries import and keep what every child would have to anew.

    Raises:
        SystemExit: A thread was started, which children would miss.
    """
    from myqasr_fx import pipeline
    from myqasr_fx.options.resolve import resolve_config

    for name in ("ctc", "whisper"):
        pipeline.plan(str(base / name), [base / "audio" / "f0.wav"], config=resolve_config(uniform_bits=4))
    gc.collect()
    gc.freeze()
    if len(os.listdir("/proc/self/task")) > 1:
        raise SystemExit("a thread runs in the process that is forked")


def run(command: Sequence[str], place: Place) -> Ended:
    """Runs a command in a forked child.

    Args:
        command: Arguments of ``myqasr``.
        place: Where and how.
    """
    for name in (HOME, TEMPORARY):
        (place.scratch / name).mkdir(exist_ok=True)
    before = entries(place.scratch)
    with tempfile.TemporaryDirectory() as said:
        paths = [Path(said, name) for name in ("out", "err")]
        for path in paths:  # the child may be killed before it opens them
            path.touch()
        start = time.perf_counter()
        child = os.fork()
        if not child:
            _become(command, place, paths)
        code, usage, seconds = _wait(child, place, start)
        out, err = (path.read_text(encoding="utf-8", errors="surrogateescape") for path in paths)
    made = changes(before, place.scratch)
    return Ended(code, out, err, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss << 10, made)


def run_whole(command: Sequence[str], place: Place, prefix: Sequence[str] = ()) -> Ended:
    """Runs a command in an interpreter of its own.

    Args:
        command: Arguments of ``myqasr``.
        place: Where; of its other fields only ``environment`` and ``limit`` count.
        prefix: What starts the interpreter, such as a shell that closes streams.
    """
    for name in (HOME, TEMPORARY):
        (place.scratch / name).mkdir(exist_ok=True)
    before, start = entries(place.scratch), time.perf_counter()
    whole = [*prefix, sys.executable, "-m", "myqasr_fx", *command]
    process = subprocess.Popen(
        whole, cwd=place.scratch, env=environment(place), stdin=subprocess.DEVNULL, stdout=PIPE, stderr=PIPE
    )
    said, ended, waited = (b"", b""), False, 0.0
    while not ended and place.limit > (seconds := taken(process.pid, start)):
        waited = time.perf_counter() - start - seconds  # gone with the process
        with contextlib.suppress(subprocess.TimeoutExpired):
            said, ended = process.communicate(timeout=min(1.0, place.limit - seconds)), True
    if not ended:
        process.kill()
        said = process.communicate()
    seconds, made = time.perf_counter() - start - waited, changes(before, place.scratch)
    texts = [each.decode("utf-8", "surrogateescape") for each in said]
    return Ended(process.returncode if ended else None, texts[0], texts[1], seconds, seconds, 0, made)


def in_child(work: Callable[[], None]) -> None:
    """Runs ``work`` in a child, so that its threads and tensors end with it.

    Raises:
        SystemExit: It failed.
    """
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise SystemExit(f"{getattr(work, '__name__', work)}: failed")


def environment(place: Place) -> dict[str, str]:
    """The variables of a child."""
    own = {"HOME": str(place.scratch / HOME), "TMPDIR": str(place.scratch / TEMPORARY), "HF_HUB_OFFLINE": "1"}
    changed: dict[str, str | None] = {**os.environ, "PYTHONPATH": str(ROOT), **own, **place.environment}
    return {name: value for name, value in changed.items() if value is not None}


ROOT = Path(__file__).resolve().parents[1]


def _become(command: Sequence[str], place: Place, said: Sequence[Path]) -> NoReturn:
    """The child: does what the program would, and ends."""
    code = 1
    try:
        os.setsid()
        os.chdir(place.scratch)
        descriptors = [os.open(os.devnull, os.O_RDONLY), *(os.open(p, os.O_WRONLY | os.O_CREAT) for p in said)]
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        sys.stdout, sys.stderr = (
            open(number, "w", encoding="utf-8", closefd=False, buffering=buffered)
            for number, buffered in ((1, -1), (2, 1))
        )
        variables = environment(place)
        os.environ.clear()
        os.environ.update(variables)
        tempfile.tempdir = None
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        _set_limits(place)
        if place.watch is not None:
            sys.addaudithook(place.watch)
        code = _main(command)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = code or 120
        os._exit(code)


def _set_limits(place: Place) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    if place.largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (place.largest_file, resource.RLIM_INFINITY))


def _main(command: Sequence[str]) -> int:
    from myqasr_fx.cli import main

    try:
        main(command)
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)


def _wait(child: int, place: Place, start: float) -> tuple[int | None, resource.struct_rusage, float]:
    """Exit code of a child, None after too long; what it used; and the seconds that it took."""
    handle = os.pidfd_open(child)
    try:
        if place.stop is not None:
            number, seconds = place.stop
            alive = True
            while alive and (left := seconds - taken(child, start)) > 0:
                alive = not select.select([handle], [], [], left)[0]
            if alive:
                signal.pidfd_send_signal(handle, number)
        ended = False
        while not ended and (left := place.limit - taken(child, start)) > 0:
            ended = bool(select.select([handle], [], [], left)[0])
        if not ended:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        took = taken(child, start)
        _, status, usage = os.wait4(child, 0)
    finally:
        os.close(handle)
    return os.waitstatus_to_exitcode(status) if ended else None, usage, took


def taken(process: int, start: float) -> float:
    """Seconds since ``start`` but for those in which a process waited for a processor: the machine may be busy."""
    passed = time.perf_counter() - start
    try:
        return passed - int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    except (OSError, IndexError):  # a system that keeps no count
        return passed
