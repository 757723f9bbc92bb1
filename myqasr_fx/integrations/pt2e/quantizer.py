"""Our scheme as a torchao ``Quantizer``, from which ``prepare_pt2e`` and ``convert_pt2e`` make the model.

With ``export`` of ``torch.export``::

    exported = export(network, inputs).module()
    quantizer = MyQASRQuantizer(scheme)
    prepared = prepare_pt2e(exported, quantizer)
    prepared(*inputs)
    model = convert_pt2e(prepared)

Layers that PT2E cannot express stay in float; ``myqasr_fx.integrations.pt2e.coverage`` lists them with the reason.
Weights are rounded to the nearest code, whatever rounding the scheme names.
"""

from __future__ import annotations

import torch
from torch import fx
from torchao.quantization.pt2e import MinMaxObserver
from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, QuantizationSpec, Quantizer
from torchao.quantization.pt2e.quantizer.quantizer import Q_ANNOTATION_KEY

from myqasr_fx.errors import OptionError, QuantizationError
from myqasr_fx.integrations.pt2e.coverage import Coverage, coverage, layer_of, weight_edges
from myqasr_fx.integrations.pt2e.observers import GroupsObserver, RowsObserver, code_range
from passes.calibration import REGISTRY
from passes.graph.ops import activation_nodes
from passes.numbers.scheme import BitScheme, LayerScheme
from passes.registry import lookup


class MyQASRQuantizer(Quantizer):
    """Annotates an exported model with a scheme.

    Args:
        scheme: Layer name, which is the weight's path without ``.weight``, to widths. With ``activation_bits``, inputs
            and results of the layers are quantized too, per tensor.
        calibration: Name in ``passes.calibration``, for weights.

    Raises:
        OptionError: The calibration looks at more than weights, which is all that an observer of a weight sees.
    """

    def __init__(self, scheme: BitScheme, calibration: str = "min_max") -> None:
        if lookup(REGISTRY, calibration, "calibration").objective is not None:
            known = ", ".join(name for name, method in REGISTRY.items() if method.objective is None)
            raise OptionError(f"calibration {calibration!r} looks at a layer's output", hint=f"take one of {known}")
        self.scheme = scheme
        self.calibration = calibration

    def coverage(self, model: fx.GraphModule) -> tuple[Coverage, ...]:
        """What of the scheme ``model`` gets, and why not the rest; before ``prepare_pt2e``."""
        return coverage(model, self.scheme)

    def annotate(self, model: fx.GraphModule) -> fx.GraphModule:
        """Writes torchao's annotation on every node that uses a layer that can be expressed."""
        expressed = {found.layer for found in coverage(model, self.scheme) if found.reason is None}
        specs = {name: self._weight_spec(self.scheme.layers[name]) for name in expressed}
        for node, source in weight_edges(model):
            spec = specs.get(layer_of(source))
            if spec is not None:
                inputs: dict[fx.Node, QuantizationSpec] = {source: spec}
                result = self._activation_spec()
                if result is not None:
                    inputs |= dict.fromkeys(activation_nodes(node), result)
                    result = result if activation_nodes(node) else None  # an embedding has no input to multiply
                node.meta[Q_ANNOTATION_KEY] = QuantizationAnnotation(inputs, result, _annotated=True)
        return model

    def validate(self, model: fx.GraphModule) -> None:
        """Refuses a model without any of the scheme's layers.

        Raises:
            QuantizationError: No node was annotated.
        """
        if any(Q_ANNOTATION_KEY in node.meta for node in model.graph.nodes):
            return
        names = sorted({layer_of(source) for _, source in weight_edges(model)})
        raise QuantizationError(
            "no layer of the scheme can be quantized in this model",
            hint=f"its layers look like {', '.join(names[:2]) or 'nothing we know'}; see MyQASRQuantizer.coverage",
        )

    def _weight_spec(self, layer: LayerScheme) -> QuantizationSpec:
        spec = layer.blocks[0].spec
        low, high = code_range(spec.bits)
        observer = GroupsObserver if spec.granularity.kind == "group" else RowsObserver
        symmetric, by_row = spec.symmetric, spec.granularity.kind == "channel"
        return QuantizationSpec(
            dtype=torch.int8,
            observer_or_fake_quant_ctr=observer.with_args(scheme=layer, calibration=self.calibration),
            quant_min=low,
            quant_max=high,
            qscheme={
                (True, True): torch.per_channel_symmetric,
                (True, False): torch.per_channel_affine,
                (False, True): torch.per_tensor_symmetric,
                (False, False): torch.per_tensor_affine,
            }[by_row, symmetric],
            ch_axis=0 if by_row else None,
        )

    def _activation_spec(self) -> QuantizationSpec | None:
        if self.scheme.activation_bits is None:
            return None
        low, high = code_range(self.scheme.activation_bits)
        observer = MinMaxObserver.with_args(eps=2**-24)
        return QuantizationSpec(torch.int8, observer, low, high, torch.per_tensor_affine)
