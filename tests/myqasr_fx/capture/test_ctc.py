from __future__ import annotations

import pytest
import torch
from torch.nn.utils import parametrize

from myqasr_fx.capture import capture_ctc, ctc_signature, export_graph

KINDS = ["wav2vec2", "wav2vec2-stable", "conformer", "conformer-rotary", "hubert", "wavlm", "data2vec"]


@pytest.fixture(scope="module", params=KINDS)
def captured(request, make_ctc):
    """A network, its state and settings before capture, and its graph."""
    network = make_ctc(request.param)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    attention = network.config._attn_implementation
    graph = capture_ctc(network).graphs["model"]
    assert network.config._attn_implementation == attention
    return network, before, graph


def test_matches_eager_at_several_shapes(captured):
    network, _, graph = captured
    minimum = ctc_signature(network.config).dims["num_samples"].minimum
    for batch, samples in ((1, minimum - 40), (1, minimum), (1, 1600), (3, 1999), (2, 8001)):
        values = torch.randn(batch, samples)
        with torch.no_grad():
            torch.testing.assert_close(graph(values), network(values).logits, atol=1e-5, rtol=1e-4)


def test_export_again_gives_the_same_values(captured):
    network, _, graph = captured
    program = export_graph(graph, ctc_signature(network.config))
    values = torch.randn(3, 2345)
    torch.testing.assert_close(program.module(check_guards=False)(values), graph(values))


def test_network_is_left_alone(captured):
    network, before, _ = captured
    after = network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(before[name], after[name]) for name in before)
    network(torch.randn(1, 1600))


def test_parameters_are_the_network_s_own_and_weight_norm_is_folded(captured):
    network, _, graph = captured
    for name, parameter in graph.named_parameters():
        owner, _, attribute = name.rpartition(".")
        module = network.get_submodule(owner)
        if parametrize.is_parametrized(module, attribute):
            torch.testing.assert_close(parameter, getattr(module, attribute))
        else:
            assert parameter.data_ptr() == network.get_parameter(name).data_ptr()
    assert not [name for name, _ in graph.named_parameters() if "parametrizations" in name]


def test_attention_is_one_operator_without_mask(captured):
    aten = torch.ops.aten
    targets = [node.target for node in captured[2].graph.nodes]
    assert targets.count(aten.scaled_dot_product_attention.default) == 2
    assert not {aten.bmm.default, aten.baddbmm.default, aten.expand.default} & set(targets)
