"""What sizes a CTC model may have."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from transformers import PretrainedConfig

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.models.json_file import is_count
from myqasr_fx.models.refusal import wrong
from myqasr_fx.models.sizes import Shapes, Size, check_divides, check_equal, check_range, check_shown, count_layers

_RELATIVE_POSITIONS = (1, 1 << 14)
"""The table of a Conformer is made with the network and no tensor shows it; these are more than five minutes."""

_BUCKETS = (4, 1 << 14)
_ADAPTER_STRIDES = (1, 16)
_ROTARY_BASES = (2, 1 << 30)


def check_ctc_sizes(path: Path, config: PretrainedConfig, shapes: Shapes, prefix: str) -> None:
    """Checks counts, widths, heads, kernels, strides and positions.

    Args:
        path: The file that says the sizes.
        config: With fields of the right types.
        shapes: Of the tensors, under the network's names.
        prefix: Of the encoder's tensors, with a dot.

    Raises:
        ModelError: A size differs from the tensors, or is none that such a model can have.
    """
    root = f"{prefix}feature_extractor.conv_layers."
    check_equal(path, "the length of conv_dim", len(config.conv_dim), count_layers(shapes, root), f"{root}*")
    check_shown(path, _shown(config, prefix), shapes)
    root = f"{prefix}encoder.layers."
    check_equal(path, "num_hidden_layers", config.num_hidden_layers, count_layers(shapes, root), f"{root}*")
    for field in ("num_attention_heads", "num_conv_pos_embedding_groups"):
        check_divides(path, config, field, config.hidden_size)
    strides = list(config.conv_stride)
    if not all(is_count(stride, 1) for stride in strides) or math.prod(strides) > SAMPLING_RATE:
        raise wrong(path, "conv_stride", strides, "positive numbers that leave at least a frame a second")
    if getattr(config, "add_adapter", False):
        check_range(path, config, "adapter_stride", *_ADAPTER_STRIDES)
        root = f"{prefix}adapter.layers."
        check_equal(path, "num_adapter_layers", config.num_adapter_layers, count_layers(shapes, root), f"{root}*")
    _check_kind(path, config, shapes, prefix)


def _check_kind(path: Path, config: PretrainedConfig, shapes: Shapes, prefix: str) -> None:
    """What only one kind of encoder has."""
    if config.model_type == "wavlm":
        check_range(path, config, "num_buckets", *_BUCKETS)
        check_range(path, config, "max_bucket_distance", config.num_buckets // 4 + 1, _BUCKETS[1])
    if config.model_type == "wav2vec2-conformer":
        check_range(path, config, "max_source_positions", *_RELATIVE_POSITIONS)
        check_range(path, config, "rotary_embedding_base", *_ROTARY_BASES)
        if config.conv_depthwise_kernel_size % 2 == 0:
            raise wrong(path, "conv_depthwise_kernel_size", config.conv_depthwise_kernel_size, "an odd number")
    if config.model_type == "data2vec-audio":
        root = f"{prefix}encoder.pos_conv_embed.layers."
        check_equal(path, "num_conv_pos_embeddings", config.num_conv_pos_embeddings, count_layers(shapes, root), root)


def _shown(config: PretrainedConfig, prefix: str) -> Iterator[Size]:
    encoder = f"{prefix}encoder"
    yield Size("vocab_size", config.vocab_size, "lm_head.weight", 0)
    yield Size("hidden_size", config.hidden_size, f"{prefix}feature_projection.projection.weight", 0)
    for inner in ("feed_forward", "ffn1"):
        tensor = f"{encoder}.layers.0.{inner}.intermediate_dense.weight"
        yield Size("intermediate_size", config.intermediate_size, tensor, 0)
    for index, (width, kernel) in enumerate(zip(config.conv_dim, config.conv_kernel, strict=True)):
        tensor = f"{prefix}feature_extractor.conv_layers.{index}.conv.weight"
        yield Size(f"conv_dim[{index}]", width, tensor, 0)
        yield Size(f"conv_kernel[{index}]", kernel, tensor, 2)
    optional = (
        ("num_buckets", f"{encoder}.layers.0.attention.rel_attn_embed.weight", 0),
        ("conv_depthwise_kernel_size", f"{encoder}.layers.0.conv_module.depthwise_conv.weight", 2),
        ("adapter_attn_dim", f"{encoder}.layers.0.adapter_layer.linear_1.weight", 0),
        ("adapter_kernel_size", f"{prefix}adapter.layers.0.conv.weight", 2),
        ("conv_pos_kernel_size", f"{encoder}.pos_conv_embed.layers.0.conv.weight", 2),
        ("num_conv_pos_embeddings", f"{encoder}.pos_conv_embed.conv.parametrizations.weight.original1", 2),
    )
    for field, tensor, axis in optional:
        yield Size(field, getattr(config, field, None), tensor, axis)
