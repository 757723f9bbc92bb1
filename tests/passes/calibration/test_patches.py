"""Single rows of a convolution."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from passes.calibration.patches import Geometry, geometry
from passes.canonical.canonicalize import Canonicalize
from passes.graph.ops import role_of


@pytest.mark.parametrize(("stride", "padding", "dilation", "groups"), [(1, 0, 1, 1), (2, 3, 1, 2), (3, 2, 2, 4)])
def test_rows_times_weights_are_outputs(stride: int, padding: int, dilation: int, groups: int) -> None:
    torch.manual_seed(0)
    convolution = nn.Conv1d(8, 12, 3, stride, padding, dilation, groups, bias=False).eval()
    values = torch.randn(2, 8, 29)
    module = Canonicalize()(torch.export.export(convolution, (values,)).module(check_guards=False)).graph_module
    node = next(node for node in module.graph.nodes if role_of(node) is not None)
    found = geometry(node, tuple(convolution.weight.shape))
    assert found == Geometry(3, stride, padding, dilation, groups)
    expected = convolution(values)
    assert found.outputs(29) == expected.shape[-1]
    chosen = torch.tensor([0, 3, expected.shape[-1] - 1, expected.shape[-1] + 2])
    parts = found.rows(values, chosen)
    assert len(parts) == groups
    weights = convolution.weight.detach().reshape(groups, 12 // groups, -1)
    got = torch.cat([part @ weight.T for part, weight in zip(parts, weights, strict=True)], dim=1)
    flat = expected.transpose(1, 2).reshape(-1, 12)
    assert torch.allclose(got, flat[chosen], atol=1e-5)


def test_padding_by_name_has_no_geometry() -> None:
    convolution = nn.Conv1d(4, 4, 3, padding="same").eval()
    module = Canonicalize()(
        torch.export.export(convolution, (torch.randn(1, 4, 9),)).module(check_guards=False)
    ).graph_module
    node = next(node for node in module.graph.nodes if role_of(node) is not None)
    found = geometry(node, (4, 4, 3))
    assert found is None or found.padding == 1
