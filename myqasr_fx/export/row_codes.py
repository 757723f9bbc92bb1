"""Stores tables whose rows are 8-bit codes and scales as these; onnxruntime folds the product when it loads the file.

Such tables come of ``RoundFloats`` (``passes.numbers.row_codes``). Looked-up rows are multiplied after the lookup, so
that the table stays 8 bits a number in memory, too.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import torch

from myqasr_fx.export.emitter import Emitter
from passes.numbers.row_codes import row_codes

CODES, SCALES = ".row_codes", ".row_scales"
"""Behind the name of a table."""


def store_rows(model: ir.Model, keep: frozenset[str] = frozenset()) -> ir.Model:
    """Replaces every float32 initializer that is exactly codes times scales of its rows.

    ::

        table = Cast(codes) * scales          (n, d) of int8 (n, d) and float32 (n, 1)

    Args:
        model: Changed in place.
        keep: Names of tensors that stay float32.
    """
    emitter = Emitter(model.graph)
    for name, value in list(model.graph.initializers.items()):
        tensor = value.const_value
        if tensor is None or tensor.dtype != ir.DataType.FLOAT or name in keep or value.is_graph_output():
            continue
        found = row_codes(torch.from_numpy(np.array(tensor.numpy())))
        if found is None or not value.uses():
            continue
        model.graph.initializers.pop(name)
        codes = emitter.initializer(f"{name}{CODES}", ir.Tensor(found.codes.numpy()))
        scales = emitter.initializer(f"{name}{SCALES}", ir.Tensor(found.scales.numpy()))
        for node, position in list(value.uses()):
            if node.op_type == "Gather" and position == 0 and node.attributes.get_int("axis", 0) == 0:
                emitter.before(node, "")
                rows = (emitter.op("Gather", part, node.inputs[1]) for part in (codes, scales))
                ir.convenience.replace_all_uses_with(node.outputs[0], _product(emitter, *rows))
                model.graph.remove(node, safe=True)
        if value.uses():
            emitter.before(model.graph[0], "")
            ir.convenience.replace_all_uses_with(value, _product(emitter, codes, scales))
    return model


def _product(emitter: Emitter, codes: ir.Value, scales: ir.Value) -> ir.Value:
    return emitter.op("Mul", emitter.cast(codes, ir.DataType.FLOAT), scales)
