"""RoundWeights: codes on every use, float blocks rounded to float16."""

from __future__ import annotations

import pytest
import torch

from passes.base import Program
from passes.calibration import REGISTRY
from passes.calibration.calibrate import Calibrate, weight_qparams
from passes.errors import MyqasrError, PassError, QuantizationError
from passes.graph import meta
from passes.graph.layers import find_layers, nodes_of, weight_of
from passes.numbers.affine import QParams, quantize
from passes.numbers.quantized_weight import FloatBlock, QuantizedBlock, QuantizedWeight
from passes.numbers.scheme import (
    TRELLIS_BITS,
    Granularity,
    LayerScheme,
    NumberFormat,
    RowBlock,
    WeightSpec,
    weight_spec,
)
from passes.rounding.gptq import GPTQ
from passes.rounding.method import Rounding
from passes.rounding.round_weights import RoundWeights, round_weight
from passes.rounding.rounded import Rounded
from passes.rounding.rtn import RTN, rtn
from passes.rounding.trellis_table import gaussian_table

CHANNEL = Granularity("channel")


def annotate(program: Program, specs: dict[str, WeightSpec]) -> Program:
    for layer in find_layers(program):
        if layer.weight is None:
            continue
        scheme = LayerScheme(layer.name, (RowBlock(0, layer.rows, specs.get(layer.name, WeightSpec(8, CHANNEL))),))
        for _, node in nodes_of(program, layer):
            meta.put(node, meta.SCHEME, scheme)
    return program


def weights(program: Program) -> dict[str, list[QuantizedWeight | None]]:
    return {
        layer.name: [meta.get(node, meta.QUANTIZED_WEIGHT) for _, node in nodes_of(program, layer)]
        for layer in find_layers(program)
    }


def test_codes_are_near_the_weights_and_shared_by_all_uses(tiny_program: Program) -> None:
    Calibrate()(annotate(tiny_program, {"conv": WeightSpec(16, half=True), "fc": WeightSpec(32)}))
    assert RoundWeights()(tiny_program).modified
    found = weights(tiny_program)
    assert found["embed"][0] is found["embed"][1] is not None
    assert found["fc"] == [None]
    module = tiny_program.graphs["model"]
    for layer in find_layers(tiny_program):
        for weight in found[layer.name]:
            if weight is not None:
                expected = weight_of(module, layer)
                assert weight.shape == tuple(expected.shape)
                torch.testing.assert_close(weight.dequantize(), expected.detach(), rtol=1e-3, atol=0.02)
    conv = found["conv"][0]
    assert conv is not None and isinstance(conv.blocks[0], FloatBlock)


