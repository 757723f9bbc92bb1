import math
from collections.abc import Callable

import pytest
import torch

from myqasr_fx.models.prepared import prepare
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.report import details
from myqasr_fx.report.details import layer_details
from passes.graph import meta
from passes.graph.layers import nodes_of, weight_of
from passes.numbers.affine import QParams, quantize
from passes.numbers.quantized_weight import QuantizedBlock, QuantizedWeight
from passes.numbers.scheme import Granularity, RowBlock, WeightSpec


@pytest.mark.parametrize("together", [details._TOGETHER, 100])
def test_scales_codes_and_what_lies_outside(
    together: int, make_speech_model: Callable[[str], SpeechModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether all rows are looked at at once or one after the other."""
    monkeypatch.setattr(details, "_TOGETHER", together)
    prepared = prepare(make_speech_model("smallest"))
    layer = next(layer for layer in prepared.layers if layer.kind == "linear")
    module, node = next(nodes_of(prepared.program, layer))
    weight = weight_of(module, layer).detach()
    rows, cols = weight.shape
    scale = torch.full((rows, 1), 0.01)
    qparams = QParams(3, False, cols, scale, torch.full((rows, 1), 4, dtype=torch.int32))
    codes = quantize(weight, qparams)
    spec = WeightSpec(3, Granularity("channel"), False)
    meta.put(
        node,
        meta.QUANTIZED_WEIGHT,
        QuantizedWeight((rows, cols), (QuantizedBlock(RowBlock(0, rows, spec), codes, qparams),)),
    )
    found = layer_details(prepared.program, prepared.layers)
    assert set(found) == {layer.name}
    detail = found[layer.name]
    assert detail.codes.counts == tuple(torch.bincount(codes.reshape(-1).long(), minlength=8).tolist())
    assert (detail.scales.low, detail.scales.high, detail.scales.counts) == (-2.0, -2.0, (rows,))
    outside = ((weight < -0.045) | (weight > 0.035)).float().mean()
    assert detail.damping is None
    assert 0 < detail.clipped == pytest.approx(float(outside), rel=0.01)
    levels = ((codes.float() - 4) * 0.01 - weight).double().square().sum()
    assert detail.sqnr_db == pytest.approx(10 * math.log10(float(weight.double().square().sum() / levels)), abs=0.01)
