"""How much memory there is, so that too little of it is told before the work and not by the system's killing it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from passes.errors import MyqasrError

_MEMINFO = Path("/proc/meminfo")
_GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)
"""Limit and use of the group of processes that a container is, versions 2 and 1."""


def check_room(what: str, needed: int) -> None:
    """Refuses work for which there is too little memory.

    Args:
        what: The work, as the subject of a sentence.
        needed: Bytes that it takes at least, beside what this process has.

    Raises:
        MyqasrError: Less is free.
    """
    free = free_bytes()
    if free is not None and needed > free:
        raise MyqasrError(
            f"{what} takes at least {needed / 1e9:.1f} GB more memory, {free / 1e9:.1f} GB are free",
            hint="end other programs, raise the container's limit, or take a smaller model",
        )


def free_bytes() -> int | None:
    """Bytes that this process can still take, on the machine and within the limit of its container.

    Swap counts, and so do pages that the system would drop since files hold them. None where the system does not tell.
    """
    found = [*_on_the_machine(), *_in_the_group()]
    return min(found) if found else None


def _on_the_machine() -> Iterator[int]:
    try:
        lines = _MEMINFO.read_text(encoding="utf-8").splitlines()
        sizes = {name: 1024 * int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        yield sizes["MemAvailable"] + sizes["SwapFree"]
    except (OSError, ValueError, KeyError, IndexError):
        return


def _in_the_group() -> Iterator[int]:
    for limit, used in _GROUPS:
        try:
            yield max(0, int(limit.read_text()) - int(used.read_text()) + _of_files(limit.with_name("memory.stat")))
        except (OSError, ValueError):  # no such group, or one without a limit
            continue


def _of_files(stat: Path) -> int:
    """Bytes of the group's pages that files hold as well."""
    sizes = dict(line.split() for line in stat.read_text(encoding="utf-8").splitlines())
    return int(sizes.get("inactive_file", 0)) + int(sizes.get("active_file", 0))