def test_methods_may_change_qparams(tiny_program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def doubled(rows: torch.Tensor, qparams: QParams, inputs: torch.Tensor | None) -> Rounded:
        wide = QParams(qparams.bits, qparams.symmetric, qparams.group_size, qparams.scale * 2, qparams.zero_point)
        return Rounded(quantize(rows, wide), wide)

    monkeypatch.setattr("passes.rounding.round_weights.REGISTRY", {"doubled": Rounding(doubled)})
    Calibrate()(annotate(tiny_program, {}))
    RoundWeights("doubled")(tiny_program)
    weight = weights(tiny_program)["fc"][0]
    assert weight is not None and isinstance(weight.blocks[0], QuantizedBlock)
    params = next(
        meta.get(node, meta.WEIGHT_QPARAMS) for _, _, node in tiny_program.nodes() if meta.get(node, meta.LAYER) == "fc"
    )
    assert torch.equal(weight.blocks[0].qparams.scale, params[0].scale * 2)


def test_strings_serve_the_rows_that_are_said_to_matter(tiny_program: Program) -> None:
    Calibrate()(annotate(tiny_program, {"fc": weight_spec(2, CHANNEL, False, "trellis")}))
    found = []
    layer = next(layer for layer in find_layers(tiny_program) if layer.name == "fc")
    importance = torch.ones(layer.rows)
    importance[1::2] = 100
    for known in ({}, {"fc": importance}):
        RoundWeights(tables={2: gaussian_table()}, importance=known)(tiny_program)
        found.append(weights(tiny_program))
    assert torch.equal(*(of["embed"][0].dequantize() for of in found))
    weight = weight_of(tiny_program.graphs["model"], layer).detach()
    plain, weighed = [(of["fc"][0].dequantize() - weight)[1::2].square().sum() for of in found]
    assert weighed < 0.8 * plain


def test_every_block_of_rows_has_its_own_rows_weighed() -> None:
    generator = torch.Generator().manual_seed(0)
    weight, importance = torch.randn(160, 32, generator=generator), torch.ones(160)
    importance[100::2] = 1000  # of the second block alone
    spec = weight_spec(2, CHANNEL, False, "trellis")
    scheme = LayerScheme("a", (RowBlock(0, 80, spec), RowBlock(80, 160, spec)))
    qparams = weight_qparams(weight, scheme, REGISTRY["min_max"])
    plain, weighed = (
        (round_weight(weight, scheme, qparams, RTN, None, {2: gaussian_table()}, known).dequantize() - weight).square()
        for known in (None, importance)
    )
    assert torch.equal(weighed[:80], plain[:80])
    assert weighed[100::2].sum() < 0.5 * plain[100::2].sum()


def test_mixed_blocks() -> None:
    weight = torch.randn(6, 16, generator=torch.Generator().manual_seed(1))
    specs = (WeightSpec(16, half=True), WeightSpec(5, CHANNEL), WeightSpec(1, CHANNEL, symmetric=True))
    blocks = tuple(RowBlock(2 * i, 2 * i + 2, spec) for i, spec in enumerate(specs))
    scheme = LayerScheme("fc", blocks)
    rounded = round_weight(weight, scheme, weight_qparams(weight, scheme, REGISTRY["min_max"]), RTN)
    values = rounded.dequantize()
    assert torch.equal(values[:2], weight[:2].half().float())
    torch.testing.assert_close(values[2:4], weight[2:4], rtol=0, atol=0.1)
    assert [len(row.unique()) for row in values[4:]] == [2, 2]


def test_errors_name_the_layer(tiny_program: Program) -> None:
    with pytest.raises(PassError, match="layer embed has no qparams"):
        RoundWeights()(annotate(tiny_program, {}))
    Calibrate()(tiny_program)
    with pytest.raises(MyqasrError, match="unknown rounding 'gpt'"):
        RoundWeights("gpt")(tiny_program)
    scheme = LayerScheme("fc", (RowBlock(0, 1, WeightSpec(16, half=True)),))
    with pytest.raises(QuantizationError, match=r"layer fc: .*beyond float16"):
        round_weight(torch.tensor([[1e6]]), scheme, None, rtn)


@pytest.mark.parametrize("form", ["affine", "trellis"])
def test_blocks_side_by_side_are_those_one_by_one(form: NumberFormat) -> None:
    weight, before = torch.randn(96, 64, generator=torch.Generator().manual_seed(0)), torch.get_num_threads()
    blocks = (
        RowBlock(i, i + 24, weight_spec(2 + i // 24 % 2, Granularity("group", 32), False, form))
        for i in range(0, 96, 24)
    )
    scheme = LayerScheme("a", tuple(blocks))
    qparams, tables = weight_qparams(weight, scheme, REGISTRY["min_max"]), dict.fromkeys(TRELLIS_BITS, gaussian_table())
    seen: list[int] = []

    def run(rows: torch.Tensor, given: QParams, gram: torch.Tensor | None) -> Rounded:
        seen.append(torch.get_num_threads())
        return rtn(rows, given, gram)

    method = Rounding(run, trellis=GPTQ.trellis) if form == "affine" else GPTQ
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(round_weight(weight, scheme, qparams, method, torch.eye(64), tables).dequantize())
            assert torch.get_num_threads() == threads
        assert torch.equal(*found) and set(seen) <= {1}

        def broken(*given: object) -> Rounded:
            raise MemoryError

        with pytest.raises(MemoryError):
            round_weight(weight, scheme, qparams, Rounding(broken, trellis=broken), None, tables)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
