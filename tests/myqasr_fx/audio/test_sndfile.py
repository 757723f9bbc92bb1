"""What the decoders' compiled code says stays off standard error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

Record = Callable[..., Path]


def test_a_damaged_mp3_is_not_talked_about(record: Record) -> None:
    path = record("a.mp3", np.random.default_rng(0).normal(0, 0.1, 160_000).astype(np.float32))
    data = bytearray(path.read_bytes())
    data[len(data) // 3 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 3)
    path.write_bytes(data)
    code = "import sys, soundfile; soundfile.read(sys.argv[1])"
    spoken = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, check=False)
    assert b"mpg123" in spoken.stderr  # without us, the decoder talks
    ours = "import sys; from myqasr_fx.audio import load_audio; print(load_audio(sys.argv[1]).seconds)"
    heard = subprocess.run([sys.executable, "-c", ours, str(path)], capture_output=True, check=False)
    assert b"mpg123" not in heard.stderr


def test_a_closed_standard_error_is_no_obstacle(record: Record) -> None:
    ours = "import sys; from myqasr_fx.audio import load_audio; print(load_audio(sys.argv[1]).seconds)"
    command = f"{sys.executable} -c '{ours}' {record('a.wav')} 2>&-"
    assert subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout == "2.0\n"
