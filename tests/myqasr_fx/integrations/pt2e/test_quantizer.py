"""torchao makes of a scheme the weights that our own lowering makes."""

import pytest
import torch
from torch import fx, nn

pytest.importorskip("torchao", reason="needs the torchao extra")

from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from myqasr_fx.errors import OptionError, QuantizationError
from myqasr_fx.integrations.pt2e.quantizer import MyQASRQuantizer
from passes.calibration.calibrate import weight_qparams
from passes.calibration.min_max import MIN_MAX
from passes.numbers.scheme import BitScheme, Granularity, LayerScheme, RowBlock, WeightSpec
from passes.rounding import REGISTRY
from passes.rounding.round_weights import round_weight

TOKENS = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]])


class Net(nn.Module):
    """A layer of each kind; ``head`` and ``embedding`` share their weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(48, 64)
        self.conv = nn.Conv1d(64, 32, 3, padding=1)
        self.first = nn.Linear(32, 64)
        self.second = nn.Linear(64, 64)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states = self.conv(self.embedding(tokens).transpose(1, 2)).transpose(1, 2)
        states = self.second(torch.relu(self.first(states)))
        return nn.functional.linear(states, self.embedding.weight)


@pytest.fixture(scope="module")
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture
def exported(net: Net) -> fx.GraphModule:
    module = torch.export.export(net, (TOKENS,)).module()
    assert isinstance(module, fx.GraphModule)
    return module


def of(name: str, rows: int, bits: int, granularity: str, symmetric: bool = False) -> LayerScheme:
    spec = WeightSpec(bits, Granularity.parse(granularity), symmetric)
    return LayerScheme(name, (RowBlock(0, rows, spec),))


SCHEMES = (
    of("embedding", 48, 6, "group:16"),
    of("conv", 32, 5, "channel", symmetric=True),
    of("first", 64, 2, "channel"),
    of("second", 64, 4, "tensor"),
)
SCHEME = BitScheme({layer.layer: layer for layer in SCHEMES})


def convert(module: fx.GraphModule, scheme: BitScheme) -> fx.GraphModule:
    prepared = prepare_pt2e(module, MyQASRQuantizer(scheme))
    prepared(TOKENS)
    return convert_pt2e(prepared)


def rounded(net: Net, layer: LayerScheme) -> torch.Tensor:
    weight = net.get_parameter(f"{layer.layer}.weight")
    qparams = weight_qparams(weight, layer, MIN_MAX)
    return round_weight(weight, layer, qparams, REGISTRY["rtn"]).dequantize()


def test_the_model_computes_with_the_weights_of_the_scheme(net: Net, exported: fx.GraphModule) -> None:
    converted = convert(exported, SCHEME)
    expected = Net().eval()
    expected.load_state_dict(net.state_dict())
    for layer in SCHEMES:
        expected.get_parameter(f"{layer.layer}.weight").data = rounded(net, layer)
    with torch.no_grad():
        got, wanted, full = converted(TOKENS), expected(TOKENS), net(TOKENS)
    torch.testing.assert_close(got, wanted)
    assert (got - full).norm() > 0.05 * full.norm()  # two bits leave a mark


def test_codes_keep_to_their_width(net: Net, exported: fx.GraphModule) -> None:
    converted = convert(exported, SCHEME)
    bits = {net.get_parameter(f"{layer.layer}.weight").shape: layer.blocks[0].spec.bits for layer in SCHEMES}
    codes = [value for value in converted.state_dict().values() if value.dtype == torch.int8]
    assert {value.shape for value in codes} == set(bits)
    for value in codes:
        assert -(1 << (bits[value.shape] - 1)) <= int(value.min()) < int(value.max()) < 1 << (bits[value.shape] - 1)


def test_a_layer_that_cannot_be_expressed_stays_as_it_is(net: Net, exported: fx.GraphModule) -> None:
    one_bit = of("first", 64, 1, "channel")
    converted = convert(exported, BitScheme({"first": one_bit, "second": SCHEME.layers["second"]}))
    read = {str(node.target) for node in converted.graph.find_nodes(op="get_attr")}
    assert "first.weight" in read
    assert "second.weight" not in read
    assert torch.equal(converted.get_parameter("first.weight"), net.first.weight)


def test_activations_are_rounded_too(exported: fx.GraphModule) -> None:
    converted = convert(exported, BitScheme(SCHEME.layers, activation_bits=8))
    rounds = torch.ops.quantized_decomposed.quantize_per_tensor.default
    assert len(converted.graph.find_nodes(op="call_function", target=rounds)) >= 4


def test_a_model_that_did_not_run_is_refused(exported: fx.GraphModule) -> None:
    prepared = prepare_pt2e(exported, MyQASRQuantizer(SCHEME))
    with pytest.raises(QuantizationError, match=r"was not observed.*run the prepared model"):
        convert_pt2e(prepared)


def test_a_scheme_of_another_model_is_refused(exported: fx.GraphModule) -> None:
    other = BitScheme({"other": of("other", 4, 4, "channel")})
    with pytest.raises(QuantizationError, match=r"no layer of the scheme.*embedding"):
        prepare_pt2e(exported, MyQASRQuantizer(other))


def test_a_calibration_that_needs_outputs_is_refused() -> None:
    with pytest.raises(OptionError, match=r"'cosine' looks at a layer's output.*min_max"):
        MyQASRQuantizer(SCHEME, "cosine")
