from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from passes.base import Program
from passes.observe.gram_observer import STEADY_WEIGHT, GramObserver, Patches, frame_weights
from passes.observe.insert_gram_observers import LOOKUP_WEIGHT, InsertGramObservers, read_grams
from passes.observe.remove_observers import RemoveObservers
from passes.observe.shelf import Shelf


def tokens(seed: int) -> torch.Tensor:
    return torch.randint(0, 48, (2, 6), generator=torch.Generator().manual_seed(seed))


def mean_of_few(rows: torch.Tensor) -> torch.Tensor:
    """Mean of x x^T with the damping that fewer than four rows an input ask for beyond the usual 5 %."""
    gram, cols = rows.T @ rows / len(rows), rows.shape[1]
    assert len(rows) < 4 * cols
    return gram + 0.05 * (4 * cols / len(rows) - 1) * gram.diagonal().mean() * torch.eye(cols)


def test_matches_the_inputs_of_each_layer(tiny_program: Program) -> None:
    module = tiny_program.graphs["model"]
    before = str(module.graph)
    assert InsertGramObservers()(tiny_program).modified
    seen: dict[str, torch.Tensor] = {}
    for observer in module.modules():
        if isinstance(observer, GramObserver):
            observer.register_forward_hook(lambda o, args, _: seen.__setitem__(o.layers[0], args[0].detach()))
    module(tokens(0))
    grams = read_grams(tiny_program)
    assert set(grams) == {"embed", "conv", "fc"}
    rows = seen["fc"].reshape(-1, 32)
    torch.testing.assert_close(grams["fc"], mean_of_few(rows))
    columns = F.unfold(F.pad(seen["conv"], (1, 1)).unsqueeze(2), (1, 3)).transpose(1, 2).reshape(-1, 96)
    torch.testing.assert_close(grams["conv"], mean_of_few(columns))
    rows = seen["embed"].reshape(-1, 32)
    expected = mean_of_few(rows)
    share = LOOKUP_WEIGHT * expected.diagonal().mean()
    torch.testing.assert_close(grams["embed"], expected + share * torch.eye(32))
    assert RemoveObservers()(tiny_program).modified
    assert str(module.graph) == before


def test_only_rows_that_are_looked_up(tiny_program: Program) -> None:
    module = tiny_program.graphs["model"]
    assert InsertGramObservers(looked_up=True)(tiny_program).modified
    module(tokens(0))
    assert set(read_grams(tiny_program)) == {"embed"}


def test_calls_add_up_and_empty_values_add_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(1, 5, 8, generator=generator), torch.randn(2, 3, 8, generator=generator)
    observer = GramObserver(("layer",), None)
    assert observer.gram() is None
    for values in (first, torch.zeros(1, 0, 8), second):
        observer(values)
    rows = torch.cat([first.reshape(-1, 8), second.reshape(-1, 8)])
    gram = observer.gram()
    assert gram is not None
    torch.testing.assert_close(gram, rows.T @ rows / len(rows))


def test_patches_are_what_a_convolution_multiplies() -> None:
    generator = torch.Generator().manual_seed(0)
    values, weight = torch.randn(2, 4, 21, generator=generator), torch.randn(6, 4, 3, generator=generator)
    rows = Patches(kernel=(1, 3), stride=(1, 2), padding=(0, 1), dilation=(1, 2)).rows(values)
    expected = F.conv1d(values, weight, stride=2, padding=1, dilation=2)
    torch.testing.assert_close((rows @ weight.reshape(6, -1).T).transpose(1, 2), expected, atol=1e-5, rtol=1e-5)


def test_patches_of_an_image_are_what_a_convolution_multiplies() -> None:
    generator = torch.Generator().manual_seed(0)
    values, weight = torch.randn(2, 4, 9, 8, generator=generator), torch.randn(6, 4, 3, 2, generator=generator)
    sizes = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}
    rows = Patches(kernel=(3, 2), **sizes).rows(values)
    expected = F.conv2d(values, weight, **sizes)
    assert rows.shape == (expected[:, 0].numel(), 4 * 3 * 2)
    got = (rows @ weight.flatten(1).T).reshape(2, -1, 6).transpose(1, 2).reshape(expected.shape)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_frames_that_change_count_more() -> None:
    rows = torch.zeros(1, 40, 4)
    rows[0, 20:] = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))
    weights = frame_weights(rows)
    torch.testing.assert_close(weights[0, 1:20], torch.full((19,), STEADY_WEIGHT))
    assert float(weights[0, 20:].min()) > STEADY_WEIGHT
    torch.testing.assert_close(frame_weights(torch.ones(1, 40, 4)), torch.ones(1, 40))
    torch.testing.assert_close(frame_weights(rows[:, :4]), torch.ones(1, 4))


def test_matrices_lie_on_one_shelf_and_are_made_when_looked_at(
    tiny_program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grams(most_bytes: int) -> tuple[dict[str, torch.Tensor], bool]:
        monkeypatch.setattr("passes.observe.insert_gram_observers.Shelf", lambda: Shelf(most_bytes))
        program = tiny_program.clone()
        assert InsertGramObservers()(program).modified
        for seed in range(2):
            program.graphs["model"](tokens(seed))
        sums = [module.total for module in program.graphs["model"].modules() if isinstance(module, GramObserver)]
        found = read_grams(program)
        assert "unknown" not in found and len(found) == 3 and found["fc"] is not found["fc"]
        return dict(found), all(total.in_memory for total in sums)

    (in_memory, all_in_memory), (in_a_file, some_in_memory) = grams(10**6), grams(5000)
    assert all_in_memory and not some_in_memory
    assert all(torch.equal(in_memory[name], gram) for name, gram in in_a_file.items())
