"""CTC encoders (Wav2Vec2, Wav2Vec2-Conformer, HuBERT, WavLM, Data2Vec-audio) as one graph."""

from __future__ import annotations

import copy
import math

from torch import nn
from torch.nn.utils import parametrize
from transformers import AttentionInterface, PretrainedConfig, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from myqasr_fx.capture.ctc_modules import STATELESS
from myqasr_fx.capture.export import capture_graph
from myqasr_fx.capture.signature import DynamicDim, GraphSignature, TensorSpec
from passes.base import Program

MODEL = "model"

_UNMASKED = "sdpa_unmasked"
"""Attention without a mask function: the models build no mask, which would be all true and as large as (T, T)."""


def capture_ctc(network: PreTrainedModel) -> Program:
    """Captures the network, which stays as it is, with weight-normed convolutions folded to plain weights."""
    return Program({MODEL: capture_graph(_traceable(network), ctc_signature(network.config))})


def ctc_signature(config: PretrainedConfig) -> GraphSignature:
    """``input_values`` (B, samples at 16 kHz) to ``logits`` (B, frames, vocabulary)."""
    stride = math.prod(config.conv_stride)
    minimum = _receptive_field(config) + (_frames_of_two(config) - 1) * stride
    values = TensorSpec("input_values", ("batch_size", "num_samples"))
    logits = TensorSpec("logits", ("batch_size", "num_frames", config.vocab_size))
    dims = {"batch_size": DynamicDim(2, 1), "num_samples": DynamicDim(minimum + 50 * stride, minimum)}
    return GraphSignature((values,), (logits,), dims)


def _receptive_field(config: PretrainedConfig) -> int:
    """Samples that the convolutions need for one frame."""
    samples = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples


def _frames_of_two(config: PretrainedConfig) -> int:
    """Frames of the convolutions of which an adapter leaves two: torch.export takes one for a constant."""
    frames = 2
    for _ in range(config.num_adapter_layers if getattr(config, "add_adapter", False) else 0):
        frames = (frames - 1) * config.adapter_stride + 1
    return frames


def _traceable(network: PreTrainedModel) -> PreTrainedModel:
    """A copy that shares every parameter, with weight norms computed and modules that trace badly replaced."""
    AttentionInterface.register(_UNMASKED, sdpa_attention_forward)
    shared = {id(tensor): tensor for tensor in [*network.parameters(), *network.buffers()]}
    twin = copy.deepcopy(network, shared)
    twin.config._attn_implementation = _UNMASKED
    for module in twin.modules():
        if parametrize.is_parametrized(module):
            _fold(module)
        module.__class__ = STATELESS.get(type(module), type(module))
    return twin


def _fold(module: nn.Module) -> None:
    """Makes parametrized weights plain.

    ``remove_parametrizations`` would also take the weight from the class, which the original module shares.
    """
    names = [name for name, _ in module.get_submodule("parametrizations").named_children()]
    weights = {name: getattr(module, name).detach() for name in names}
    del module.parametrizations
    module.__class__ = type(module).__bases__[0]
    for name, weight in weights.items():
        module.register_parameter(name, nn.Parameter(weight, requires_grad=False))
