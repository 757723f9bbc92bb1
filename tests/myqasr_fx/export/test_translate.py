"""translate: graphs of one structure share a translation, and get the tensors of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import fx

from myqasr_fx.capture.export import capture_graph
from myqasr_fx.capture.signature import GraphSignature
from myqasr_fx.export import translate as module
from myqasr_fx.export.expand import expand_placeholders
from myqasr_fx.export.finish import tidy
from myqasr_fx.export.outline import SMALLEST, is_tainted, outline
from myqasr_fx.export.placeholders import DEQUANTIZE_STRINGS, DEQUANTIZE_WEIGHT
from myqasr_fx.export.to_onnx import to_onnx
from passes.base import Program
from passes.graph.graph_edit import get_tensor
from passes.graph.layers import find_layers
from passes.lowering.lower_qdq import LowerToQDQ
from passes.numbers.scheme import Granularity, WeightSpec, weight_spec
from passes.rounding.correct_biases import CorrectBiases

Rounded = Callable[..., Program]
GROUP = Granularity("group", 16)


@pytest.fixture(autouse=True)
def translated(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[fx.GraphModule]]:
    """The graphs that torch is asked to translate, from nothing kept."""
    asked: list[fx.GraphModule] = []

    def counted(graph: fx.GraphModule, signature: GraphSignature, opset: int) -> object:
        asked.append(graph)
        return to_onnx(graph, signature, opset)

    monkeypatch.setattr(module, "to_onnx", counted)
    module._translations.clear()
    yield asked
    module._translations.clear()


@pytest.fixture(scope="module")
def lowered(rounded: Rounded) -> Callable[..., fx.GraphModule]:
    def make(network: str, *specs: WeightSpec) -> fx.GraphModule:
        program = rounded(network, *specs).clone()
        LowerToQDQ()(program)
        return program.graphs["model"]

    return make


def test_widths_zero_points_and_floats_share_a_translation(
    lowered: Callable[..., fx.GraphModule], signature: GraphSignature, translated: list[fx.GraphModule]
) -> None:
    first = lowered("small", WeightSpec(4, GROUP))
    second = lowered("small", WeightSpec(7, Granularity("channel"), symmetric=True))
    with torch.no_grad():
        get_tensor(second, "fc.bias").add_(1.0)
    models = [module.translate(graph, signature, 21) for graph in (first, second)]
    asked = len(translated)
    for graph, model in zip((first, second), models, strict=True):
        direct = to_onnx(graph, signature, 21)
        assert sorted(model.graph.initializers) == sorted(direct.graph.initializers)
        for name, value in direct.graph.initializers.items():
            stored, expected = model.graph.initializers[name].const_value, value.const_value
            assert stored is not None and expected is not None
            assert np.array_equal(stored.numpy(), expected.numpy()), name
        for node, other in zip(model.graph, direct.graph, strict=True):
            assert node.op_type == other.op_type
            for name, attribute in other.attributes.items():  # float32 in files
                assert ir.to_proto(node.attributes[name]) == ir.to_proto(attribute)
            assert [v and v.name for v in node.inputs] == [v and v.name for v in other.inputs]
    module.translate(first, signature, 21)
    assert len(translated) == asked  # neither the second nor the third was translated again


def test_corrected_biases_share_a_translation_and_its_order(
    rounded: Rounded, signature: GraphSignature, translated: list[fx.GraphModule]
) -> None:
    program = rounded("small", WeightSpec(4, GROUP))
    errors = {layer.name: torch.full((layer.rows,), 0.5) for layer in find_layers(program) if layer.weight}
    graphs = []
    for vectors in ({}, errors):
        copy = program.clone()
        assert CorrectBiases(vectors)(copy).modified == bool(vectors)
        LowerToQDQ()(copy)
        graphs.append(copy.graphs["model"])
    first, second = (list(module.translate(graph, signature, 21).graph.initializers) for graph in graphs)
    asked = len(translated)
    module._translations.clear()
    assert list(module.translate(graphs[1], signature, 21).graph.initializers) == first == second
    assert asked == 1 and len(translated) == 2


@pytest.mark.parametrize("network", ["small", "no table"])
def test_where_weights_are_divided_changes_no_translation_of_products_and_convolutions(
    network: str,
    lowered: Callable[..., fx.GraphModule],
    signature: GraphSignature,
    translated: list[fx.GraphModule],
) -> None:
    whole, divided = (
        lowered(network, WeightSpec(4, GROUP)),
        lowered(network, WeightSpec(4, GROUP), WeightSpec(3, GROUP)),
    )
    assert any(name.endswith("block1_packed") for name in divided.state_dict())
    module.translate(whole, signature, 21)
    asked, text = len(translated), str(divided.graph)
    model = module.translate(divided, signature, 21)
    assert (len(translated) == asked) == (network == "no table")  # of rows
    assert str(divided.graph) == text
    direct = to_onnx(divided, signature, 21)
    for found in (model, direct):
        expand_placeholders(found)
        tidy(found)
    assert ir.to_proto(model).SerializeToString() == ir.to_proto(direct).SerializeToString()


def test_where_strings_are_divided_changes_no_translation(
    lowered: Callable[..., fx.GraphModule], signature: GraphSignature, translated: list[fx.GraphModule]
) -> None:
    specs = [weight_spec(bits, GROUP, False, "trellis") for bits in (3, 2, 4)]
    module.translate(lowered("small", specs[0]), signature, 21)
    asked, divided = len(translated), lowered("small", *specs)
    text, model = str(divided.graph), module.translate(divided, signature, 21)
    assert len(translated) == asked and str(divided.graph) == text
    (lookup,) = (node for node in model.graph if node.op_type == DEQUANTIZE_STRINGS)
    assert list(lookup.attributes["bits"].as_ints()) == [3, 2, 4] and sum(lookup.attributes["rows"].as_ints()) == 40
    assert [node.op_type for node in model.graph].count(DEQUANTIZE_WEIGHT) == 3 * 2  # of the layer and the table


def test_another_structure_is_translated(
    lowered: Callable[..., fx.GraphModule], signature: GraphSignature, translated: list[fx.GraphModule]
) -> None:
    module.translate(lowered("small", WeightSpec(4, GROUP)), signature, 21)
    asked = len(translated)
    module.translate(lowered("small", WeightSpec(4, GROUP), WeightSpec(32)), signature, 21)
    assert len(translated) > asked
    asked = len(translated)
    module.translate(lowered("small", WeightSpec(4, GROUP)), signature, 22)
    assert len(translated) > asked


def test_an_outline_holds_no_weights_and_leaves_the_graph_as_it_is(lowered: Callable[..., fx.GraphModule]) -> None:
    graph = lowered("everything", WeightSpec(5, GROUP), WeightSpec(32))
    before = {name: tensor.clone() for name, tensor in graph.state_dict().items()}
    text, found = str(graph.graph), outline(graph)
    assert str(graph.graph) == text and graph.state_dict().keys() == before.keys()
    assert all(torch.equal(tensor, before[name]) for name, tensor in graph.state_dict().items())
    assert found.codes and found.floats
    for name in found.floats:
        assert before[name].unique().numel() > 1 or before[name].numel() >= SMALLEST
        assert is_tainted(get_tensor(found.module, name).numpy())
    assert found.held < 100 * len(found.codes) + 64 * 4 * len(before)


def test_what_a_translation_looked_at_is_part_of_its_structure(signature: GraphSignature) -> None:
    """A table so large that it has a stand-in, and a sum with it that an optimizer may fold."""

    class Folds(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Parameter(torch.rand(64), requires_grad=False)

        def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x = tokens.to(torch.float32).unsqueeze(-1) * (self.table + self.table.flip(0))
            return x[..., :40], x[..., :32]

    graph = capture_graph(Folds().eval(), signature)
    model = module.translate(graph, signature, 21)
    for value in model.graph.initializers.values():
        assert value.const_value is not None and not is_tainted(value.const_value.numpy())


@pytest.mark.parametrize(("values", "tainted"), [([1.0, np.nan], True), ([1.0, np.inf], False), ([1, 2], False)])
def test_only_nan_taints(values: list[float], tainted: bool) -> None:
    assert is_tainted(np.array(values)) is tainted
