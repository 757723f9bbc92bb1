"""Every rewrite of Canonicalize: match, near miss, honest ``modified``, metadata, values."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.export import Dim

from passes.base import Program
from passes.canonical.canonicalize import Canonicalize
from passes.graph import meta
from passes.graph.layers import find_layers

aten = torch.ops.aten


def export(module: nn.Module, *args: torch.Tensor, dims: object = None) -> fx.GraphModule:
    return torch.export.export(module.eval(), args, dynamic_shapes=dims).module(check_guards=False)


def targets(module: fx.GraphModule) -> list[object]:
    return [node.target for node in module.graph.nodes if node.op == "call_function"]


def calls(module: fx.GraphModule, target: object) -> list[fx.Node]:
    return module.graph.find_nodes(op="call_function", target=target)


class Lambda(nn.Module):
    """A function of one input and the parameters W (6, 4), P (4, 6) and b (6)."""

    def __init__(self, function: Callable[[nn.Module, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.W, self.P, self.b = (nn.Parameter(torch.randn(*shape)) for shape in ((6, 4), (4, 6), (6,)))
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


def canonical(function: Callable[[nn.Module, torch.Tensor], torch.Tensor], x: torch.Tensor) -> fx.GraphModule:
    """The canonical graph; checks that values stay and that a second run changes nothing."""
    module = export(Lambda(function), x)
    expected = module(x)
    Canonicalize()(module)
    torch.testing.assert_close(module(x), expected)
    text = module.code
    assert not Canonicalize()(module).modified
    assert module.code == text
    return module


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: F.linear(x, s.W, s.b),
        lambda s, x: torch.addmm(s.b, x, s.W.t()),
        lambda s, x: torch.addmm(s.b, x, s.W.transpose(0, 1)),
        lambda s, x: torch.addmm(s.b, x, s.W.permute(1, 0)),
        lambda s, x: torch.addmm(s.b, x, s.P),
        lambda s, x: torch.mm(x, s.W.t()),
        lambda s, x: torch.mm(x, s.P),
        lambda s, x: x @ s.W.T,
        lambda s, x: x[None] @ s.P,
        lambda s, x: F.linear(x, s.P.t(), s.b),
    ],
)
def test_every_product_with_a_parameter_is_one_linear(function) -> None:
    module = canonical(function, torch.randn(3, 4))
    (node,) = calls(module, aten.linear.default)
    assert len(node.args) == 3 and not node.kwargs
    (layer,) = find_layers(Program.of(module))
    assert (layer.shape, layer.rows, layer.cols) == ((6, 4), 6, 4)
    assert "nn_module_stack" in node.meta and tuple(node.meta["val"].shape)[-1] == 6


def test_a_transposed_parameter_keeps_its_name_and_its_memory() -> None:
    source = Lambda(lambda s, x: torch.addmm(s.b, x, s.P))
    module = export(source, torch.randn(3, 4))
    Canonicalize()(module)
    (layer,) = find_layers(Program.of(module))
    assert layer.name == "P" and module.P.data_ptr() == source.P.data_ptr()


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: torch.addmm(s.b, x, s.P, alpha=2.0),
        lambda s, x: torch.addmm(s.b, x, s.P, beta=0.5),
        lambda s, x: torch.addmm(s.b[None].expand(3, 6), x, s.P),
    ],
)
def test_addmm_that_is_no_linear_stays(function) -> None:
    module = canonical(function, torch.randn(3, 4))
    assert len(calls(module, aten.addmm.default)) == 1 and not find_layers(Program.of(module))


def test_products_of_activations_are_matmul_layers() -> None:
    module = canonical(lambda s, x: torch.bmm(x, x.transpose(1, 2)) @ F.linear(x, s.W), torch.randn(2, 3, 4))
    assert aten.bmm.default not in targets(module)
    assert [layer.name for layer in find_layers(Program.of(module))] == ["matmul_0", "W", "matmul_1"]


@pytest.mark.parametrize(("beta", "added"), [(1, 1), (0, 0)])
def test_baddbmm_is_a_product_and_a_sum(beta: int, added: int) -> None:
    module = canonical(lambda s, x: torch.baddbmm(x * 2, x, x, beta=beta), torch.randn(2, 3, 3))
    (node,) = calls(module, aten.matmul.default)
    assert tuple(node.meta["val"].shape) == (2, 3, 3)
    assert len(calls(module, aten.add.Tensor)) == added


def test_scaled_baddbmm_stays() -> None:
    module = canonical(lambda s, x: torch.baddbmm(x, x, x, alpha=2.0), torch.randn(2, 3, 3))
    assert targets(module) == [aten.baddbmm.default]


def test_products_that_do_not_depend_on_inputs_are_no_layers() -> None:
    def rotate(s: nn.Module, x: torch.Tensor) -> torch.Tensor:
        return x + torch.matmul(s.b[:, None], torch.arange(4.0)[None])

    assert not find_layers(Program.of(canonical(rotate, torch.randn(6, 4))))


class Conv(nn.Module):
    def __init__(self, **options: object) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 3, **options)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


@pytest.mark.parametrize(
    ("options", "padding"),
    [({}, [0]), ({"padding": "valid"}, [0]), ({"padding": "same", "dilation": 2}, [2]), ({"stride": 2}, [0])],
)
def test_conv1d_has_seven_arguments(options: dict[str, object], padding: list[int]) -> None:
    x = torch.randn(2, 4, 9)
    module = export(Conv(**options), x)
    expected = module(x)
    Canonicalize()(module)
    (node,) = calls(module, aten.conv1d.default)
    assert len(node.args) == 7 and node.args[4] == padding and meta.get(node, meta.LAYER) == "conv"
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize(
    ("options", "sizes"),
    [
        ({}, ([1, 1], [0, 0], [1, 1])),
        ({"padding": "same", "dilation": (1, 2)}, ([1, 1], [1, 2], [1, 2])),
        ({"stride": (2, 1), "groups": 2}, ([2, 1], [0, 0], [1, 1])),
    ],
)
def test_conv2d_has_two_sizes_of_each(options: dict[str, object], sizes: tuple[list[int], ...]) -> None:
    x = torch.randn(2, 4, 9, 9)
    module = export(nn.Sequential(nn.Conv2d(4, 6, 3, **options)), x)
    expected = module(x)
    Canonicalize()(module)
    (node,) = calls(module, aten.conv2d.default)
    assert len(node.args) == 7 and node.args[3:6] == sizes and meta.get(node, meta.LAYER) == "0"
    torch.testing.assert_close(module(x), expected)
    assert not Canonicalize()(module).modified


def test_convolution_is_conv1d_or_conv2d_and_others_stay() -> None:
    for conv, x in ((Conv(), torch.randn(2, 4, 9)), (nn.Sequential(nn.Conv2d(4, 6, 3)), torch.randn(2, 4, 9, 9))):
        graph = torch.export.export(conv.eval(), (x,)).run_decompositions()
        module = graph.module(check_guards=False)
        assert aten.convolution.default in targets(module)
        Canonicalize()(module)
        assert len(find_layers(Program.of(module))) == 1
    for other, x in (
        (nn.ConvTranspose1d(4, 6, 3), torch.randn(2, 4, 9)),
        (nn.ConvTranspose2d(4, 6, 3), torch.randn(2, 4, 9, 9)),
        (nn.Conv3d(4, 6, 3), torch.randn(2, 4, 9, 9, 9)),
    ):
        module = torch.export.export(other.eval(), (x,)).run_decompositions().module(check_guards=False)
        Canonicalize()(module)
        assert not find_layers(Program.of(module)) and targets(module) == [aten.convolution.default]


def test_uneven_same_padding_stays() -> None:
    module = export(nn.Conv1d(4, 6, 4, padding="same"), torch.randn(2, 4, 9))
    Canonicalize()(module)
    assert aten.conv1d.padding in targets(module) and not find_layers(Program.of(module))


def test_weight_norm_is_folded_under_the_convolution_s_name() -> None:
    conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 6, 3), dim=2)
    x = torch.randn(2, 4, 9)
    module = export(nn.Sequential(nn.Conv1d(4, 4, 1), conv), x)
    expected = module(x)
    Canonicalize()(module)
    assert [layer.name for layer in find_layers(Program.of(module))] == ["0", "1"]
    assert {name for name, _ in module.named_parameters()} == {"0.weight", "0.bias", "1.weight", "1.bias"}
    torch.testing.assert_close(module(x), expected)


@pytest.mark.parametrize(
    "function",
    [
        lambda s, x: F.dropout(x, 0.5, training=False) * 2,
        lambda s, x: F.dropout(x, 0.0, training=True) * 2,
        lambda s, x: x.detach() * 2,
        lambda s, x: x.contiguous() * 2,
        lambda s, x: x.clone() * 2,
        lambda s, x: x.to(torch.float32) * 2,
        lambda s, x: x.view(3, 4) * 2,
        lambda s, x: x.reshape(-1, 4) * 2,
        lambda s, x: x.expand(3, 4) * 2,
        lambda s, x: x[:, :] * 2,
    ],
)
def test_no_ops_go(function) -> None:
    assert targets(canonical(function, torch.randn(3, 4))) == [aten.mul.Tensor]


@pytest.mark.parametrize(
    ("function", "kept"),
    [
        (lambda s, x: x.t().contiguous() * 2, aten.contiguous.default),
        (lambda s, x: x.to(torch.float64) * 2, aten.to.dtype),
        (lambda s, x: x.reshape(4, 3) * 2, aten.reshape.default),
        (lambda s, x: x.expand(2, 3, 4) * 2, aten.expand.default),
        (lambda s, x: x[:, 1:] * 2, aten.slice.Tensor),
        (lambda s, x: x[:, :-1] * 2, aten.slice.Tensor),
        (lambda s, x: x.clone().mul_(2) + x, aten.clone.default),
    ],
)
def test_what_does_something_stays(function, kept: object) -> None:
    assert kept in targets(canonical(function, torch.randn(3, 4)))


def test_dropout_in_training_stays() -> None:
    module = torch.export.export(nn.Dropout(0.5).train(), (torch.randn(3, 4),)).module(check_guards=False)
    Canonicalize()(module)
    assert targets(module) == [aten.dropout.default]


def test_views_become_reshapes() -> None:
    module = canonical(lambda s, x: x.view(4, 3) * 2, torch.randn(3, 4))
    assert targets(module) == [aten.reshape.default, aten.mul.Tensor]


class Tied(nn.Module):
    """Token and position embeddings, an MLP with dropout, a convolution and the tied output projection."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(10, 8)
        self.positions = nn.Embedding(12, 8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.ReLU(inplace=True), nn.Dropout(0.1), nn.Linear(16, 8))
        self.conv = nn.Conv1d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 10, bias=False)
        self.head.weight = self.embed.weight
        self.unused = nn.Linear(3, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.mlp(self.embed(tokens) + self.positions(torch.arange(tokens.shape[1])))
        return self.head(self.conv(x.transpose(1, 2)).transpose(1, 2))


def tied() -> fx.GraphModule:
    dims = ({0: Dim("batch"), 1: Dim("tokens", max=12)},)
    return export(Tied(), torch.zeros(2, 6, dtype=torch.long), dims=dims)


def test_a_tied_weight_is_one_layer_named_after_its_first_use() -> None:
    module = tied()
    tokens = torch.randint(0, 10, (3, 5))
    expected = module(tokens)
    assert Canonicalize()(module).modified
    assert torch.equal(module(tokens), expected)
    layers = {layer.name: layer for layer in find_layers(Program.of(module))}
    assert list(layers) == ["embed", "mlp.0", "mlp.3", "conv"]
    assert layers["embed"].kind == "linear"
    assert [use.kind for use in layers["embed"].uses] == ["embedding", "linear"]
    assert not Canonicalize()(module).modified


def test_positions_are_no_layer_and_unread_parameters_go() -> None:
    module = tied()
    Canonicalize()(module)
    names = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    assert "positions.weight" in names and not names & {"head.weight", "unused.weight"}
    unnamed = [n for n in calls(module, aten.embedding.default) if meta.get(n, meta.LAYER) is None]
    assert len(unnamed) == 1 and len(unnamed[0].args) == 2


def test_a_weight_that_two_graphs_share_is_one_layer() -> None:
    source = Tied()
    one = export(source.mlp, torch.randn(2, 8))
    two = export(nn.Sequential(source.conv, nn.Flatten(), nn.Linear(8, 4)), torch.randn(2, 8, 1))
    three = export(nn.ModuleDict({"fc": source.mlp[0]})["fc"], torch.randn(2, 8))
    program = Program({"one": one, "two": two, "three": three})
    Canonicalize()(program)
    layers = find_layers(program)
    assert [layer.name for layer in layers] == ["0", "3", "two.0", "2"]
    assert [use.graph for use in layers[0].uses] == ["one", "three"]
    assert three.get_parameter("0.weight") is one.get_parameter("0.weight")
    assert not Canonicalize()(program).modified


def test_a_canonical_graph_is_left_alone() -> None:
    module = canonical(lambda s, x: F.linear(x, s.W, None).relu(), torch.randn(3, 4))
    assert targets(module) == [aten.linear.default, aten.relu.default]
