"""Random stored weights, one-weight models around them, small whole models, and sessions that tell what they run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from myqasr_fx.bundle.session_options import ACCURACY_LEVEL, PRECISE_INTEGERS
from myqasr_fx.capture.export import capture_graph
from myqasr_fx.capture.signature import DynamicDim, GraphSignature, TensorSpec
from myqasr_fx.export.emitter import Emitter
from myqasr_fx.export.files import write_program
from myqasr_fx.export.stored_weight import StoredWeight
from passes.base import Program
from passes.calibration import REGISTRY
from passes.calibration.calibrate import Calibrate
from passes.canonical.canonicalize import Canonicalize
from passes.canonical.decompose_attention import DecomposeAttention
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of
from passes.lowering.lower_fake_quant import LowerToFakeQuant
from passes.lowering.lower_qdq import LowerToQDQ
from passes.numbers.affine import dequantize, qparams_from_range, quantize, zero_point_bits
from passes.numbers.packing import join, pack
from passes.numbers.scale_grid import scale_grid
from passes.numbers.scheme import TRELLIS_BITS, Granularity, LayerScheme, RowBlock, WeightSpec
from passes.numbers.trellis import LAST_TABLE, MIDDLE, STATES, lead, windows
from passes.numbers.trellis_codes import TrellisCodes
from passes.observe.activation_stats import Statistics
from passes.observe.insert_observers import InsertObservers, read_statistics
from passes.observe.remove_observers import RemoveObservers
from passes.rounding.round_floats import RoundFloats
from passes.rounding.round_weights import RoundWeights
from passes.rounding.trellis_table import gaussian_table

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A stored weight and the values (n, K) that it stands for."""

    weight: StoredWeight
    values: Array


MakeCase = Callable[..., Case]


@pytest.fixture(scope="session")
def make_case() -> MakeCase:
    """A random weight of ``shape`` at ``bits``; ``plain`` as its readers need it."""

    def make(
        bits: int, symmetric: bool, granularity: str = "group:16", shape: Sequence[int] = (24, 64), plain: bool = False
    ) -> Case:
        values = torch.randn(*shape, generator=torch.Generator().manual_seed(bits)).reshape(shape[0], -1)
        rows, cols = values.shape
        each = Granularity.parse(granularity)
        group = each.group_of(cols)
        groups = values.reshape(1, 1, -1) if granularity == "tensor" else values.reshape(rows, -1, group)
        qparams = qparams_from_range(*REGISTRY["min_max"].weight(groups, bits, symmetric), bits, symmetric, group)
        codes = quantize(values, qparams)
        zeros = qparams.zero_point.t().contiguous().to(torch.uint8).numpy()
        weight = StoredWeight(
            name=f"w{bits}",
            bits=bits,
            shape=tuple(shape),
            packed=join(pack(codes.t().contiguous().numpy(), bits)),
            scale=qparams.scale.t().contiguous().half().numpy(),
            zero_point=None if symmetric else join(pack(zeros, zero_point_bits(bits))),
            plain=plain,
        )
        return Case(weight, dequantize(codes, qparams).numpy())

    return make


@pytest.fixture(scope="session")
def strings() -> Callable[..., tuple[StoredWeight, Array]]:
    """A random stored weight of (height, 64) as strings, and its values; bits of all columns or of each."""

    def make(
        bits: int | tuple[int, ...], height: int, shape: tuple[int, ...] | None = None
    ) -> tuple[StoredWeight, Array]:
        widths = np.array(bits if isinstance(bits, tuple) else [bits] * 64, np.uint8)
        generator = np.random.default_rng(int(widths.sum()))
        drawn = [generator.integers(0, 1 << int(own), (1, height + lead(int(own))), dtype=np.uint8) for own in widths]
        path = np.concatenate([windows(symbols, int(own)) for symbols, own in zip(drawn, widths, strict=True)])
        tables = {int(own): generator.integers(1, 256, STATES).astype(np.uint8) for own in np.unique(widths)}
        tables |= {own: tables[LAST_TABLE] for own in (5, 6) if own in tables and LAST_TABLE in tables}
        scale = scale_grid().numpy()[generator.integers(98, 154, (2, height))].astype(np.float16)
        gains = scale_grid().numpy()[generator.integers(150, 225, 64)]
        codes = TrellisCodes.of(path, widths, tables, gains)
        levels = codes.levels().astype(np.float32) - MIDDLE
        products = (levels.reshape(2, -1, height) * scale[:, None].astype(np.float32)).reshape(64, height)
        stored = StoredWeight(
            "layer.0",
            int(widths[0]),
            shape or (height, 64),
            codes.stored(),
            scale,
            None,
            plain=True,
            table=codes.tables,
            gains=gains.astype(np.float16),
        )
        return stored, np.ascontiguousarray((products * gains[:, None]).T)

    return make


