"""Inputs and outputs of a graph: names as in the ONNX file, types and symbolic shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch.export import Dim

from myqasr_fx.capture.adapter import Adapter
from myqasr_fx.errors import CaptureError


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output.

    Args:
        name: Name in the ONNX file, for example ``past_key_values.0.decoder.key``.
        dims: Sizes; a string is a dynamic dimension, or on an output any expression of them.
        dtype: Element type.
    """

    name: str
    dims: tuple[int | str, ...]
    dtype: torch.dtype = torch.float32

    @property
    def identifier(self) -> str:
        """The name as a Python identifier, as graph placeholders spell it."""
        return self.name.replace(".", "_")


@dataclass(frozen=True, slots=True)
class DynamicDim:
    """A dimension that changes between calls.

    Args:
        example: Size in the example inputs, at least 2: ``torch.export`` takes 0 and 1 for constants.
        minimum: Smallest size that the capture promises, below which guards of the traced code may not hold.
        maximum: Largest size; None without a bound.
    """

    example: int
    minimum: int = 0
    maximum: int | None = None

    def __post_init__(self) -> None:
        if self.example < max(2, self.minimum):
            raise CaptureError(
                f"example size {self.example} of a dynamic dimension, expected >= {max(2, self.minimum)}"
            )


@dataclass(frozen=True, slots=True)
class GraphSignature:
    """Everything needed to export a graph again with the same names and dynamic shapes.

    Args:
        inputs: In the order of the graph's placeholders.
        outputs: In the order of the graph's results.
        dims: Every dynamic dimension that an input names.
        properties: What a client reads in the file's metadata.
        adapter: What the file puts around the graph; None for nothing.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    dims: Mapping[str, DynamicDim] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    adapter: Adapter | None = None

    def __post_init__(self) -> None:
        used = {dim for spec in self.inputs for dim in spec.dims if isinstance(dim, str)}
        if used != set(self.dims):
            raise CaptureError(
                f"dynamic dimensions of the inputs are {sorted(used)}, described are {sorted(self.dims)}"
            )
        for name in ("dims", "properties"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(spec.name for spec in self.inputs)

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(spec.name for spec in self.outputs)

    def example_args(self, sizes: Mapping[str, int] | None = None) -> tuple[torch.Tensor, ...]:
        """Example inputs: zeros for integers, small seeded noise for floats.

        Args:
            sizes: Sizes of dynamic dimensions that differ from the examples' own.
        """
        chosen = {name: dim.example for name, dim in self.dims.items()} | dict(sizes or {})
        generator = torch.Generator().manual_seed(0)
        args = []
        for spec in self.inputs:
            shape = [chosen[dim] if isinstance(dim, str) else dim for dim in spec.dims]
            if spec.dtype.is_floating_point:
                args.append(torch.randn(shape, generator=generator, dtype=spec.dtype))
            else:
                args.append(torch.zeros(shape, dtype=spec.dtype))
        return tuple(args)

    def dynamic_shapes(self) -> tuple[dict[int, Dim], ...]:
        """The ``dynamic_shapes`` argument of ``torch.export.export`` for :meth:`example_args`."""
        dims = {name: Dim(name, min=dim.minimum, max=dim.maximum) for name, dim in self.dims.items()}
        return tuple({i: dims[d] for i, d in enumerate(spec.dims) if isinstance(d, str)} for spec in self.inputs)

    def axis_names(self) -> tuple[dict[int, str], ...]:
        """The ``dynamic_shapes`` argument of ``torch.onnx.export``, which names the axes of the file."""
        return tuple({i: d for i, d in enumerate(spec.dims) if isinstance(d, str)} for spec in self.inputs)
