"""Named methods: ours, and those that other distributions add as entry points; imported when they are asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib import import_module
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any, TypeVar

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


class Extensible(Mapping[str, T]):
    """Our methods, then those that installed distributions name as entry points.

    Names cost no import, so that help texts and checks of options may list them. A name of ours cannot be taken.

    Args:
        own: Name to ``module:attribute``, the module relative to ``package``.
        group: Of the entry points.
        kind: ``module:class`` of what a method must be, likewise.
        package: Of our methods.
    """

    def __init__(self, own: Mapping[str, str], group: str, kind: str, package: str) -> None:
        self._own = dict(own)
        self._group = group
        self._kind = kind
        self._package = package

    def __getitem__(self, name: str) -> T:
        """The method.

        Raises:
            KeyError: There is none of that name.
            MyqasrError: It cannot be loaded, or is something else.
        """
        if name in self._own:
            method: T = self._ours(self._own[name])
            return method
        entry = self._entries()[name]
        try:
            loaded: Any = entry.load()
        except Exception as error:  # whatever the code of others raises
            raise MyqasrError(f"{name!r}, {entry.value}: {error}", hint="repair the package that names it") from error
        kind = self._ours(self._kind)
        if not isinstance(loaded, kind):
            got = f"{entry.value} is of type {type(loaded).__name__}, expected {kind.__name__}"
            raise MyqasrError(f"{name!r}: {got}", hint=f"see the entry points of group {self._group}")
        found: T = loaded
        return found

    def __contains__(self, name: object) -> bool:
        """Loads nothing."""
        return name in self._own or name in self._entries()

    def __iter__(self) -> Iterator[str]:
        """Our names first."""
        yield from self._own
        yield from sorted(self._entries().keys() - self._own.keys())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _ours(self, place: str) -> Any:
        module, _, attribute = place.partition(":")
        return getattr(import_module(f"{self._package}.{module}"), attribute)

    def _entries(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in _installed(self._group, _places())}


def _places() -> tuple[tuple[str, int], ...]:
    """The folders that distributions are found in, and when each last changed, in ns."""
    found = []
    for place in sys.path:
        try:
            found.append((place, os.stat(place or ".").st_mtime_ns))
        except OSError:
            found.append((place, 0))
    return tuple(found)


@lru_cache
def _installed(group: str, places: tuple[tuple[str, int], ...]) -> EntryPoints:
    """Those of all distributions in ``places``: a file each, which takes a tenth of a second."""
    return entry_points(group=group)
