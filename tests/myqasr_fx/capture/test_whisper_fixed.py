"""The fixed-cache graphs against the network itself: prefill, cached steps, encoders of several lengths."""

from __future__ import annotations

import pytest
import torch

from myqasr_fx.capture.whisper_fixed import capture_whisper_fixed, fixed_signatures


@pytest.fixture(scope="module")
def captured(make_whisper):
    network = make_whisper("multilingual")
    return network, capture_whisper_fixed(network).graphs


@pytest.mark.parametrize("mel_frames", [40, 21, 8])
def test_encoder_gives_the_cross_attention_s_keys_and_values(captured, mel_frames):
    network, graphs = captured
    mel = torch.randn(2, 80, mel_frames)
    keys, values = graphs["encoder"](mel)
    stack = network.model.encoder
    with torch.no_grad():
        hidden = torch.nn.functional.gelu(stack.conv2(torch.nn.functional.gelu(stack.conv1(mel)))).transpose(1, 2)
        hidden = hidden + stack.embed_positions.weight[: hidden.shape[1]]
        for layer in stack.layers:
            hidden = layer(hidden, None)
        states = stack.layer_norm(hidden)
        attentions = [layer.encoder_attn for layer in network.model.decoder.layers]
        torch.testing.assert_close(keys, torch.stack([attention.k_proj(states) for attention in attentions]))
        torch.testing.assert_close(values, torch.stack([attention.v_proj(states) for attention in attentions]))


@pytest.mark.parametrize("batch", [1, 3])
def test_decoder_matches_eager_in_prefill_and_cached_steps(captured, batch):
    network, graphs = captured
    tokens = torch.randint(0, network.config.vocab_size, (batch, 9))
    mel = torch.randn(batch, 80, 40)
    with torch.no_grad():
        expected = network(input_features=mel, decoder_input_ids=tokens, use_cache=False).logits
    cross = graphs["encoder"](mel)
    own = [torch.full((2, batch, 32, 32), 7.0)] * 2  # what lies in a slot before it is written must not matter
    for start, stop in ((0, 4), (4, 5), (5, 9)):
        logits, *own = graphs["decoder"](tokens[:, start:stop], *own, *cross, torch.tensor([start]))
        torch.testing.assert_close(logits, expected[:, start:stop], atol=1e-5, rtol=1e-4)


def test_names_and_shapes_are_those_of_the_client(captured):
    network, _ = captured
    encoder, decoder = fixed_signatures(network.config).values()
    assert encoder.input_names == ("mel",)
    assert encoder.output_names == ("n_layer_cross_k", "n_layer_cross_v")
    caches = ("in_n_layer_self_k_cache", "in_n_layer_self_v_cache")
    assert decoder.input_names == ("tokens", *caches, *encoder.output_names, "offset")
    assert decoder.output_names == ("logits", "out_n_layer_self_k_cache", "out_n_layer_self_v_cache")
    assert decoder.inputs[1].dims == (2, "n_audio", 32, 32)


def test_layers_keep_their_names(captured):
    network, graphs = captured
    for graph in graphs.values():
        for name, _ in graph.named_parameters():
            network.get_parameter(name)
    assert "model.decoder.layers.1.encoder_attn.v_proj.weight" in dict(graphs["encoder"].named_parameters())
