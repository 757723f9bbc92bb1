"""The compiler, under the name at which users of Optimum look for it."""

from typing import Any

__all__ = ["QuantizedBundle", "load", "quantize"]


def __getattr__(name: str) -> Any:
    """Names of ``myqasr_fx``, brought when they are first used: ``optimum-cli`` looks into every distribution."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import myqasr_fx

    return getattr(myqasr_fx, name)
