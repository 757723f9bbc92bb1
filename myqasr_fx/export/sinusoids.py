"""Stores tables of sinusoids as the operators that compute them; onnxruntime folds these when it loads the file."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import torch

from myqasr_fx.export.emitter import Emitter
from passes.numbers.sinusoids import frequencies, sinusoids


def compute_sinusoids(model: ir.Model) -> ir.Model:
    """Replaces every initializer that is exactly ``passes.numbers.sinusoids.sinusoids`` of its shape, in place.

    ::

        angles = Range(0, n, 1)[:, None] * frequencies          (n, d / 2)
        table  = Concat(Sin(angles), Cos(angles), axis=1)       (n, d)
    """
    emitter = Emitter(model.graph)
    for name, value in list(model.graph.initializers.items()):
        if not _is_table(value) or not value.uses() or value.is_graph_output():
            continue
        model.graph.initializers.pop(name)
        emitter.before(model.graph[0], "")
        rows, columns = value.const_value.shape.numpy()  # type: ignore[union-attr]  # a table has a value
        ir.convenience.replace_all_uses_with(value, _computed(emitter, name, rows, columns))
    return model


def _is_table(value: ir.Value) -> bool:
    tensor = value.const_value
    if tensor is None or tensor.dtype != ir.DataType.FLOAT or len(tensor.shape) != 2:
        return False
    rows, columns = tensor.shape.numpy()
    if columns < 4 or columns % 2:
        return False
    return bool(torch.equal(torch.from_numpy(np.array(tensor.numpy())), sinusoids(rows, columns)))


def _computed(emitter: Emitter, name: str, rows: int, columns: int) -> ir.Value:
    stored = emitter.initializer(name, ir.Tensor(frequencies(columns).numpy()))
    bounds = [emitter.constant(np.array(number, np.float32)) for number in (0, rows, 1)]
    positions = emitter.op("Unsqueeze", emitter.op("Range", *bounds), emitter.integers(1))
    angles = emitter.op("Mul", positions, stored)
    return emitter.op("Concat", emitter.op("Sin", angles), emitter.op("Cos", angles), axis=1)
