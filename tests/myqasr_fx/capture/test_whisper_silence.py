"""Silent frames that count for many do what that many silent frames do."""

from __future__ import annotations

import pytest
import torch

from myqasr_fx.capture import capture_whisper, decoder_signature
from myqasr_fx.capture.whisper import DECODER, ENCODER
from myqasr_fx.capture.whisper_silence import check_stride, heard_of
from myqasr_fx.errors import CaptureError

STRIDE = 4
LONGEST = 20
"""Positions of the tiny network."""

HEARD = 12
"""At positions 0 to 3 and 12 to 19; two frames stand for those at 4 to 11."""


@pytest.fixture(scope="module")
def captured(make_whisper):
    network = make_whisper("english")
    return network, capture_whisper(network).graphs, capture_whisper(network, STRIDE).graphs


def empty_cache(network) -> list[torch.Tensor]:
    inputs = decoder_signature(network.config).inputs[2:]
    return [torch.zeros(1, spec.dims[1], 0, spec.dims[3]) for spec in inputs]


def spread(states: torch.Tensor) -> torch.Tensor:
    """Every silent frame as often as it counts."""
    return torch.cat([states[:, :HEARD], states[:, HEARD:].repeat_interleave(STRIDE, 1)], dim=1)


@torch.no_grad
def test_the_encoder_hears_each_silent_frame_so_many_times(captured):
    network, _, counted = captured
    features = torch.randn(1, network.config.num_mel_bins, 2 * HEARD)
    encoder, gelu = network.model.encoder, torch.nn.functional.gelu
    frames = gelu(encoder.conv2(gelu(encoder.conv1(features)))).transpose(1, 2)
    places = encoder.embed_positions.weight
    heard = frames + places[[*range(4), *range(12, 20)]]
    hidden = spread(torch.cat([heard, frames[:, 9:10] + places[[6, 10]]], dim=1))
    for layer in encoder.layers:
        hidden = layer(hidden, None)
    expected = encoder.layer_norm(hidden)
    states = counted[ENCODER](features)
    assert (states.shape[1], expected.shape[1]) == (HEARD + 2, LONGEST)
    torch.testing.assert_close(spread(states), expected, atol=1e-5, rtol=1e-4)


@torch.no_grad
def test_the_decoder_finds_the_silent_frames_by_their_number(captured):
    network, plain, counted = captured
    states = torch.randn(1, HEARD + 2, network.config.d_model)
    tokens = torch.tensor([[3, 5, 7]])
    cache = empty_cache(network)
    expected, *_ = plain[DECODER](tokens, spread(states), *cache)
    logits, *present = counted[DECODER](tokens[:, :2], states, *cache)
    torch.testing.assert_close(logits, expected[:, :2], atol=1e-5, rtol=1e-4)
    logits, *_ = counted[DECODER](tokens[:, 2:], states, *present)
    torch.testing.assert_close(logits, expected[:, 2:], atol=1e-5, rtol=1e-4)


@torch.no_grad
@pytest.mark.parametrize("batch", [1, 3])
def test_of_30_s_every_bit_stays(captured, batch):
    network, plain, counted = captured
    features = torch.randn(batch, network.config.num_mel_bins, 40)
    states = plain[ENCODER](features)
    assert torch.equal(counted[ENCODER](features), states)
    tokens = torch.tensor([[3, 5]] * batch)
    cache = [torch.cat([empty] * batch) for empty in empty_cache(network)]
    found, expected = (graphs[DECODER](tokens, states, *cache) for graphs in (counted, plain))
    assert all(map(torch.equal, found, expected))


def test_the_number_of_states_tells_what_was_heard():
    for heard in range(40, 1501, 20):
        assert heard_of(heard + (1500 - heard) // 20, 1500, 20) == heard


def test_positions_that_are_no_multiple_are_refused():
    check_stride(1500, 20)
    with pytest.raises(CaptureError, match="48 positions, expected a multiple of 20"):
        check_stride(48, 20)
