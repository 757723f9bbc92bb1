"""SortRows: the function stays, rows come in order, and sorted layers are split."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from passes import meta
from passes.allocate_bits import allocation_items, layers_in_order
from passes.base import Program
from passes.canonicalize import Canonicalize
from passes.errors import PassError
from passes.graph_edit import get_tensor
from passes.manager import PassManager
from passes.sort_rows import SortRows, row_order


class Block(nn.Module):
    """A large layer, so that the others are small; ``fc1``, GELU, ``fc2``; values ``v`` of two heads and ``out``."""

    def __init__(self) -> None:
        super().__init__()
        self.large, self.fc1, self.fc2 = nn.Embedding(8000, 32), nn.Linear(32, 64), nn.Linear(64, 32)
        self.v, self.out = nn.Linear(32, 32), nn.Linear(32, 32)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, T, 32) of tokens (B, T)."""
        x = self.large(tokens)
        x = x + self.fc2(nn.functional.gelu(self.fc1(x)))
        values = self.v(x).reshape(*x.shape[:2], 2, 16).transpose(1, 2)
        found = torch.matmul(torch.ones(x.shape[1], x.shape[1]).softmax(-1).expand(len(x), 2, -1, -1), values)
        return x + self.out(found.transpose(1, 2).reshape(x.shape))


def make_program() -> tuple[Program, torch.Tensor]:
    torch.manual_seed(0)
    tokens = torch.randint(0, 8000, (2, 7))
    program = Program.of(torch.export.export(Block().eval(), (tokens,)).module(check_guards=False))
    PassManager((Canonicalize(),))(program)
    return program, tokens


def orders() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {
        "fc1": row_order(torch.rand(64, generator=generator)),
        "v": row_order(torch.rand(32, generator=generator), 2),
    }


def test_the_function_stays_and_a_second_run_changes_nothing() -> None:
    program, tokens = make_program()
    kept, module = program.clone().graphs["model"], program.graphs["model"]
    with torch.no_grad():
        expected = module(tokens)
    assert SortRows(orders())(program).modified
    for name, order in orders().items():
        old, new = (get_tensor(m, f"{name}.weight") for m in (kept, module))
        assert torch.equal(new, old[order]) and not torch.equal(new, old)
    with torch.no_grad():
        torch.testing.assert_close(module(tokens), expected)
        torch.testing.assert_close(kept(tokens), expected)
    assert not SortRows(orders())(program).modified
    with torch.no_grad():
        torch.testing.assert_close(module(tokens), expected)


def test_layers_whose_rows_are_all_in_order_are_split() -> None:
    program, _ = make_program()
    before = [item.name for item in allocation_items(program, split=True) if item.layer != "large"]
    assert before == ["fc1", "fc2", "v", "out"] and not layers_in_order(program)
    SortRows(orders())(program)
    assert layers_in_order(program) == {"fc1"}
    after = [item.name for item in allocation_items(program.clone(), split=True) if item.layer != "large"]
    assert after == ["fc1[0:16]", "fc1[16:32]", "fc1[32:48]", "fc1[48:64]", "fc2", "v", "out"]
    assert len(allocation_items(program, split=False)) == 5


@pytest.mark.parametrize("order", [torch.arange(32).flip(0), torch.zeros(32, dtype=torch.int64)])
def test_an_order_that_is_none(order: torch.Tensor) -> None:
    program, _ = make_program()
    with pytest.raises(PassError, match="layer v: an order of 32 rows that is none within each of 2 heads"):
        SortRows({"v": order})(program)


def test_without_orders_nothing_changes() -> None:
    program, _ = make_program()
    assert not SortRows()(program).modified
    assert not any(meta.get(node, meta.SORTED) for _, _, node in program.nodes())


def test_the_most_expensive_rows_of_each_head_come_first() -> None:
    assert row_order(torch.tensor([1.0, 3.0, 2.0, 2.0])).tolist() == [1, 2, 3, 0]
    assert row_order(torch.tensor([1.0, 3.0, 2.0, 4.0]), 2).tolist() == [1, 0, 3, 2]
