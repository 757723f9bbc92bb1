"""What torchao's flow gets of a scheme, without torchao."""

import pytest
import torch
from torch import fx, nn

from myqasr_fx.integrations.pt2e.coverage import coverage, why_not
from passes.numbers.scheme import BitScheme, Granularity, LayerScheme, RowBlock, WeightSpec


def scheme(*specs: WeightSpec, name: str = "fc") -> LayerScheme:
    return LayerScheme(name, tuple(RowBlock(4 * i, 4 * i + 4, spec) for i, spec in enumerate(specs)))


def spec(bits: int, granularity: str = "channel", **options: bool) -> WeightSpec:
    return WeightSpec(bits, Granularity.parse(granularity), **options)


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group:64"])
def test_two_to_eight_bits_are_expressed(bits: int, granularity: str) -> None:
    assert why_not(scheme(spec(bits, granularity)), ndim=2) is None


@pytest.mark.parametrize(
    ("layer", "ndim", "says"),
    [
        (scheme(spec(1)), 2, "one bit"),
        (scheme(spec(12)), 2, "no codes of 12 bits"),
        (scheme(spec(16, half=True)), 2, "keeps it at 16 bits"),
        (scheme(spec(4), spec(5)), 2, "2 different specs"),
        (scheme(spec(4, "group:64")), 3, "kernel of a convolution"),
        (LayerScheme("fc", (RowBlock(0, 4, spec(32)),), reason="a rule keeps it"), 2, "a rule keeps it"),
    ],
)
def test_the_rest_says_why(layer: LayerScheme, ndim: int, says: str) -> None:
    assert says in str(why_not(layer, ndim))


def test_coverage_names_nodes_and_layers_that_are_not_there() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.fc(x))

    module = torch.export.export(Net().eval(), (torch.zeros(1, 4),)).module()
    assert isinstance(module, fx.GraphModule)
    found = coverage(module, BitScheme({"fc": scheme(spec(3)), "other": scheme(spec(3), name="other")}))
    assert [(c.layer, len(c.nodes), c.bits) for c in found] == [("fc", 2, 3), ("other", 0, 32)]
    assert found[1].reason == "no node of the model uses it as a weight"
