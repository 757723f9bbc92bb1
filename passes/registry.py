"""Named methods: looking one up, with an error that lists the others, and those that other distributions add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
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


class Extensible(Mapping[str, T]):
    """Our methods, then those that installed distributions name as entry points, which are loaded when asked for.

    A name of ours cannot be taken.

    Args:
        own: Name to method.
        group: Of the entry points.
        kind: Class that a method must be of.
    """

    def __init__(self, own: Mapping[str, T], group: str, kind: type[T]) -> None:
        self._own = dict(own)
        self._group = group
        self._kind = kind

    def __getitem__(self, name: str) -> T:
        """The method.

        Raises:
            KeyError: There is none of that name.
            MyqasrError: It cannot be loaded, or is something else.
        """
        if name in self._own:
            return self._own[name]
        entry = self._entries()[name]
        try:
            method = entry.load()
        except Exception as error:  # whatever the code of others raises
            raise MyqasrError(f"{name!r}, {entry.value}: {error}", hint="repair the package that names it") from error
        if not isinstance(method, self._kind):
            got = f"{entry.value} is of type {type(method).__name__}, expected {self._kind.__name__}"
            raise MyqasrError(f"{name!r}: {got}", hint=f"see the entry points of group {self._group}")
        return method

    def __contains__(self, name: object) -> bool:
        """Loads nothing."""
        return name in self._own or name in self._entries()

    def __iter__(self) -> Iterator[str]:
        """Our names first."""
        yield from self._own
        yield from sorted(self._entries().keys() - self._own.keys())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _entries(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self._group)}
