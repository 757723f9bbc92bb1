"""graph_edit: constants, copies that share tensors, tensors that nothing reads, modules that look on."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn

from passes.base import Program
from passes.clone import clone
from passes.errors import PassError
from passes.graph.graph_edit import call, constant, drop_unused_tensors, get_tensor, put_buffer, replace_tensor, watch

aten = torch.ops.aten


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.unused = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x @ self.fc.weight.t(), x


@pytest.fixture
def module() -> fx.GraphModule:
    traced = fx.symbolic_trace(Nested())
    for node in traced.graph.nodes:
        node.meta["mark"] = node.name
    return traced


def test_tensors_are_found_by_path(module: fx.GraphModule) -> None:
    assert get_tensor(module, "fc.weight") is module.fc.weight
    with pytest.raises(PassError, match=r"fc\.none: expected a tensor, got NoneType"):
        get_tensor(module, "fc.none")
    with pytest.raises(PassError, match="expected a tensor"):
        get_tensor(module, "fc")


def test_buffers_replace_parameters_and_make_their_path(module: fx.GraphModule) -> None:
    put_buffer(module, "fc.weight", torch.ones(2, 3))
    put_buffer(module, "new.deep.codes", torch.zeros(4, dtype=torch.uint8))
    assert torch.equal(get_tensor(module, "fc.weight"), torch.ones(2, 3))
    assert "fc.weight" not in dict(module.named_parameters())
    assert set(dict(module.named_buffers())) == {"fc.weight", "new.deep.codes"}
    put_buffer(module, "new.deep.codes", torch.ones(1))
    assert get_tensor(module, "new.deep.codes").shape == (1,)


def test_tensors_are_replaced_in_kind_and_in_place(module: fx.GraphModule) -> None:
    put_buffer(module, "fc.codes", torch.zeros(4))
    kinds = [list(dict(found())) for found in (module.named_parameters, module.named_buffers)]
    for name, tensor in (("fc.weight", torch.ones(2, 3)), ("fc.codes", torch.ones(2))):
        replace_tensor(module, name, tensor)
        assert torch.equal(get_tensor(module, name), tensor) and not get_tensor(module, name).requires_grad
    assert [list(dict(found())) for found in (module.named_parameters, module.named_buffers)] == kinds


def test_unused_tensors_go_and_only_they(module: fx.GraphModule) -> None:
    put_buffer(module, "idle.codes", torch.zeros(4))
    assert drop_unused_tensors(module)
    left = {name for name, _ in [*module.named_parameters(), *module.named_buffers()]}
    assert left == {"fc.weight"}
    assert not drop_unused_tensors(module)
    module(torch.ones(1, 3))


def test_the_tensors_of_called_modules_stay() -> None:
    module = fx.symbolic_trace(nn.Sequential(nn.Linear(2, 2)))
    assert not drop_unused_tensors(module)
    module(torch.ones(1, 2))


def test_constants_are_stored_and_read(module: fx.GraphModule) -> None:
    (output,) = module.graph.find_nodes(op="output")
    source = output.all_input_nodes[0]
    with module.graph.inserting_before(output):
        node = constant(module, "extra.two", torch.full((2,), 2.0))
        source.meta["stack_trace"] = "here"
        product = call(module.graph, aten.mul.Tensor, source, node, like=source)
    assert node.meta["val"].shape == (2,) and node.meta["val"].device.type == "meta"
    assert product.meta == {"stack_trace": "here"}
    source.replace_all_uses_with(product, delete_user_cb=lambda user: user is output)
    module.recompile()
    x = torch.randn(5, 3)
    assert torch.equal(module(x)[0], 2 * x @ module.fc.weight.t())


def test_clones_share_tensors_and_no_nodes(module: fx.GraphModule) -> None:
    module.meta["stage"] = "test"
    copy = clone(module)
    assert copy.fc.weight is module.fc.weight
    assert [n.name for n in copy.graph.nodes] == [n.name for n in module.graph.nodes]
    assert all(n.meta["mark"] == n.name for n in copy.graph.nodes)
    assert copy.meta["stage"] == "test"
    x = torch.randn(2, 3)
    assert all(torch.equal(a, b) for a, b in zip(copy(x), module(x), strict=True))
    before = str(module.graph)
    put_buffer(copy, "fc.weight", torch.zeros(2, 3))
    for node in copy.graph.nodes:
        node.meta["mark"] = "copy"
    (output,) = copy.graph.find_nodes(op="output")
    output.args = (output.all_input_nodes[0],)
    copy.graph.eliminate_dead_code()
    copy.recompile()
    assert str(module.graph) == before
    assert not any(n.meta["mark"] == "copy" for n in module.graph.nodes)
    assert torch.equal(module(x)[0], x @ module.fc.weight.t())


def test_a_cloned_program_computes_the_same(tiny_program: Program) -> None:
    tokens = torch.arange(12).view(2, 6)
    copy = tiny_program.clone()
    assert torch.equal(copy.graphs["model"](tokens), tiny_program.graphs["model"](tokens))


class Seen(nn.Module):
    """Keeps what it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[torch.Tensor] = []

    def forward(self, value: torch.Tensor) -> None:
        self.values.append(value)


@pytest.mark.parametrize("op", ["placeholder", "call_function"])
def test_a_watcher_sees_a_value_and_changes_none(op: str) -> None:
    graph = fx.Graph()
    left, right = graph.placeholder("left"), graph.placeholder("right")
    total = graph.call_function(aten.add.Tensor, (left, right))
    graph.output(total)
    module = fx.GraphModule(nn.Module(), graph)
    watcher = Seen()
    watch(module, left if op == "placeholder" else total, "watchers.first", watcher)
    module.recompile()
    module.graph.lint()
    assert float(module(torch.tensor(1.0), torch.tensor(2.0))) == 3
    assert module.get_submodule("watchers.first") is watcher
    assert [float(value) for value in watcher.values] == [1 if op == "placeholder" else 3]
    assert [node.op for node in graph.nodes][:2] == ["placeholder", "placeholder"]
