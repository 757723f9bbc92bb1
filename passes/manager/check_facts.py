"""``verify``: what must be true of a program for each fact that a pass claims, checked on the program itself.

========================= ==========================================================================================
always                    graphs lint: order, uses, attributes and submodules that nodes name
``canonical``             canonical spellings and arguments only; one attribute and node for each tensor; layers agree
not ``observed``          no observer
``observed``              every layer node's result has an observer
``sensitivity``           one finite number for all uses of a layer
``scheme``                blocks that cover the rows of every weight layer
``qparams``               one for each block of integers, with the shape that its granularity asks for
``rounded``               codes for every block, in the range of their width
not the fact              no annotation of it
``fake_quant``            only ATen operators and Python arithmetic
========================= ==========================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import fx

from passes.base import Fact, Program
from passes.errors import PassError, VerificationError
from passes.graph import meta, ops
from passes.graph.graph_edit import get_tensor
from passes.graph.layers import Layer, find_layers, nodes_of
from passes.numbers.affine import QParams, top
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight
from passes.numbers.scheme import LayerScheme, RowBlock
from passes.observe.observer import Observer

_OWNER: Mapping[str, Fact] = {
    meta.SENSITIVITY: Fact.SENSITIVITY,
    meta.SCHEME: Fact.SCHEME,
    meta.WEIGHT_QPARAMS: Fact.QPARAMS,
    meta.ACTIVATION_QPARAMS: Fact.QPARAMS,
    meta.QUANTIZED_WEIGHT: Fact.ROUNDED,
}
"""Annotation to the fact that allows it."""

_LOWERED = frozenset({Fact.FAKE_QUANT, Fact.QDQ})


def verify(program: Program, facts: frozenset[Fact]) -> None:
    """Checks every graph against what is claimed of it.

    Raises:
        VerificationError: Names the graph, the node, what was expected and what was found.
    """
    _check_graphs(program)
    if Fact.OBSERVED not in facts:
        _check_unobserved(program)
    if Fact.FAKE_QUANT in facts:
        _check_fake_quant(program)
    if facts & _LOWERED:
        return  # the annotations have become nodes
    _check_annotations(program, facts)
    for fact, check in _CHECKS.items():
        if fact in facts:
            check(program)


def _fail(graph: str, node: fx.Node | None, problem: str) -> VerificationError:
    place = f"graph {graph}" if node is None else f"graph {graph}, node {node.name}"
    return VerificationError(f"{place}: {problem}")


def _check_graphs(program: Program) -> None:
    for graph, module in program.graphs.items():
        try:
            module.graph.lint()
        except (RuntimeError, ValueError) as error:
            raise _fail(graph, None, f"malformed: {error}") from error


def _check_unobserved(program: Program) -> None:
    for graph, module in program.graphs.items():
        names = [name for name, child in module.named_modules() if isinstance(child, Observer)]
        if names:
            raise _fail(graph, None, f"holds {len(names)} observers, {names[0]} first, and is not observed")


def _check_annotations(program: Program, facts: frozenset[Fact]) -> None:
    for graph, _, node in program.nodes():
        for key, fact in _OWNER.items():
            if fact not in facts and meta.get(node, key) is not None:
                raise _fail(graph, node, f"carries {key} although the program is not {fact}")


def _check_canonical(program: Program) -> None:
    for graph, module, node in program.nodes():
        if node.target in ops.NOT_CANONICAL:
            raise _fail(graph, node, f"{node.target} is no canonical spelling")
        role = ops.role_of(node)
        if role is not None and (node.kwargs or len(node.args) != role.arity):
            raise _fail(
                graph, node, f"{len(node.args)} arguments and {len(node.kwargs)} keywords, expected {role.arity}"
            )
        if role is not None and role.weight is not None and meta.get(node, meta.LAYER) is not None:
            source = ops.weight_node(node)
            if source is None or get_tensor(module, str(source.target)).dim() != role.weight_ndim:
                raise _fail(graph, node, f"layer without a weight attribute of {role.weight_ndim} dimensions")
    try:
        find_layers(program)
    except PassError as error:
        raise VerificationError(error.message, hint=error.hint) from error
    _check_ties(program)


def _check_ties(program: Program) -> None:
    for graph, module in program.graphs.items():
        seen: set[str] = set()
        for node in module.graph.find_nodes(op="get_attr"):
            if node.target in seen:
                raise _fail(graph, node, f"{node.target} is read by two nodes")
            seen.add(str(node.target))


def _uses(program: Program) -> Iterator[tuple[Layer, str, fx.Node]]:
    """Every use of every layer, with its graph's name."""
    for layer in find_layers(program):
        for use, (_, node) in zip(layer.uses, nodes_of(program, layer), strict=True):
            yield layer, use.graph, node


def _check_observed(program: Program) -> None:
    for layer, graph, node in _uses(program):
        module = program.graphs[graph]
        watchers = [user for user in node.users if user.op == "call_module"]
        if not any(isinstance(module.get_submodule(str(user.target)), Observer) for user in watchers):
            raise _fail(graph, node, f"layer {layer.name}: no observer looks at the result")


