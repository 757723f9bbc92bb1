"""keep_freed_memory: freed pieces stay with the process, unless the user or the system says otherwise."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from myqasr_fx.process import freed_memory
from myqasr_fx.process.freed_memory import keep_freed_memory

GLIBC = platform.libc_ver()[0] == "glibc"

KEPT = """
import mmap, sys, torch
from myqasr_fx.process.freed_memory import keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE

print(keep_freed_memory())
torch.ones(1).add(1)
before = resident()
large = torch.ones(12 << 20)  # 48 MiB
during = resident()
del large
print(during - before, resident() - before)
"""


def run(**environment: str) -> list[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    command = [sys.executable, "-c", KEPT]
    return subprocess.run(command, env=clean | environment, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
def test_a_freed_tensor_stays_with_the_process() -> None:
    took, used, left = run()
    assert took == "True"
    assert int(used) > 47 << 20
    assert int(left) > 0.9 * int(used)


@pytest.mark.skipif(not GLIBC, reason="the C library is not glibc")
@pytest.mark.parametrize("setting", ["MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX"])
def test_the_settings_of_the_user_count(setting: str) -> None:
    took, used, left = run(**{setting: "1048576" if "MMAP" in setting else "2"})
    assert took == "False"
    assert int(left) < 0.1 * int(used)


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freed_memory.platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()


@pytest.mark.skipif(not GLIBC, reason="of glibc alone")
def test_free_pieces_between_others_are_handed_back() -> None:
    pieces = """
import mmap, torch
from myqasr_fx.process.freed_memory import keep_freed_memory, trim

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE

assert keep_freed_memory()
held = [torch.ones(1 << 20) for _ in range(64)]  # 4 MiB each, in the heap
during = resident()
last = held[-1]
held.clear()
trim()
assert during - resident() > 200 << 20, (during, resident())
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    subprocess.run([sys.executable, "-c", pieces], check=True, env=environment)
