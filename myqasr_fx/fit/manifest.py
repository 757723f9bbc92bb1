"""Fills in ``myqasr.json`` from what was done and what lies on the disk."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import fx

from myqasr_fx.audio import ClipSet
from myqasr_fx.bundle.bundle import (
    FORMAT_VERSION,
    BlockRecord,
    BundleManifest,
    CalibrationRecord,
    DamageRecord,
    FileRecord,
    LayerRecord,
)
from myqasr_fx.bundle.file_names import digest_of
from myqasr_fx.bundle.private import count_of, without_folders
from myqasr_fx.export.categories import bytes_by_category
from myqasr_fx.export.executed import ExecutedGraph, Unfused
from myqasr_fx.fit.allocation import Expectation
from myqasr_fx.fit.fit import Fitted
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.verify.verify_files import Verified
from passes.base import Program
from passes.graph import meta
from passes.graph.layers import Layer, nodes_of
from passes.graph.ops import LayerKind
from passes.graph.same_values import same_values
from passes.lowering.qdq_ops import FORM_INTEGER, FORM_MATMUL, FORM_ROWS, weight_form
from passes.numbers.dynamic_range import DynamicRange
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight
from passes.numbers.scheme import LayerScheme, RowBlock

TOOLS = ("torch", "transformers", "onnx", "onnxruntime", "onnxscript", "numpy")
LOW_BIT = "low-bit kernel"
INT8 = "int8 kernel"
"""One that rounds its input on every call."""


def build_manifest(
    prepared: Prepared, config: Mapping[str, Any], clips: ClipSet, fitted: Fitted, verified: Verified
) -> BundleManifest:
    """The manifest of a verified bundle.

    Args:
        prepared: The model.
        config: Every option, as plain values.
        clips: That calibrated.
        fitted: The files.
        verified: What held of them.
    """
    size = fitted.model_bytes
    executed = verified.executed
    reasons = tuple(without_folders(item.reason, item.path) for item in clips.rejected)
    categories = bytes_by_category(fitted.files, (layer.name for layer in prepared.layers))
    files = tuple(_file(path, fitted, executed.get(path.name), categories[path.name]) for path in fitted.files)
    return BundleManifest(
        format_version=FORMAT_VERSION,
        model=prepared.speech.name,
        fingerprint=prepared.speech.fingerprint,
        family=prepared.speech.family.name,
        config=config,
        budget_bytes=fitted.budget_bytes,
        model_bytes=size,
        num_weights=prepared.num_weights,
        file_bits_per_weight=round(8 * size / prepared.num_weights, 4),
        files=files,
        session_options=dict(verified.session_options),
        layers=tuple(_layer(fitted, layer) for layer in prepared.layers),
        calibration=CalibrationRecord(
            clips=len(clips.clips),
            seconds=round(clips.seconds, 3),
            sha256=clips.sha256,
            rejected=count_of(reasons) if config["private"] else reasons,
            note=clips.note,
        ),
        verification=verified.record,
        versions=_versions(),
        damage=_damage(fitted.expectation),
        batch=prepared.speech.family.batch(prepared.speech.config),
        adaptation=None if prepared.learned is None else prepared.learned.record,
    )


def _file(path: Path, fitted: Fitted, executed: ExecutedGraph | None, categories: Mapping[str, int]) -> FileRecord:
    return FileRecord(
        name=path.relative_to(fitted.folder).as_posix(),
        bytes=path.stat().st_size,
        executed={} if executed is None else dict(executed.op_types),
        categories=categories,
        sha256=digest_of(path),
    )


def _damage(expected: Expectation | None) -> DamageRecord | None:
    return None if expected is None else DamageRecord(_short(expected.total), _short(expected.bound))


def _short(nats: float) -> float:
    """To six digits: the last ones of a sum mean nothing."""
    return float(f"{nats:.6g}")


def low_bit_products(program: Program, layers: Iterable[Layer]) -> Mapping[str, int]:
    """Graph name to the number of matrix products that must run in a low-bit kernel.

    A layer that is applied to the same input again counts once: onnxruntime computes it once.

    Args:
        program: With quantized weights in its metadata.
        layers: Of the program.
    """
    count = dict.fromkeys(program.graphs, 0)
    same = {name: same_values(module.graph) for name, module in program.graphs.items()}
    for layer in layers:
        for use, (_, node) in zip(layer.uses, nodes_of(program, layer), strict=True):
            if same[use.graph][node] is node:
                count[use.graph] += _low_bit_kernels(layer, use.kind, node)
    return count


def _low_bit_kernels(layer: Layer, kind: LayerKind, node: fx.Node) -> int:
    """Matrix products of one use that run in a low-bit kernel, one a block of rows."""
    integer = any(qparams is not None for qparams in meta.get(node, meta.ACTIVATION_QPARAMS) or ())
    if kind is LayerKind.MATMUL:
        return int(integer)
    weight: QuantizedWeight | None = meta.get(node, meta.QUANTIZED_WEIGHT)
    if weight is None or weight_form(kind, layer.cols, integer) not in (FORM_MATMUL, FORM_INTEGER):
        return 0
    return len(_quantized_blocks(weight))


def _quantized_blocks(weight: QuantizedWeight | None) -> tuple[QuantizedBlock, ...]:
    """Blocks of integer codes."""
    return () if weight is None else tuple(block for block in weight.blocks if isinstance(block, QuantizedBlock))


def _layer(fitted: Fitted, layer: Layer) -> LayerRecord:
    node = next(nodes_of(fitted.program, layer))[1]
    expected = fitted.expectation.layers.get(layer.name) if fitted.expectation is not None else None
    scheme: LayerScheme | None = meta.get(node, meta.SCHEME)
    weight: QuantizedWeight | None = meta.get(node, meta.QUANTIZED_WEIGHT)
    return LayerRecord(
        name=layer.name,
        op=layer.kind.value,
        shape=layer.shape,
        bits=None if scheme is None else round(scheme.mean_bits, 4),
        blocks=() if scheme is None else tuple(_block(block) for block in scheme.blocks),
        rounding=None if scheme is None or scheme.is_float else scheme.rounding,
        sensitivity=float(meta.get(node, meta.SENSITIVITY)),
        bytes=4 * layer.num_weights if weight is None else sum(block.file_bytes for block in weight.blocks),
        executes=_executes(layer, node, weight) + (f": {scheme.reason}" if scheme and scheme.reason else ""),
        expected_damage=None if expected is None else _short(expected),
        fallbacks=sum(block.fallbacks for block in _quantized_blocks(weight)),
    )


def _block(block: RowBlock) -> BlockRecord:
    spec = block.spec
    granularity = None if spec.is_float else str(spec.granularity)
    return BlockRecord(block.start, block.stop, spec.mean_bits, granularity, spec.symmetric, spec.format)


def _executes(layer: Layer, node: fx.Node, weight: QuantizedWeight | None) -> str:
    if _low_bit_kernels(layer, layer.kind, node):
        dynamic = any(isinstance(found, DynamicRange) for found in meta.get(node, meta.ACTIVATION_QPARAMS) or ())
        return INT8 if dynamic else LOW_BIT
    if not _quantized_blocks(weight):
        return str(Unfused.KEPT_FLOAT)
    rows = weight_form(layer.kind, layer.cols, False) == FORM_ROWS
    return str(Unfused.EMBEDDING_ROWS if rows else Unfused.FOLDED)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version(), "myqasr_fx": version("myqasr_fx"), **{t: version(t) for t in TOOLS}}
