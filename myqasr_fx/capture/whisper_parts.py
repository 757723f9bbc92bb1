"""What both captures of Whisper share: its submodules under their own names, and how attention splits heads."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F
from transformers.models.whisper.modeling_whisper import (
    WhisperAttention,
    WhisperDecoder,
    WhisperDecoderLayer,
    WhisperEncoder,
)


class EncoderStack(nn.Module):
    """``WhisperEncoder`` for any number of frames up to that of its positions, and nothing that only training needs."""

    def __init__(self, encoder: WhisperEncoder) -> None:
        super().__init__()
        self.conv1 = encoder.conv1
        self.conv2 = encoder.conv2
        self.embed_positions = encoder.embed_positions
        self.layers = encoder.layers
        self.layer_norm = encoder.layer_norm

    def forward(self, input_features: torch.Tensor) -> torch.Tensor:
        """Encoder states of (B, mel bins, 2 * frames)."""
        hidden = self.frames(input_features)
        return self.states(hidden + self.embed_positions.weight[: hidden.shape[1]])

    def frames(self, input_features: torch.Tensor) -> torch.Tensor:
        """(B, frames, d_model) of (B, mel bins, 2 * frames), without positions."""
        hidden = F.gelu(self.conv2(F.gelu(self.conv1(input_features))))
        return hidden.transpose(1, 2)

    def states(self, hidden: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Encoder states of frames with their positions; ``mask`` is added to the scores of every attention."""
        for layer in self.layers:
            hidden = layer(hidden, mask)
        states: torch.Tensor = self.layer_norm(hidden)
        return states


class DecoderParts(nn.Module):
    """Submodules of ``WhisperDecoder``, its layers wrapped.

    Args:
        decoder: Of the network.
        wrap: Makes the layer that the graph runs.
    """

    def __init__(self, decoder: WhisperDecoder, wrap: Callable[[WhisperDecoderLayer], nn.Module]) -> None:
        super().__init__()
        self.embed_tokens = decoder.embed_tokens
        self.embed_positions = decoder.embed_positions
        self.layers = nn.ModuleList(wrap(cast(WhisperDecoderLayer, layer)) for layer in decoder.layers)
        self.layer_norm = decoder.layer_norm

    def embed(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """(B, T, d_model) of tokens (B, T) at positions (T,)."""
        embedded: torch.Tensor = self.embed_tokens(tokens) + self.embed_positions.weight[positions]
        return embedded


class DecoderLayerParts(nn.Module):
    """Submodules of ``WhisperDecoderLayer``, its attentions wrapped.

    Args:
        layer: Of the network.
        own: Makes the attention to the tokens.
        cross: Makes the attention to the encoder's frames.
    """

    def __init__(
        self,
        layer: WhisperDecoderLayer,
        own: Callable[[WhisperAttention], nn.Module],
        cross: Callable[[WhisperAttention], nn.Module],
    ) -> None:
        super().__init__()
        self.self_attn = own(layer.self_attn)
        self.self_attn_layer_norm = layer.self_attn_layer_norm
        self.encoder_attn = cross(layer.encoder_attn)
        self.encoder_attn_layer_norm = layer.encoder_attn_layer_norm
        self.fc1 = layer.fc1
        self.activation_fn = layer.activation_fn
        self.fc2 = layer.fc2
        self.final_layer_norm = layer.final_layer_norm

    def feed_forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """``hidden`` (B, T, d_model) plus its feed-forward block."""
        fed: torch.Tensor = hidden + self.fc2(self.activation_fn(self.fc1(self.final_layer_norm(hidden))))
        return fed


class AttentionParts(nn.Module):
    """Submodules of ``WhisperAttention`` that every capture needs."""

    def __init__(self, attention: WhisperAttention) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        self.scaling = attention.scaling
        self.q_proj = attention.q_proj
        self.out_proj = attention.out_proj

    def query(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scaled queries (B, heads, T, head_dim) of ``hidden`` (B, T, d_model)."""
        return self.heads(self.q_proj(hidden) * self.scaling)

    def attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """(B, T, d_model) of queries, keys and values (B, heads, length, head_dim)."""
        context = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=1.0)
        batch, heads, length, size = query.shape
        attended: torch.Tensor = self.out_proj(context.transpose(1, 2).reshape(batch, length, heads * size))
        return attended

    def heads(self, states: torch.Tensor) -> torch.Tensor:
        """(B, heads, length, head_dim) of (B, length, d_model)."""
        batch, length, width = states.shape
        return states.reshape(batch, length, self.num_heads, width // self.num_heads).transpose(1, 2)
