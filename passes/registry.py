"""Named methods: looking one up, with an error that lists the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from passes.errors import MyqasrError

T = TypeVar("T")


def lookup(registry: Mapping[str, T], name: str, what: str) -> T:
    """The method ``name`` of ``registry``.

    Args:
        registry: Name to method.
        name: Of the method.
        what: What the registry holds, for the message.

    Raises:
        MyqasrError: No method of that name.
    """
    if name not in registry:
        raise MyqasrError(f"unknown {what} {name!r}", hint=f"known: {', '.join(registry)}")
    return registry[name]
