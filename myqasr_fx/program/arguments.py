"""The arguments that an exported program is called with, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch.export import ExportedProgram
from torch.utils import _pytree as pytree


@dataclass(frozen=True, slots=True)
class Arguments:
    """Names and nesting of a call.

    Args:
        names: Of the positional arguments, then of the others.
        positional: How many come by position.
        spec: Of the call, as ``torch.export`` has it.
    """

    names: tuple[str, ...]
    positional: int
    spec: pytree.TreeSpec

    @classmethod
    def of(cls, program: ExportedProgram) -> Arguments | None:
        """Those of a program; None where it does not tell their names."""
        signature, spec = program.module_call_graph[0].signature, program.call_spec.in_spec
        names = getattr(signature, "forward_arg_names", None)
        if names is None or spec is None:
            return None
        positional, keywords = spec.children()
        own = tuple(names)[: positional.num_children]
        return cls((*own, *keywords.context), len(own), spec)

    def leaves(self, batch: Mapping[str, Any]) -> list[Any]:
        """What a call with these arguments takes, in the order of the program's inputs.

        Raises:
            ValueError: A name is unknown, or an argument is nested otherwise.
        """
        nested = [argument for side in self.spec.children() for argument in side.children() if not argument.is_leaf()]
        if len(self.names) == len(nested) == 1 and self.names[0] not in batch:  # a program that takes a mapping
            batch = {self.names[0]: batch}
        if unknown := [name for name in batch if name not in self.names]:
            raise ValueError(f"no argument {unknown[0]!r}")
        values = {name: batch.get(name) for name in self.names}  # what is left out was None when it was exported
        called = tuple(values[name] for name in self.names[: self.positional])
        found: list[Any] = self.spec.flatten_up_to((called, {k: values[k] for k in self.names[self.positional :]}))
        return found
