"""Whisper as two graphs: the encoder, and one branch-free decoder for prefill and cached steps.

The encoder takes any length up to 30 s: its positions are sliced in the graph, and at 30 s the slice is the whole.
The modules here share the Hugging Face submodules and their names; only the control flow differs. Cross-attention
keys and values are computed for the encoder frames that are not cached yet, ``encoder_hidden_states[:, cached:]``, and
joined to the cached ones: with an empty cache these are all frames, later none, and no branch is needed.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import WhisperConfig, WhisperForConditionalGeneration
from transformers.models.whisper.modeling_whisper import WhisperAttention, WhisperDecoder, WhisperDecoderLayer

from myqasr_fx.capture.export import capture_graph
from myqasr_fx.capture.signature import DynamicDim, GraphSignature, TensorSpec
from myqasr_fx.capture.whisper_parts import AttentionParts, DecoderLayerParts, DecoderParts, EncoderStack
from myqasr_fx.capture.whisper_silence import CountedEncoder, check_stride, counts, heard_of
from passes.base import Program

ENCODER = "encoder_model"
DECODER = "decoder_model_merged"

_BATCH = "batch_size"
_TOKENS = "decoder_sequence_length"
_PAST = "past_decoder_sequence_length"
_FEATURES = "feature_sequence_length"
_FRAMES = "encoder_sequence_length"
_CACHED = "past_encoder_sequence_length"
_PARTS = tuple((owner, part) for owner in ("decoder", "encoder") for part in ("key", "value"))


def capture_whisper(network: WhisperForConditionalGeneration, silence: int | None = None) -> Program:
    """Captures the encoder and the decoder; both share the network's parameters.

    Args:
        network: In eval mode.
        silence: Frames of the silence behind a clip that one stands for, see
            :mod:`~myqasr_fx.capture.whisper_silence`; None: a clip is heard in what the encoder is given.
    """
    if silence is not None:
        check_stride(network.config.max_source_positions, silence)
    encoder = capture_graph(_Encoder(network, silence), encoder_signature(network.config, silence))
    decoder = capture_graph(_Decoder(network, silence), decoder_signature(network.config))
    return Program({ENCODER: encoder, DECODER: decoder})


def encoder_signature(config: WhisperConfig, silence: int | None = None) -> GraphSignature:
    """``input_features`` (B, mel bins, 2 * frames) to ``last_hidden_state`` (B, frames, d_model).

    Args:
        config: Of the network.
        silence: As for :func:`capture_whisper`.
    """
    features = TensorSpec("input_features", (_BATCH, config.num_mel_bins, _FEATURES))
    states = TensorSpec("last_hidden_state", (_BATCH, _FRAMES, config.d_model))
    fewest = 4 * (silence or 0) + 8
    dims = {_BATCH: DynamicDim(2, 1), _FEATURES: DynamicDim(fewest + 16, fewest, 2 * config.max_source_positions)}
    return GraphSignature((features,), (states,), dims)


def decoder_signature(config: WhisperConfig) -> GraphSignature:
    """``input_ids`` (B, T), ``encoder_hidden_states`` (B, frames, d_model) and cache to ``logits`` and ``present``."""
    heads = config.decoder_attention_heads
    size = config.d_model // heads
    inputs = [
        TensorSpec("input_ids", (_BATCH, _TOKENS), torch.int64),
        TensorSpec("encoder_hidden_states", (_BATCH, _FRAMES, config.d_model)),
    ]
    outputs = [TensorSpec("logits", (_BATCH, _TOKENS, config.vocab_size))]
    for layer in range(config.decoder_layers):
        for owner, part in _PARTS:
            length, total = (_PAST, f"{_PAST} + {_TOKENS}") if owner == "decoder" else (_CACHED, _FRAMES)
            inputs.append(TensorSpec(f"past_key_values.{layer}.{owner}.{part}", (_BATCH, heads, length, size)))
            outputs.append(TensorSpec(f"present.{layer}.{owner}.{part}", (_BATCH, heads, total, size)))
    dims = {
        _BATCH: DynamicDim(2, 1),
        _TOKENS: DynamicDim(3, 1),
        _PAST: DynamicDim(5),
        # torch.export refuses a smaller minimum; the graph itself computes any number of frames.
        _FRAMES: DynamicDim(20, 4),
        _CACHED: DynamicDim(7),
    }
    return GraphSignature(tuple(inputs), tuple(outputs), dims)


class _Encoder(nn.Module):
    """``WhisperEncoder`` under its own names; positions are added as a plain parameter."""

    def __init__(self, network: WhisperForConditionalGeneration, silence: int | None) -> None:
        super().__init__()
        encoder = network.model.encoder
        stack = EncoderStack(encoder) if silence is None else CountedEncoder(encoder, silence)
        self.model = nn.ModuleDict({"encoder": stack})

    def forward(self, input_features: torch.Tensor) -> torch.Tensor:
        states: torch.Tensor = self.model["encoder"](input_features)
        return states


class _Decoder(nn.Module):
    def __init__(self, network: WhisperForConditionalGeneration, silence: int | None) -> None:
        super().__init__()
        longest = network.config.max_source_positions
        self.model = nn.ModuleDict({"decoder": _DecoderStack(network.model.decoder, longest, silence)})
        self.proj_out = network.proj_out

    def forward(
        self, input_ids: torch.Tensor, encoder_hidden_states: torch.Tensor, *past: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        hidden, present = self.model["decoder"](input_ids, encoder_hidden_states, past)
        return (self.proj_out(hidden), *present)


class _DecoderStack(DecoderParts):
    def __init__(self, decoder: WhisperDecoder, longest: int, silence: int | None) -> None:
        super().__init__(decoder, _DecoderLayer)
        self.longest = longest
        self.silence = silence

    def forward(
        self, input_ids: torch.Tensor, encoder_hidden_states: torch.Tensor, past: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        past_length, cached_frames = past[0].shape[2], past[2].shape[2]
        tokens = input_ids.shape[1]
        positions = torch.arange(tokens, device=input_ids.device) + past_length
        mask = torch.arange(past_length + tokens, device=input_ids.device)[None, :] <= positions[:, None]
        uncached = encoder_hidden_states[:, cached_frames:]
        masks = mask, self.cross_mask(encoder_hidden_states)
        hidden = self.embed(input_ids, positions)
        present: list[torch.Tensor] = []
        for index, layer in enumerate(self.layers):
            hidden, cache = layer(hidden, uncached, masks, past[4 * index : 4 * index + 4])
            present.extend(cache)
        return self.layer_norm(hidden), present

    def cross_mask(self, states: torch.Tensor) -> torch.Tensor | None:
        """What is added to the scores of the encoder's frames."""
        if self.silence is None:
            return None
        return counts(states, heard_of(states.shape[1], self.longest, self.silence), self.silence)


