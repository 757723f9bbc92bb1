"""Rounded weights of a large model in files.

Codes, strings of trellis codes and scales take two to three bytes a weight and are looked at layer by layer: to write
them, to compare files with them and to report on them. In between other work needs the room.
"""

from __future__ import annotations

from dataclasses import replace

from myqasr_fx.process.mapped_tensors import mapped, set_aside, tensor_of
from passes.base import Program
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of
from passes.numbers.quantized_weight import FloatBlock, QuantizedBlock, QuantizedWeight


def lay_aside(program: Program) -> None:
    """Puts all quantized weights in the metadata of a program into files, where that has not been done.

    Args:
        program: Of the caller alone; its other copies keep theirs.
    """
    for layer in find_layers(program):
        uses = [node for _, node in nodes_of(program, layer)]
        weight: QuantizedWeight | None = meta.get(uses[0], meta.QUANTIZED_WEIGHT)
        found = weight and laid_aside(weight)
        for node in uses if found else ():
            meta.put(node, meta.QUANTIZED_WEIGHT, found)


def laid_aside(weight: QuantizedWeight) -> QuantizedWeight:
    """The same numbers, the larger tensors among them in files."""
    return replace(weight, blocks=tuple(map(_block, weight.blocks)))


def _block(block: QuantizedBlock | FloatBlock) -> QuantizedBlock | FloatBlock:
    if isinstance(block, FloatBlock):
        return block
    found = [mapped(tensor) for tensor in (block.codes, block.qparams.scale, block.qparams.zero_point)]
    codes, scale, zero_point = found
    block = replace(block, codes=codes, qparams=replace(block.qparams, scale=scale, zero_point=zero_point))
    if block.trellis is not None:
        strings = mapped(tensor_of(block.trellis.strings))
        block = replace(block, trellis=replace(block.trellis, strings=strings.numpy()))
        found.append(strings)
    set_aside(found)
    return block