def _check_sensitivity(program: Program) -> None:
    found: dict[str, float] = {}
    for layer, graph, node in _uses(program):
        value = meta.get(node, meta.SENSITIVITY)
        if not isinstance(value, float) or not math.isfinite(value):
            raise _fail(graph, node, f"layer {layer.name}: sensitivity {value}, expected a finite number")
        if found.setdefault(layer.name, value) != value:
            raise _fail(graph, node, f"layer {layer.name}: sensitivity {value}, expected {found[layer.name]}")


def _scheme_of(graph: str, node: fx.Node, layer: Layer) -> LayerScheme:
    scheme = meta.get(node, meta.SCHEME)
    if not isinstance(scheme, LayerScheme) or (scheme.layer, scheme.rows) != (layer.name, layer.rows):
        raise _fail(graph, node, f"layer {layer.name} of {layer.rows} rows: scheme {scheme}")
    return scheme


def _check_scheme(program: Program) -> None:
    for layer, graph, node in _uses(program):
        if layer.weight is not None:
            _scheme_of(graph, node, layer)


def _check_qparams(program: Program) -> None:
    for layer, graph, node in _uses(program):
        activations = meta.get(node, meta.ACTIVATION_QPARAMS)
        if activations is not None and len(activations) != len(ops.activation_nodes(node)):
            raise _fail(graph, node, f"layer {layer.name}: qparams of {len(activations)} inputs")
        if layer.weight is None:
            continue
        scheme, qparams = _scheme_of(graph, node, layer), meta.get(node, meta.WEIGHT_QPARAMS)
        if qparams is None and scheme.is_float:
            continue
        if qparams is None or len(qparams) != len(scheme.blocks):
            raise _fail(graph, node, f"layer {layer.name}: expected qparams of {len(scheme.blocks)} blocks")
        for block, found in zip(scheme.blocks, qparams, strict=True):
            problem = qparams_problem(block, found, layer.cols)
            if problem:
                raise _fail(graph, node, f"layer {layer.name}, rows {block.start}:{block.stop}: {problem}")


def qparams_problem(block: RowBlock, qparams: QParams | None, cols: int) -> str | None:
    """What is wrong with the qparams of one block of ``cols`` columns; None when nothing is."""
    if block.spec.is_float or qparams is None:
        return None if block.spec.is_float and qparams is None else f"qparams {qparams} for {block.spec}"
    if (qparams.bits, qparams.symmetric) != (block.spec.level_bits, block.spec.symmetric):
        return f"{qparams.bits} bits, symmetric {qparams.symmetric}, expected {block.spec}"
    group = block.spec.granularity.group_of(cols)
    rows = 1 if block.spec.granularity.kind == "tensor" else block.rows
    expected = (rows, cols // group)
    if tuple(qparams.scale.shape) != expected or qparams.group_size != group:
        return f"scale {tuple(qparams.scale.shape)} by group {qparams.group_size}, expected {expected} by {group}"
    low, high = int(qparams.zero_point.min()), int(qparams.zero_point.max())
    limit = top(qparams.bits, qparams.symmetric)
    return None if 0 <= low <= high <= limit else f"zero points {low} to {high}, expected 0 to {limit}"


def _check_rounded(program: Program) -> None:
    checked: set[str] = set()
    for layer, graph, node in _uses(program):
        if layer.weight is None:
            continue
        weight = meta.get(node, meta.QUANTIZED_WEIGHT)
        if weight is None and _scheme_of(graph, node, layer).is_float:
            continue
        if not isinstance(weight, QuantizedWeight) or weight.shape != layer.shape:
            raise _fail(graph, node, f"layer {layer.name}: expected codes of shape {layer.shape}")
        if layer.name in checked:
            continue
        checked.add(layer.name)
        for block in weight.blocks:
            if isinstance(block, QuantizedBlock) and not _in_range(block):
                raise _fail(graph, node, f"layer {layer.name}: codes beyond {block.qparams.bits} bits")


def _in_range(block: QuantizedBlock) -> bool:
    low, high = torch.aminmax(block.codes)
    return 0 <= int(low) and int(high) < 1 << block.qparams.bits


def _check_fake_quant(program: Program) -> None:
    for graph, _, node in program.nodes():
        if isinstance(node.target, torch._ops.OpOverload) and node.target.namespace != "aten":
            raise _fail(graph, node, f"{node.target} is no ATen operator")


_CHECKS: Mapping[Fact, Callable[[Program], None]] = {
    Fact.CANONICAL: _check_canonical,
    Fact.OBSERVED: _check_observed,
    Fact.SENSITIVITY: _check_sensitivity,
    Fact.SCHEME: _check_scheme,
    Fact.QPARAMS: _check_qparams,
    Fact.ROUNDED: _check_rounded,
}
"""Fact to what it promises of a program that is not lowered yet."""
