"""Threads of this process, where several processes share the cores."""

from __future__ import annotations

_ONE_A_CORE = 0
_of_sessions = _ONE_A_CORE


def take_threads(count: int) -> None:
    """Keeps operators of torch and of onnxruntime to so many threads from now on; compiled loops follow torch."""
    global _of_sessions
    import torch

    torch.set_num_threads(count)
    _of_sessions = count


def session_threads() -> int:
    """Threads of a session that asks for no number: 0 is one a core."""
    return _of_sessions
