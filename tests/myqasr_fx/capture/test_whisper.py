from __future__ import annotations

import pytest
import torch
from torch import fx

from myqasr_fx.capture import capture_whisper, decoder_signature, export_graph, signatures


@pytest.fixture(scope="module", params=["english", "multilingual", "large-v3"])
def captured(request, make_whisper):
    network = make_whisper(request.param)
    return network, capture_whisper(network).graphs


def step(decoder: fx.GraphModule, tokens: torch.Tensor, states: torch.Tensor, cache: list[torch.Tensor]):
    with torch.no_grad():
        logits, *present = decoder(tokens, states, *cache)
    return logits, present


def empty_cache(network, batch: int) -> list[torch.Tensor]:
    inputs = decoder_signature(network.config).inputs[2:]
    return [torch.zeros(batch, spec.dims[1], 0, spec.dims[3]) for spec in inputs]


@pytest.mark.parametrize("batch", [1, 3])
def test_encoder_matches_eager(captured, batch):
    network, graphs = captured
    features = torch.randn(batch, network.config.num_mel_bins, 40)
    encoder = graphs["encoder_model"]
    with torch.no_grad():
        torch.testing.assert_close(encoder(features), network.model.encoder(features).last_hidden_state)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("frames", [20, 11])
def test_decoder_matches_eager_in_prefill_and_cached_steps(captured, batch, frames):
    network, graphs = captured
    decoder = graphs["decoder_model_merged"]
    tokens = torch.randint(0, network.config.vocab_size, (batch, 9))
    states = torch.randn(batch, frames, network.config.d_model)
    with torch.no_grad():
        expected = network(decoder_input_ids=tokens, encoder_outputs=(states,), use_cache=False).logits
    cache = empty_cache(network, batch)
    for start, stop in ((0, 4), (4, 5), (5, 6), (6, 9)):
        logits, cache = step(decoder, tokens[:, start:stop], states, cache)
        torch.testing.assert_close(logits, expected[:, start:stop], atol=1e-5, rtol=1e-4)
        assert cache[0].shape[2] == stop
        assert cache[2].shape[2] == frames


def test_single_token_prefill(captured):
    network, graphs = captured
    decoder = graphs["decoder_model_merged"]
    states = torch.randn(1, 20, network.config.d_model)
    tokens = torch.tensor([[3]])
    with torch.no_grad():
        expected = network(decoder_input_ids=tokens, encoder_outputs=(states,)).logits
    logits, _ = step(decoder, tokens, states, empty_cache(network, 1))
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-4)


def test_graphs_are_flat_and_keep_names(captured):
    network, graphs = captured
    for name, signature in signatures(network.config).items():
        placeholders = graphs[name].graph.find_nodes(op="placeholder")
        assert [node.name for node in placeholders] == [spec.identifier for spec in signature.inputs]
        assert not [node for node in graphs[name].graph.nodes if "assert" in str(node.target)]
        for parameter, _ in graphs[name].named_parameters():
            network.get_parameter(parameter)
    owners = {
        list(node.meta["nn_module_stack"].values())[-1][0]
        for node in graphs["decoder_model_merged"].graph.nodes
        if node.target is torch.ops.aten.scaled_dot_product_attention.default
    }
    assert owners == {f"model.decoder.layers.{i}.{part}" for i in (0, 1) for part in ("self_attn", "encoder_attn")}


def test_tied_weights_share_storage(captured):
    network, graphs = captured
    decoder = graphs["decoder_model_merged"]
    embedding = decoder.get_parameter("model.decoder.embed_tokens.weight")
    assert decoder.get_parameter("proj_out.weight") is embedding
    assert embedding.data_ptr() == network.proj_out.weight.data_ptr()
    assert network.proj_out.weight.requires_grad
    assert not embedding.requires_grad


def test_export_again_gives_the_same_values(captured):
    network, graphs = captured
    for name, signature in signatures(network.config).items():
        program = export_graph(graphs[name], signature)
        args = signature.example_args({"batch_size": 4})
        torch.testing.assert_close(program.module(check_guards=False)(*args), graphs[name](*args))
