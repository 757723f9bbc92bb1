"""Tasks on processes of Ray, each with a model of its own; a worker that dies is replaced and its task done again.

What travels between the processes is pickled by Ray: a setting and tasks one way, rows the other. Model and recordings
do not travel: every worker reads them from the same files.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from myqasr_fx.errors import OptionError
from myqasr_fx.fleet.ledger import UserRow
from myqasr_fx.fleet.one_user import Task
from myqasr_fx.fleet.worker import Setting, Worker
from myqasr_fx.fleet.workers import LOCAL, Workers
from myqasr_fx.process.library_error import first_line

TRIES = 3
"""Workers that one user may cost: recordings that kill a process would kill them all."""

_SHARED_MEMORY = 100 << 20  # bytes; little travels
_PATIENCE = 5.0  # seconds for a connection
_SEE = "see `ray status`, or take --ray local"


def rows_on_ray(tasks: Sequence[Task], setting: Setting, workers: Workers) -> Generator[UserRow, None, None]:
    """A row a task, as they come.

    Args:
        tasks: One a user.
        setting: Of all workers; ``threads`` is what they share.
        workers: Where, and how many.

    Raises:
        OptionError: Ray is missing or does not start, or a worker cannot begin.
    """
    with _cluster(workers, setting.threads) as (ray, cores):
        count = min(workers.count or cores, len(tasks))
        if count > cores:
            raise OptionError(f"{count} workers: Ray has {cores} cores", hint="give fewer --workers")
        yield from _Crew(ray, setting, count, max(1, cores // count)).rows(tasks)


class _Crew:
    """Workers of one fleet, one task each at a time."""

    def __init__(self, ray: Any, setting: Setting, count: int, threads: int) -> None:
        self._ray = ray
        own = Setting(setting.model, setting.fingerprint, setting.order, threads)
        self._setting = ray.put(own)
        own_threads = {"env_vars": {"OMP_NUM_THREADS": str(threads)}}  # of libraries that look when they are imported
        self._kind = ray.remote(Worker).options(num_cpus=threads, runtime_env=own_threads)
        self._idle = [self._hired() for _ in range(count)]

    def rows(self, tasks: Sequence[Task]) -> Iterator[UserRow]:
        waiting, tries = deque(tasks), dict.fromkeys((task.user for task in tasks), 0)
        busy: dict[Any, tuple[Any, Task]] = {}
        self._begin(waiting, busy)
        while busy:
            (ready, *_), _ = self._ray.wait(list(busy))
            worker, task = busy.pop(ready)
            try:
                row = self._ray.get(ready)
                self._idle.append(worker)
            except self._ray.exceptions.RayActorError:
                self._idle.append(self._hired())
                tries[task.user] += 1
                if tries[task.user] < TRIES:
                    waiting.append(task)
                    self._begin(waiting, busy)
                    continue
                row = UserRow(task.user, "", 0.0, error=f"{TRIES} workers died over it (too little memory?)")
            if isinstance(row, str):
                raise OptionError(f"a worker cannot begin: {row}")
            self._begin(waiting, busy)  # before the row is handled: nobody waits for that
            yield row

    def _begin(self, waiting: deque[Task], busy: dict[Any, tuple[Any, Task]]) -> None:
        """Gives tasks to those who have none."""
        while waiting and self._idle:
            worker, task = self._idle.pop(), waiting.popleft()
            busy[worker.do.remote(task)] = worker, task

    def _hired(self) -> Any:
        return self._kind.remote(self._setting)


@contextmanager
def _cluster(workers: Workers, threads: int) -> Iterator[tuple[Any, int]]:
    """Ray and its cores; what was started here is ended here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it reports to its makers otherwise
    try:
        import ray
    except ImportError as error:
        raise OptionError("workers need ray, which is not installed", hint="pip install 'myqasr-fx[ray]'") from error
    if ray.is_initialized():  # by who calls from Python
        yield ray, int(ray.cluster_resources().get("CPU", 0))
        return
    _check_reachable(workers.address)
    own: dict[str, Any] = {}
    if workers.address == LOCAL:
        cores = max(threads, workers.count or 1)
        own = {"num_cpus": cores, "include_dashboard": False, "object_store_memory": _SHARED_MEMORY}
    try:
        ray.init(workers.address, log_to_driver=False, logging_level="ERROR", **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise OptionError(f"ray {workers.address}: {first_line(error)}", hint=_SEE) from error
    ray._private.worker._worker_logs_enabled = False  # a death is told on standard output, where answers are
    try:
        yield ray, int(ray.cluster_resources().get("CPU", 0))
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Ray itself asks for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise OptionError(f"ray {address}: no answer: {first_line(error)}", hint=_SEE) from error