class OneInput:
    """A model under construction with the input ``x``.

    Args:
        dtype: Of the input.
        dims: Of the input.
        opset: Version of the operators.
    """

    def __init__(self, dims: Sequence[int | str], dtype: ir.DataType = ir.DataType.FLOAT, opset: int = 21) -> None:
        self.x = ir.Value(name="x", shape=ir.Shape(dims), type=ir.TensorType(dtype))
        self.graph = ir.Graph([self.x], [], nodes=[], opset_imports={"": opset}, name="main")
        self.emitter = Emitter(self.graph)

    def proto(self, output: ir.Value, rank: int = 2) -> onnx.ModelProto:
        """The model that computes ``output``, a float tensor."""
        output.name, output.type = "y", ir.TensorType(ir.DataType.FLOAT)
        output.shape = ir.Shape([None] * rank)
        self.graph.outputs.append(output)
        version = onnx.helper.find_min_ir_version_for([onnx.helper.make_opsetid("", self.graph.opset_imports[""])])
        proto = ir.serde.serialize_model(ir.Model(self.graph, ir_version=version))
        onnx.checker.check_model(proto, full_check=False)
        return proto


Run = Callable[..., tuple[list[Array], Counter[str]]]


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a model on inputs; ``exact`` without optimization, ``integers`` exactly. Gives outputs and operators run."""
    folder = tmp_path_factory.mktemp("run")

    def session(
        model: onnx.ModelProto | str, exact: bool = True, integers: bool = False, **feeds: Array
    ) -> tuple[list[Array], Counter[str]]:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        options.add_session_config_entry(ACCURACY_LEVEL, "1")
        if integers:
            options.add_session_config_entry(PRECISE_INTEGERS, "1")  # products of a processor without VNNI saturate
        options.optimized_model_filepath = str(folder / "optimized.onnx")
        if exact:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        source = model if isinstance(model, str) else model.SerializeToString()
        outputs = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"]).run(None, feeds)
        executed = onnx.load(folder / "optimized.onnx", load_external_data=False).graph
        return outputs, Counter(node.op_type for node in executed.node)

    return session


@pytest.fixture(scope="session")
def one_input() -> type[OneInput]:
    return OneInput


SIGNATURE = GraphSignature(
    (TensorSpec("tokens", ("batch", "length"), torch.int64),),
    (TensorSpec("logits", ("batch", "length", 40)), TensorSpec("last_hidden_state", ("batch", "length", 32))),
    {"batch": DynamicDim(2, 1), "length": DynamicDim(5, 1)},
)


class Everything(nn.Module):
    """Every kind of layer and use: tied embedding, attention, grouped convolution, equal and odd layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(40, 32)
        self.conv = nn.Conv1d(32, 32, 3, padding=1, groups=2)
        self.norm = nn.LayerNorm(32)
        self.q, self.k, self.v = nn.Linear(32, 32), nn.Linear(32, 32, bias=False), nn.Linear(32, 32)
        self.out = nn.Linear(32, 32)
        self.twin = nn.Linear(32, 32)
        self.narrow = nn.Linear(32, 24)
        self.wide = nn.Linear(24, 32)
        with torch.no_grad():
            self.twin.weight.copy_(self.out.weight)
            self.norm.weight.normal_()

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.embed(tokens)  # (B, T, 32)
        x = x + F.gelu(self.conv(x.transpose(1, 2))).transpose(1, 2)
        x = x + self.attention(self.norm(x))
        x = x + self.wide(F.gelu(self.narrow(x)))
        x = x + torch.tanh(self.twin(x))
        return F.linear(x, self.embed.weight), x

    def attention(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, _ = x.shape
        q, k, v = (each(x).view(batch, length, 2, 16).transpose(1, 2) for each in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        return self.out(mixed.reshape(batch, length, 32))


class Small(nn.Module):
    """A tied embedding, a linear layer and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(40, 32)
        self.norm = nn.LayerNorm(32)
        self.fc = nn.Linear(32, 32)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.tanh(self.fc(self.norm(self.embed(tokens))))
        return F.linear(x, self.embed.weight), x


class NoTable(nn.Module):
    """Convolutions and linear layers, each weight read once."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.conv = nn.Conv1d(1, 32, 3, padding=1), nn.Conv1d(32, 32, 3, padding=1, groups=2)
        self.fc, self.head = nn.Linear(32, 32, bias=False), nn.Linear(32, 40)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.conv(F.gelu(self.first(tokens.to(torch.float32).unsqueeze(1)))).transpose(1, 2)  # (B, T, 32)
        x = x + torch.tanh(self.fc(x))
        return self.head(x), x


def _tokens(seed: int) -> torch.Tensor:
    return torch.randint(0, 40, (3, 7), generator=torch.Generator().manual_seed(seed))


@cache
def _prepared(network: str) -> tuple[Program, Statistics]:
    torch.manual_seed(0)
    module = {"everything": Everything, "small": Small, "no table": NoTable}[network]()
    program = Program({"model": capture_graph(module.eval(), SIGNATURE)})
    for step in (Canonicalize(), DecomposeAttention(), RoundFloats(), InsertObservers()):
        step(program)
    for seed in range(4):
        program.graphs["model"](_tokens(seed))
    statistics = read_statistics(program)
    RemoveObservers()(program)
    return program, statistics


def _rounded(network: str, *specs: WeightSpec, activation_bits: int | None = None) -> Program:
    base, statistics = _prepared(network)
    program = base.clone()
    for layer in find_layers(program):
        if layer.weight is not None:
            edges = [round(layer.rows * i / len(specs)) for i in range(len(specs) + 1)]
            blocks = tuple(RowBlock(*rows, spec) for rows, spec in zip(pairwise(edges), specs, strict=True))
            for _, node in nodes_of(program, layer):
                meta.put(node, meta.SCHEME, LayerScheme(layer.name, blocks))
    Calibrate("min_max", activation_bits, statistics=statistics)(program)
    levels = {bits: np.roll(gaussian_table(), min(bits, LAST_TABLE)) for bits in TRELLIS_BITS}
    RoundWeights(tables=levels)(program)
    return program


class Written(NamedTuple):
    """A file, what it must compute for ``tokens(9)``, and the rounded program it was written from."""

    path: Path
    expected: Array
    program: Program


@pytest.fixture(scope="session")
def prepared() -> Callable[[str], Program]:
    """Canonical program of ``everything``, ``small`` or ``no table``."""
    return lambda network: _prepared(network)[0]


@pytest.fixture(scope="session")
def rounded() -> Callable[..., Program]:
    """A rounded program: network, specs of the blocks of every layer, ``activation_bits``."""
    return _rounded


@pytest.fixture(scope="session")
def signature() -> GraphSignature:
    """Of ``everything`` and ``small``."""
    return SIGNATURE


@pytest.fixture(scope="session")
def tokens() -> Callable[[int], torch.Tensor]:
    """Tokens (3, 7) by seed."""
    return _tokens


@pytest.fixture(scope="session")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Written]:
    """Writes a model with these specs for the blocks of every layer; equal requests share a file."""

    @cache
    def make(network: str, *specs: WeightSpec, activation_bits: int | None = None, opset: int = 21) -> Written:
        program = _rounded(network, *specs, activation_bits=activation_bits)
        with torch.no_grad():
            expected = LowerToFakeQuant()(program.clone()).graph_module(_tokens(9))[0].numpy()
        lowered = program.clone()
        LowerToQDQ()(lowered)
        folder = tmp_path_factory.mktemp("model")
        (path,) = write_program(lowered, {"model": SIGNATURE}, opset, {"model": folder / "model.onnx"})
        onnx.checker.check_model(path, full_check=True)
        return Written(path, expected, program)

    return make
