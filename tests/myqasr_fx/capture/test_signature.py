from __future__ import annotations

import pytest
import torch

from myqasr_fx.capture import GraphSignature, TensorSpec
from myqasr_fx.capture.signature import DynamicDim
from myqasr_fx.errors import CaptureError


def signature() -> GraphSignature:
    inputs = (TensorSpec("x.ids", ("batch", 4), torch.int64), TensorSpec("y", ("batch", "length")))
    return GraphSignature(inputs, (TensorSpec("z", ("batch",)),), {"batch": DynamicDim(2), "length": DynamicDim(7, 3)})


def test_example_args_follow_types_and_sizes():
    ids, noise = signature().example_args({"length": 9})
    assert (ids.shape, ids.dtype) == ((2, 4), torch.int64)
    assert noise.shape == (2, 9)
    torch.testing.assert_close(noise, signature().example_args({"length": 9})[1])


def test_names_and_axes():
    assert signature().input_names == ("x.ids", "y")
    assert signature().inputs[0].identifier == "x_ids"
    assert signature().axis_names() == ({0: "batch"}, {0: "batch", 1: "length"})
    assert signature().dynamic_shapes()[1][1].min == 3


def test_undescribed_dimension_is_refused():
    with pytest.raises(CaptureError, match="batch"):
        GraphSignature((TensorSpec("x", ("batch",)),), ())


def test_example_size_one_is_refused():
    with pytest.raises(CaptureError, match="expected >= 2"):
        DynamicDim(1)
