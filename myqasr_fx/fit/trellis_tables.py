"""The tables of a model's trellis codes: one a width, fitted to all its weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from myqasr_fx.fit.job import FitJob
from myqasr_fx.models.prepared import Prepared
from passes.allocation.allocate_bits import read_scheme
from passes.base import Program
from passes.numbers.scheme import TRELLIS_BITS
from passes.numbers.trellis import LAST_TABLE, NO_TABLES, Levels, Tables
from passes.rounding.trellis_table import fitted_table, sample_columns

Floats = npt.NDArray[np.float32]

_GROUP = 64  # weights that share a scale in the sample


def trellis_tables(job: FitJob, program: Program) -> Tables:
    """Bits to table, of all widths where a scheme of ``program`` has strings; none while files are only weighed.

    Args:
        job: Holds the weights.
        program: With schemes in its metadata.
    """
    blocks = [block for scheme in read_scheme(program).layers.values() for block in scheme.blocks]
    if job.request.drafts or not any(block.spec.is_trellis for block in blocks):
        return NO_TABLES
    widths = [bits for bits in sorted(TRELLIS_BITS) if bits <= LAST_TABLE]
    columns = cache(lambda: _sample(job.prepared))  # taken where a table is not kept
    with job.progress.stage("fit trellis tables", len(widths)) as advance:
        tables = {}
        for bits in widths:
            tables[bits] = job.store.get(job.store.keys.levels(bits), partial(_fitted, columns, bits))
            advance(1)
    return {bits: tables[min(bits, LAST_TABLE)] for bits in TRELLIS_BITS}


_fits: dict[tuple[str, int], Levels] = {}
"""By what they were fitted to: one model has one table a width, whoever its bundles are for."""


def _fitted(columns: Callable[[], Floats], bits: int) -> Levels:
    key = hashlib.sha256(columns().tobytes()).hexdigest(), bits
    if key not in _fits:
        _fits[key] = fitted_table(columns(), bits)
    return _fits[key]


def _sample(prepared: Prepared) -> Floats:
    layers = [layer for layer in prepared.layers if layer.weight is not None]
    return sample_columns((prepared.weight(layer).reshape(layer.rows, -1) for layer in layers), _GROUP)
