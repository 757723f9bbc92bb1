"""Whisper as sherpa-onnx runs it: cross-attention keys and values from the encoder, a decoder cache of fixed length.

The encoder takes any number of frames up to 30 s and gives the keys and values of every decoder layer's
cross-attention. The decoder gets its own keys and values as tensors with a slot for every position, writes those of
the new tokens from slot ``offset`` on and masks the slots behind them, so that no size changes from step to step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from transformers import WhisperConfig, WhisperForConditionalGeneration
from transformers.models.whisper.modeling_whisper import WhisperAttention, WhisperDecoder, WhisperDecoderLayer

from myqasr_fx.capture.export import capture_graph
from myqasr_fx.capture.signature import DynamicDim, GraphSignature, TensorSpec
from myqasr_fx.capture.whisper_parts import AttentionParts, DecoderLayerParts, DecoderParts, EncoderStack
from passes.base import Program

ENCODER = "encoder"
DECODER = "decoder"

_BATCH, _MELS, _FRAMES, _TOKENS = "n_audio", "n_mel_frames", "n_frames", "n_tokens"


def capture_whisper_fixed(network: WhisperForConditionalGeneration) -> Program:
    """Captures the encoder and the decoder; both share the network's parameters."""
    encoder, decoder = fixed_signatures(network.config).values()
    graphs = {ENCODER: capture_graph(_Encoder(network), encoder), DECODER: capture_graph(_Decoder(network), decoder)}
    return Program(graphs)


def fixed_signatures(config: WhisperConfig) -> dict[str, GraphSignature]:
    """Names and shapes as sherpa-onnx has them.

    ``mel`` (B, mel bins, frames) to ``n_layer_cross_k`` and ``_v`` (layers, B, frames / 2, d_model); ``tokens`` (B, T),
    caches (layers, B, positions, d_model), those two and ``offset`` (1,) to ``logits`` and the caches.
    """
    layers, width, longest = config.decoder_layers, config.d_model, config.max_target_positions
    mel = TensorSpec("mel", (_BATCH, config.num_mel_bins, _MELS))
    cross = tuple(TensorSpec(f"n_layer_cross_{part}", (layers, _BATCH, _FRAMES, width)) for part in "kv")
    dims = {_BATCH: DynamicDim(2, 1), _MELS: DynamicDim(24, 8, 2 * config.max_source_positions)}
    encoder = GraphSignature((mel,), cross, dims)
    tokens = TensorSpec("tokens", (_BATCH, _TOKENS), torch.int64)
    names = [f"n_layer_self_{part}_cache" for part in "kv"]
    caches = tuple(TensorSpec(f"in_{name}", (layers, _BATCH, longest, width)) for name in names)
    outputs = tuple(TensorSpec(f"out_{name}", (layers, _BATCH, longest, width)) for name in names)
    logits = TensorSpec("logits", (_BATCH, _TOKENS, config.vocab_size))
    offset = TensorSpec("offset", (1,), torch.int64)
    dims = {_BATCH: DynamicDim(2, 1), _TOKENS: DynamicDim(3, 1, longest), _FRAMES: DynamicDim(20, 4)}
    decoder = GraphSignature((tokens, *caches, *cross, offset), (logits, *outputs), dims)
    return {ENCODER: encoder, DECODER: decoder}


class _Encoder(nn.Module):
    """``WhisperEncoder`` and the decoder layers' projections of its result, under their own names."""

    def __init__(self, network: WhisperForConditionalGeneration) -> None:
        super().__init__()
        stacks = {"encoder": EncoderStack(network.model.encoder), "decoder": _CrossStack(network.model.decoder)}
        self.model = nn.ModuleDict(stacks)

    def forward(self, mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = self.model["decoder"](self.model["encoder"](mel))
        return keys, values


class _CrossStack(nn.Module):
    def __init__(self, decoder: WhisperDecoder) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_CrossLayer(cast(WhisperDecoderLayer, layer)) for layer in decoder.layers)

    def forward(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        attentions = [cast(_CrossLayer, layer).encoder_attn for layer in self.layers]
        keys = torch.stack([attention["k_proj"](states) for attention in attentions])
        return keys, torch.stack([attention["v_proj"](states) for attention in attentions])


class _CrossLayer(nn.Module):
    def __init__(self, layer: WhisperDecoderLayer) -> None:
        super().__init__()
        attention = layer.encoder_attn
        self.encoder_attn = nn.ModuleDict({"k_proj": attention.k_proj, "v_proj": attention.v_proj})


class _Decoder(nn.Module):
    def __init__(self, network: WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.model = nn.ModuleDict({"decoder": _DecoderStack(network.model.decoder)})
        self.proj_out = network.proj_out

    def forward(self, tokens: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        hidden, keys, values = self.model["decoder"](tokens, *state)
        return self.proj_out(hidden), keys, values


class _DecoderStack(DecoderParts):
    def __init__(self, decoder: WhisperDecoder) -> None:
        super().__init__(decoder, _DecoderLayer)

    def forward(self, tokens: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        own_keys, own_values, cross_keys, cross_values, offset = state
        positions = torch.arange(tokens.shape[1], device=tokens.device) + offset  # (T,)
        slots = torch.arange(own_keys.shape[2], device=tokens.device)
        mask = slots[None, :] <= positions[:, None]  # (T, positions)
        hidden = self.embed(tokens, positions)
        keys, values = [], []
        for index, layer in enumerate(self.layers):
            own = _Slots(own_keys[index], own_values[index], positions, mask)
            hidden, key, value = layer(hidden, own, cross_keys[index], cross_values[index])
            keys.append(key)
            values.append(value)
        return self.layer_norm(hidden), torch.stack(keys), torch.stack(values)


@dataclass(frozen=True, slots=True, eq=False)
class _Slots:
    """A layer's cache: keys and values (B, positions, d_model), the new tokens' slots (T,) and what each sees."""

    keys: torch.Tensor
    values: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor

    def write(self, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keys and values with those of the new tokens (B, T, d_model) in their slots."""
        index = self.positions[None, :, None].expand(keys.shape)
        return self.keys.scatter(1, index, keys), self.values.scatter(1, index, values)


class _DecoderLayer(DecoderLayerParts):
    def __init__(self, layer: WhisperDecoderLayer) -> None:
        super().__init__(layer, _SelfAttention, _CrossAttention)

    def forward(
        self, hidden: torch.Tensor, own: _Slots, cross_keys: torch.Tensor, cross_values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        attended, keys, values = self.self_attn(self.self_attn_layer_norm(hidden), own)
        hidden = hidden + attended
        hidden = hidden + self.encoder_attn(self.encoder_attn_layer_norm(hidden), cross_keys, cross_values)
        return self.feed_forward(hidden), keys, values


class _CrossAttention(AttentionParts):
    def forward(self, hidden: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        return self.attend(self.query(hidden), self.heads(keys), self.heads(values), None)


class _SelfAttention(AttentionParts):
    """Writes the new tokens into the layer's cache, and gives it with the result."""

    def __init__(self, attention: WhisperAttention) -> None:
        super().__init__(attention)
        self.k_proj = attention.k_proj
        self.v_proj = attention.v_proj

    def forward(self, hidden: torch.Tensor, own: _Slots) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        keys, values = own.write(self.k_proj(hidden), self.v_proj(hidden))
        return self.attend(self.query(hidden), self.heads(keys), self.heads(values), own.mask), keys, values
