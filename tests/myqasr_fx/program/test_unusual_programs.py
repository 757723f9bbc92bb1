"""Programs that write into tensors, share weights or fold norms: the file is compared with the module itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from myqasr_fx.errors import MyqasrError, VerificationError
from myqasr_fx.program.quantize_program import QuantizedProgram, quantize_program
from myqasr_fx.program.verify_program import check_capture, relative_error
from passes.base import Program

Body = Callable[["Own", Tensor], Tensor]


class Own(nn.Module):
    """Two layers and a weight, read as ``body`` says."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear, self.first, self.bare = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64, bias=False)
        self.weight, self.row = nn.Parameter(torch.randn(64, 64) / 8), nn.Parameter(torch.randn(64))
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self, x)


def masked(own: Own, x: Tensor) -> Tensor:
    mask = torch.zeros_like(own.weight)
    mask[:16] = 1
    return F.linear(own.linear(x), own.weight * mask)


def cut(own: Own, x: Tensor) -> Tensor:
    weight = own.weight.clone()
    weight[0] = 0
    first, _ = weight.chunk(2, 1)
    first.mul_(3)
    return F.linear(own.linear(x), weight)


def summed(own: Own, x: Tensor) -> Tensor:
    row = own.row.clone()
    row += x.sum(0)
    return own.linear(x) + row


def shared(own: Own, x: Tensor) -> Tensor:
    return own.bare(x) * own.bare.weight.sum(1)


def transposed(own: Own, x: Tensor) -> Tensor:
    return torch.addmm(x, x, own.bare.weight) + own.bare(x)


def hidden(own: Own, x: Tensor) -> Tensor:
    return own.linear(x).masked_fill(torch.arange(64) > 20, float("-inf"))


def residual(own: Own, x: Tensor) -> Tensor:
    return own.bare(F.gelu(own.bare(x)) + own.linear(x)) + x


def quantized(module: nn.Module, x: Tensor, out: Path, **options: object) -> QuantizedProgram:
    """Written, and no further from the module than rounding explains."""
    made = quantize_program(module.eval(), [x] * 3, out=out, **options)
    session = onnxruntime.InferenceSession(out)
    (name,) = (given.name for given in session.get_inputs())
    with torch.no_grad():
        expected = [module(x).numpy()]
    apart = relative_error(session.run(None, {name: x.numpy()}), expected)
    assert apart < made.errors.quantization + made.errors.shipped + 1e-3
    assert made.errors.quantization < 0.02
    return made


def halved(own: Own, x: Tensor) -> Tensor:
    return own.linear(x.to(torch.float64).div_(2).to(torch.float32)) + own.bare(x.t().contiguous().add_(1).t())


@pytest.mark.parametrize("body", [masked, cut, summed, shared, transposed, hidden, residual, halved])
def test_the_file_computes_what_the_module_does(body: Body, tmp_path: Path) -> None:
    made = quantized(Own(body), torch.randn(4, 64), tmp_path / "x.onnx", uniform_bits=8)
    assert made.errors.executed.op_types["MatMulNBits"] >= 1


@pytest.mark.parametrize("rows", [(64,), (4, 64), (2, 3, 64)])
def test_products_without_a_bias_that_something_is_added_to_run_in_low_bit_kernels(
    rows: tuple[int, ...], tmp_path: Path
) -> None:
    made = quantized(Own(residual), torch.randn(rows), tmp_path / "x.onnx", uniform_bits=8)
    assert made.errors.executed.op_types["MatMulNBits"] == 3


@pytest.mark.parametrize("options", [{"uniform_bits": 32}, {"uniform_bits": 8, "keep": ["*=16"]}, {"budget": "1MB"}])
@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        (nn.Conv1d(4, 8, 3), nn.BatchNorm1d(8), (2, 4, 9)),
        (nn.Conv2d(4, 8, 3, padding="same"), nn.BatchNorm2d(8), (2, 4, 9, 9)),
        (nn.ConvTranspose2d(4, 8, 3), nn.BatchNorm2d(8), (2, 4, 9, 9)),
        (nn.Linear(32, 48), nn.BatchNorm1d(48), (4, 32)),
    ],
    ids=repr,
)
def test_a_norm_behind_a_layer_in_float_is_in_the_file(
    layer: nn.Module, norm: nn.Module, shape: tuple[int, ...], options: dict[str, object], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    assert isinstance(norm.running_mean, Tensor) and isinstance(norm.running_var, Tensor)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    module = nn.Sequential(layer, norm, nn.Flatten(0, -2), nn.LazyLinear(16)).eval()
    x = torch.randn(shape)
    module(x)
    quantized(module, x, tmp_path / "x.onnx", **options)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(4, 8, 3, padding=2, stride=2, padding_mode="replicate"), (4, 9)),
        (nn.Conv2d(4, 8, 3, padding=1, stride=(2, 1)), (4, 9, 8)),
    ],
    ids=repr,
)
def test_a_convolution_may_read_one_input_without_a_batch_axis(
    layer: nn.Module, shape: tuple[int, ...], tmp_path: Path
) -> None:
    quantized(layer, torch.randn(shape), tmp_path / "x.onnx", uniform_bits=8)


class Output(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 64)

    def forward(self, output: Tensor) -> Tensor:
        return self.linear(output)


def test_an_input_may_be_called_output(tmp_path: Path) -> None:
    quantized(Output(), torch.randn(4, 64), tmp_path / "x.onnx", uniform_bits=8)
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx")
    assert [value.name for value in (*session.get_inputs(), *session.get_outputs())] == ["output", "output_1"]


@pytest.mark.parametrize(
    ("module", "batch", "message"),
    [
        (Own(lambda own, x: own.linear(x.mul_(2))), torch.ones(4, 64), "writes into its input x"),
        (nn.Sequential(nn.Dropout(), nn.ReLU(inplace=True), nn.Linear(64, 64)), torch.ones(4, 64), "into its input"),
        (nn.Linear(64, 64).half(), torch.ones(4, 64).half(), "computes in float16"),
        (nn.Sequential(nn.Linear(64, 64), nn.ReLU()).bfloat16(), torch.ones(4, 64).bfloat16(), "computes in bfloat16"),
        (nn.Linear(64, 64).double(), torch.ones(4, 64).double(), "computes in float64"),
        (nn.Linear(64, 64), 1, "batch 0: got int, expected a tensor"),
    ],
)
def test_what_cannot_be_quantized_is_told_and_left_as_it_is(
    module: nn.Module, batch: Tensor | int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(MyqasrError) as caught:
        quantize_program(module.eval(), [batch, batch], out=tmp_path / "x.onnx", uniform_bits=8)
    assert message in caught.value.message
    assert list(tmp_path.iterdir()) == []
    if isinstance(batch, Tensor):
        assert bool((batch == 1).all())


def test_a_capture_that_computes_something_else_is_noticed() -> None:
    one, other = (Program({"model": torch.fx.symbolic_trace(nn.Linear(4, 4))}) for _ in range(2))
    check_capture(one, one, (torch.ones(2, 4),), 1e-4)
    with pytest.raises(VerificationError, match="captured graph differs"):
        check_capture(one, other, (torch.ones(2, 4),), 1e-4)


def test_equal_infinities_are_no_error_and_others_are() -> None:
    inf = np.float32(np.inf)
    expected = [np.array([1, -inf, inf], np.float32)]
    assert relative_error(expected, expected) == 0
    for other in ([1, inf, inf], [1, -inf, 2], [1, -inf, np.nan], [2, -inf, inf]):
        assert not relative_error([np.array(other, np.float32)], expected) < 0.1
