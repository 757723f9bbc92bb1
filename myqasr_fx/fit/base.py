"""A base bundle, whose widths and codes another user's bundle keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from myqasr_fx.bundle.bundle import BlockRecord, LayerRecord, QuantizedBundle
from myqasr_fx.errors import BundleError, OptionError
from myqasr_fx.export.read_codes import read_codes
from myqasr_fx.export.read_weights import holds_coded_tables, read_floats
from myqasr_fx.fit.allocation import Expectation
from myqasr_fx.models.prepared import Prepared
from passes.base import Program
from passes.errors import QuantizationError
from passes.graph.graph_edit import get_tensor
from passes.graph.layers import nodes_of
from passes.manager.run_passes import run_passes
from passes.numbers.scheme import (
    FLOAT_BITS,
    MAX_PACKED_BITS,
    Granularity,
    LayerScheme,
    NumberFormat,
    RowBlock,
    WeightSpec,
)
from passes.rounding.correct_biases import bias_node
from passes.rounding.restore_layers import KnownLayer, RestoreLayers
from passes.rounding.round_floats import RoundFloats


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """What the bundle holds.

    Args:
        bundle: On the disk.
        prepared: Graphs of its model, leftovers rounded.
        layers: Name to what is known of each.
        biases: Attribute path to the values of each bias that its files hold under that name.
    """

    bundle: QuantizedBundle
    prepared: Prepared
    layers: Mapping[str, KnownLayer]
    biases: Mapping[str, Tensor]

    @property
    def files(self) -> tuple[Path, ...]:
        """Its model files."""
        return tuple(self.bundle.file(file.name) for file in self.bundle.manifest.files)

    @property
    def expectation(self) -> Expectation | None:
        """What its allocation expected to lose."""
        manifest = self.bundle.manifest
        if manifest.damage is None:
            return None
        nats = {x.name: x.expected_damage for x in manifest.layers if x.expected_damage is not None}
        return Expectation(nats, manifest.damage.bound)

    def restored(self, layers: Mapping[str, KnownLayer], biases: Mapping[str, Tensor]) -> Program:
        """The graphs with these layers and biases."""
        return run_passes(self.prepared.program, (RestoreLayers(layers, biases),))


def _check(bundle: QuantizedBundle, fingerprint: str) -> None:
    """Refuses a bundle that no other user's can be made from.

    Args:
        bundle: The base.
        fingerprint: Of the model that was asked for.

    Raises:
        OptionError: It is of another model, its inputs are rounded, or its own verdict rejects it.
    """
    manifest, place = bundle.manifest, f"delta {bundle.path}"
    if manifest.fingerprint != fingerprint:
        raise OptionError(
            f"{place}: a bundle of {manifest.model[:60]}, not of this model", hint="give a bundle of this model"
        )
    if manifest.config.get("activations") == "int8" or manifest.config.get("optimize", "size") != "size":
        raise OptionError(
            f"{place}: its layers read 8-bit inputs, whose codes belong to their scales",
            hint="make the base with --optimize size and float activations",
        )
    if manifest.adaptation is not None and manifest.adaptation.adopted:
        raise OptionError(
            f"{place}: its model learned from recordings before, and its norms are no other user's",
            hint="make the base without --adapt",
        )
    if bundle.layout.fixed_cache:
        problem = f"{place}: layout {bundle.layout.name}, whose decoder cannot read a whole transcript at once"
        raise OptionError(problem, hint="make the base in another layout")
    if manifest.acceptance is not None and manifest.acceptance.rejected:
        raise OptionError(f"{place}: its verdict is rejected", hint="give the base more bytes or more effort first")


def read_base(prepared: Prepared, folder: Path, out: Path) -> Base:
    """Reads codes, scales and biases.

    Args:
        prepared: Canonical graphs of the model, in the layout of the base.
        folder: Of the base.
        out: Where the other bundle goes.

    Raises:
        BundleError: It is no bundle, its layers are not those of the model, or a file lacks one.
        OptionError: No other user's bundle can be made from it.
    """
    bundle = QuantizedBundle.open(folder)
    if out.resolve() == folder.resolve():
        raise OptionError(f"--out {out} is the base", hint="choose another --out")
    _check(bundle, prepared.speech.fingerprint)
    records = {layer.name: layer for layer in bundle.manifest.layers}
    shapes = {layer.name: layer.shape for layer in prepared.layers}
    if shapes != {name: record.shape for name, record in records.items()}:
        raise BundleError(f"{bundle.path}: its layers are not those of the model", hint="make the base again")
    files = tuple(bundle.file(file.name) for file in bundle.manifest.files if file.name.endswith(".onnx"))
    prepared = _with_rounded_leftovers(prepared, holds_coded_tables(files))
    schemes = _schemes(records.values())
    weights = {layer.name: prepared.weight(layer) for layer in prepared.layers if layer.weight is not None}
    codes = read_codes(files, schemes, weights)
    layers = {name: KnownLayer(r.sensitivity, schemes.get(name), codes.get(name)) for name, r in records.items()}
    return Base(bundle, prepared, layers, _stored_biases(prepared, files))


def _schemes(layers: Iterable[LayerRecord]) -> dict[str, LayerScheme]:
    """Layer name to the widths of its rows; products of activations are left out.

    Raises:
        BundleError: A layer's blocks do not go together.
    """
    found = {}
    for layer in layers:
        if layer.blocks:
            try:
                blocks = tuple(RowBlock(block.start, block.stop, _spec(block)) for block in layer.blocks)
                reason = None if any(b.bits < 16 for b in layer.blocks) else "the base keeps it"
                found[layer.name] = LayerScheme(layer.name, blocks, layer.rounding or "rtn", reason)
            except (ValueError, QuantizationError) as error:
                raise BundleError(f"layer {layer.name} of the base: {error}", hint="make the base again") from error
    return found


def _spec(block: BlockRecord) -> WeightSpec:
    if block.bits > MAX_PACKED_BITS:
        return WeightSpec(int(block.bits), half=block.bits != FLOAT_BITS)
    asked: NumberFormat = "trellis" if block.format == "trellis" else "affine"
    bits, quarters = divmod(round(4 * block.bits), 4)
    return WeightSpec(bits, Granularity.parse(str(block.granularity)), block.symmetric, False, asked, quarters)


def _with_rounded_leftovers(prepared: Prepared, tables: bool) -> Prepared:
    program = run_passes(prepared.program, (RoundFloats(tables),))
    return replace(prepared, program=program)


def _stored_biases(prepared: Prepared, files: tuple[Path, ...]) -> dict[str, Tensor]:
    """Those that one tensor of the files holds alone."""
    own = dict(_biases(prepared))
    found = {name: torch.from_numpy(values) for name, values in read_floats(files, own).items()}
    shared = [own[name] for name in own.keys() - found.keys()]  # stored as an equal one of another name
    return {
        name: values
        for name, values in found.items()
        if values.shape == own[name].shape and not any(torch.equal(values, other) for other in shared)
    }


def _biases(prepared: Prepared) -> Mapping[str, Tensor]:
    found = {}
    for layer in prepared.layers:
        for module, node in nodes_of(prepared.program, layer):
            bias = bias_node(node)
            if bias is not None:
                found[str(bias.target)] = get_tensor(module, str(bias.target)).detach()
    return found