class _DecoderLayer(DecoderLayerParts):
    def __init__(self, layer: WhisperDecoderLayer) -> None:
        super().__init__(layer, _Attention, _Attention)

    def forward(
        self,
        hidden: torch.Tensor,
        uncached: torch.Tensor,
        masks: tuple[torch.Tensor, torch.Tensor | None],
        past: tuple[torch.Tensor, ...],
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        own_mask, cross_mask = masks
        own_past, cross_past = past[:2], past[2:]
        normed = self.self_attn_layer_norm(hidden)
        attended, own = self.self_attn(normed, normed, own_mask, own_past)
        hidden = hidden + attended
        attended, cross = self.encoder_attn(self.encoder_attn_layer_norm(hidden), uncached, cross_mask, cross_past)
        return self.feed_forward(hidden + attended), (*own, *cross)


class _Attention(AttentionParts):
    """Attention of ``hidden`` (B, T, d_model) over cached keys and values and those of ``source`` (B, S, d_model)."""

    def __init__(self, attention: WhisperAttention) -> None:
        super().__init__(attention)
        self.k_proj = attention.k_proj
        self.v_proj = attention.v_proj

    def forward(
        self, hidden: torch.Tensor, source: torch.Tensor, mask: torch.Tensor | None, past: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        key = torch.cat([past[0], self.heads(self.k_proj(source))], dim=2)
        value = torch.cat([past[1], self.heads(self.v_proj(source))], dim=2)
        return self.attend(self.query(hidden), key, value, mask), (key, value)
