"""Modules of CTC encoders that compute the same with fewer, common operators and no state.

Each takes the place of its base class on a copied network, so that all names and parameters stay.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F
from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import (
    Wav2Vec2ConformerRelPositionalEmbedding,
    Wav2Vec2ConformerRotaryPositionalEmbedding,
)
from transformers.models.wavlm.modeling_wavlm import WavLMAttention


class SinusoidalDistances(Wav2Vec2ConformerRelPositionalEmbedding):
    """Sines and cosines of the distances T-1 … -(T-1), computed for the T frames at hand.

    The base class slices a table of ``2 * max_source_positions - 1`` rows, which would have to be stored
    and would limit the length.
    """

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Returns (1, 2T-1, d_model) for ``hidden_states`` (B, T, d_model)."""
        frames = hidden_states.shape[1]
        distance = (frames - 1) - torch.arange(2 * frames - 1, device=hidden_states.device)
        even = torch.arange(0, self.d_model, 2, device=hidden_states.device)
        angle = distance[:, None] * torch.exp(even * (-math.log(10000.0) / self.d_model))  # (2T-1, d_model/2)
        return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[None].to(hidden_states.dtype)


class RotaryPositions(Wav2Vec2ConformerRotaryPositionalEmbedding):
    """Rotary cosines and sines without the base class's cache, which tracing would have to write."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """Returns (2, T, 1, 1, head_dim) for ``hidden_states`` (B, T, d_model)."""
        position = torch.arange(hidden_states.shape[1], device=hidden_states.device)
        angle = (position[:, None] * self.inv_freq).repeat(1, 2)[:, None, None]  # (T, 1, 1, head_dim)
        return torch.stack([angle.cos(), angle.sin()]).to(hidden_states.dtype)


class GatedAttention(WavLMAttention):
    """WavLM attention through the same linear and attention operators as every other family."""

    def compute_bias(self, query_length: int, key_length: int) -> torch.Tensor:
        """Returns (heads, T, T); plain indexing of the table, because T*T rows are no token lookup."""
        position = torch.arange(key_length, device=self.rel_attn_embed.weight.device)
        buckets = self._relative_positions_bucket(position[None, :] - position[:query_length, None])
        table: torch.Tensor = self.rel_attn_embed.weight
        return table[buckets].permute(2, 0, 1)

    def torch_multi_head_self_attention(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None, gated_position_bias: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention of ``hidden_states`` (B, T, d_model) with a bias (B * heads, T, T); no padding mask.

        The second result stands where the original returns attention weights, which nobody reads.
        """
        query, key, value = (
            projection(hidden_states).reshape(*hidden_states.shape[:2], self.num_heads, self.head_dim).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        bias = gated_position_bias.reshape(-1, self.num_heads, *gated_position_bias.shape[1:])
        context = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=self.scaling)
        return self.out_proj(context.transpose(1, 2).reshape(hidden_states.shape)), gated_position_bias


STATELESS: dict[type[nn.Module], type[nn.Module]] = {
    Wav2Vec2ConformerRelPositionalEmbedding: SinusoidalDistances,
    Wav2Vec2ConformerRotaryPositionalEmbedding: RotaryPositions,
    WavLMAttention: GatedAttention,
}
"""Class of a module to the class that takes its place."""
