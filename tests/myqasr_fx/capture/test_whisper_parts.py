"""The shared parts hold the network's own submodules under its own names."""

from __future__ import annotations

from collections.abc import Callable

import torch
from transformers import PreTrainedModel

from myqasr_fx.capture.whisper_parts import AttentionParts, DecoderLayerParts, DecoderParts, EncoderStack


def test_names_and_parameters_are_the_network_s(make_whisper: Callable[[str], PreTrainedModel]) -> None:
    network = make_whisper("english").model
    wrapped = DecoderParts(network.decoder, lambda layer: DecoderLayerParts(layer, AttentionParts, AttentionParts))
    for parts, whole in ((wrapped, network.decoder), (EncoderStack(network.encoder), network.encoder)):
        theirs = dict(whole.named_parameters())
        for name, parameter in parts.named_parameters():
            assert parameter is theirs[name]


def test_heads_are_split_and_joined_again(make_whisper: Callable[[str], PreTrainedModel]) -> None:
    attention = make_whisper("english").model.encoder.layers[0].self_attn
    parts = AttentionParts(attention)
    hidden = torch.randn(2, 5, 32)
    with torch.no_grad():
        key, value = (parts.heads(project(hidden)) for project in (attention.k_proj, attention.v_proj))
        found = parts.attend(parts.query(hidden), key, value, None)
        expected = attention(hidden)[0]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
