"""What a program takes and gives, read off ``torch.export``'s own description."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from myqasr_fx.capture.signature import DynamicDim, GraphSignature, TensorSpec
from myqasr_fx.errors import CaptureError, ProgramInputError
from myqasr_fx.process.library_error import first_line
from myqasr_fx.program.arguments import Arguments
from passes.graph.naming import free_name
from passes.graph.written import written

Batch = Tensor | Sequence[Any] | Mapping[str, Tensor]
"""Inputs of one call: a tensor, positional inputs, or tensors by name."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Inputs and outputs of a program.

    Args:
        signature: Names, types and sizes.
        arguments: Of a call, which may be nested; None where they are not known.
    """

    signature: GraphSignature
    arguments: Arguments | None = None

    def flat(self, batch: Batch, index: int) -> tuple[Tensor, ...]:
        """The tensors of a batch in the order of the program's inputs.

        Args:
            batch: As in :data:`Batch`; tensors may be nested as the model takes them.
            index: Of the batch, to name it in errors.

        Raises:
            ProgramInputError: It does not fit the program.
        """
        names = self.signature.input_names
        if isinstance(batch, Mapping) and batch.keys() >= set(names):
            found = [batch[name] for name in names]
        else:
            found = [leaf for leaf in self._leaves(batch, index) if leaf is not None]
        if len(found) != len(names) or not all(isinstance(value, Tensor) for value in found):
            got = ", ".join(type(value).__name__ for value in found) or "nothing"
            raise ProgramInputError(f"batch {index}: got {got}, expected tensors {', '.join(names)}")
        for value, spec in zip(found, self.signature.inputs, strict=True):
            self._check(value, spec, index)
        return tuple(found)

    def _leaves(self, batch: Batch, index: int) -> list[Any]:
        found: list[Any] = pytree.tree_leaves(batch)
        tensors = all(leaf is None or isinstance(leaf, Tensor) for leaf in found)
        if not isinstance(batch, Mapping) or self.arguments is None or not tensors:
            return found
        try:
            return self.arguments.leaves(batch)
        except ValueError as error:
            got, expected = ", ".join(map(str, batch)) or "nothing", ", ".join(self.arguments.names)
            raise ProgramInputError(
                f"batch {index}: got {got}, expected {expected}: {first_line(error)}",
                hint="name inputs as the program's forward does",
            ) from error

    def _check(self, value: Tensor, spec: TensorSpec, index: int) -> None:
        fits = value.dim() == len(spec.dims) and all(map(self._allows, spec.dims, value.shape))
        if not fits or value.dtype != spec.dtype:
            wanted = f"{_plain(spec.dtype)} ({', '.join(map(str, spec.dims))})"
            raise ProgramInputError(
                f"batch {index}: {spec.name} is {_plain(value.dtype)} {tuple(value.shape)}, expected {wanted}",
                hint="export the program with dynamic_shapes to take other sizes",
            )
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ProgramInputError(f"batch {index}: {spec.name} holds values that are not finite")

    def _allows(self, dim: int | str, size: int) -> bool:
        if isinstance(dim, int):
            return dim == size
        known = self.signature.dims[dim]
        return known.minimum <= size and (known.maximum is None or size <= known.maximum)


def interface_of(program: ExportedProgram) -> Interface:
    """The interface of a program that :func:`torch.export.export` made.

    Dynamic dimensions are named after the first input that has them: ``tokens_1`` is axis 1 of ``tokens``.

    Raises:
        CaptureError: An input is no tensor, or a dynamic size is computed.
    """
    described = program.graph_signature
    nodes = {node.name: node for node in program.graph.find_nodes(op="placeholder")}
    names: dict[str, str] = {}
    dims: dict[str, DynamicDim] = {}
    inputs = []
    for name in described.user_inputs:
        value = nodes[name].meta.get("val") if isinstance(name, str) and name in nodes else None
        if not isinstance(value, Tensor):
            raise CaptureError(
                f"input {name!r} of the program is no tensor", hint="fix it in a module around the model"
            )
        for axis, size in enumerate(value.shape):
            if _is_dynamic(size) and str(size) not in names:
                names[str(size)] = f"{name}_{axis}"
                dims[f"{name}_{axis}"] = _dynamic(program, size, f"{name}_{axis}")
        inputs.append(TensorSpec(name, _sizes(value, names), value.dtype))
    signature = GraphSignature(tuple(inputs), tuple(_outputs(program, names)), dims)
    return Interface(signature, Arguments.of(program))


def check_stateless(module: fx.GraphModule) -> None:
    """Refuses a graph that writes into its own tensors, or into its inputs.

    Raises:
        CaptureError: Naming the first that it changes.
    """
    for root in written(module.graph):
        if root.op == "get_attr":
            problem = f"the program writes into {root.target}"
            raise CaptureError(problem, hint="export a model that keeps no state, in eval mode")
        if root.op == "placeholder":
            problem = f"the program writes into its input {root.target}"
            raise CaptureError(problem, hint="let it write into a copy, such as x.clone()")


def check_results(module: fx.GraphModule, signature: GraphSignature) -> None:
    """Refuses results that are the same whatever the inputs, as weights are: no file has a use for them.

    Args:
        module: Gives one tensor or a tuple of tensors.
        signature: Names of the outputs.

    Raises:
        CaptureError: Naming the first of them.
    """
    (output,) = module.graph.find_nodes(op="output")
    computed = {*module.graph.find_nodes(op="placeholder"), *written(module.graph)}
    for node in module.graph.nodes:
        if not computed.isdisjoint(node.all_input_nodes):
            computed.add(node)
    results = output.args[0] if isinstance(output.args[0], tuple) else output.args
    for name, result in zip(signature.output_names, results, strict=True):
        if result not in computed:
            what = f" is {result.target}, and" if result.op == "get_attr" else ""
            raise CaptureError(
                f"{name} of the program{what} depends on no input", hint="export a model that returns no constants"
            )


def _outputs(program: ExportedProgram, names: Mapping[str, str]) -> Iterator[TensorSpec]:
    """The results that are tensors; others are constants."""
    (output,) = program.graph.find_nodes(op="output")
    results = [node for node in output.args[0] if isinstance(node, fx.Node)]
    if not results:
        raise CaptureError("the program gives no tensor")
    taken = {str(name) for name in program.graph_signature.user_inputs}
    for index, node in enumerate(results):
        name = free_name("output" if len(results) == 1 else f"output_{index}", taken)
        taken.add(name)
        yield TensorSpec(name, _sizes(node.meta["val"], names), node.meta["val"].dtype)


def _sizes(value: Tensor, names: Mapping[str, str]) -> tuple[int | str, ...]:
    """Numbers, names of dynamic dimensions, and expressions of those."""

    def named(size: int | torch.SymInt) -> int | str:
        if _is_dynamic(size):
            return re.sub(r"\w+", lambda symbol: names.get(symbol[0], symbol[0]), str(size))
        return int(size)

    return tuple(map(named, value.shape))


def _is_dynamic(size: int | torch.SymInt) -> TypeGuard[torch.SymInt]:
    """False for a number, which ``Dim.AUTO`` leaves as a symbol of one where the program takes no other."""
    return isinstance(size, torch.SymInt) and not size.node.expr.is_number


def _dynamic(program: ExportedProgram, size: torch.SymInt, name: str) -> DynamicDim:
    symbol = size.node.expr
    bounds = program.range_constraints.get(symbol)
    if bounds is None:
        raise CaptureError(f"size {symbol} of {name} is computed", hint="export with plain dynamic dimensions")
    lower, upper = int(bounds.lower), (int(bounds.upper) if bounds.upper.is_Integer else None)
    example = size.node.hint if size.node.has_hint() else max(2, lower)
    return DynamicDim(max(2, int(example)), lower, upper)


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def checked(interface: Interface, batches: Iterable[Batch]) -> Iterator[tuple[Tensor, ...]]:
    """Every batch, flat.

    Raises:
        ProgramInputError: One does not fit, or there is none.
    """
    index = -1
    for index, batch in enumerate(batches):
        yield interface.flat(batch, index)
    if index < 0:
        raise no_batch()


def no_batch() -> ProgramInputError:
    """The error of an empty calibration."""
    return ProgramInputError("no batch to calibrate on", hint="give at least one")
