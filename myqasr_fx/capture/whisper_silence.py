"""Whisper that hears the silence behind a clip in few frames, each of which counts for many.

The frames of padding differ in nothing but their positions, and all that other frames take from them is a weighted
mean. So of every ``stride`` of them one is enough, at the position in their middle, if attention counts it so often::

    positions   0 … frames - 2 stride | the last 2 stride of 30 s | one of every stride between the two
    score       q k                   | q k                       | q k + log(stride)

The last positions are heard one by one: there Whisper's encoder keeps states of 25 times the usual norm, which many
queries look at. The graph makes the silent frames itself, from one of the last that it is given, all of which must be
silence too. How many states its encoder gives tells the decoder which of them count for many. Of 30 s no frame is left
out, the mask is zero, and the graph computes what it does without it.
"""

from __future__ import annotations

import math

import torch
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from myqasr_fx.capture.whisper_parts import EncoderStack
from myqasr_fx.errors import CaptureError


class CountedEncoder(EncoderStack):
    """The encoder.

    Args:
        encoder: Of the network.
        stride: Frames of silence that one stands for.
    """

    def __init__(self, encoder: WhisperEncoder, stride: int) -> None:
        super().__init__(encoder)
        self.stride = stride

    def forward(self, input_features: torch.Tensor) -> torch.Tensor:
        """States (B, frames + silent, d_model) of (B, mel bins, 2 * frames), ``frames`` a multiple of the stride."""
        hidden, places = self.frames(input_features), self.embed_positions.weight
        heard, last = hidden.shape[1], places.shape[0] - 2 * self.stride
        first = heard - 2 * self.stride
        between = places[self.stride // 2 : last : self.stride][first // self.stride :]
        silent = hidden[:, -3:-2] + between  # two frames before the end, of which the convolutions see nothing
        hidden = torch.cat([hidden + torch.cat([places[:first], places[last:]]), silent], dim=1)
        return self.states(hidden, counts(hidden, heard, self.stride)[None, None])


def counts(states: torch.Tensor, heard: int, stride: int) -> torch.Tensor:
    """(1, frames) what is added to the scores of each frame of ``states`` (B, frames, d_model)."""
    behind = torch.arange(states.shape[1], device=states.device)[None] >= heard
    return behind.to(states.dtype) * math.log(stride)


def heard_of(frames: int, longest: int, stride: int) -> int:
    """Frames that were heard, where so many came out of :class:`CountedEncoder`."""
    last = 2 * stride
    return (frames - last - (longest - last) // stride) * stride // (stride - 1) + last


def check_stride(longest: int, stride: int) -> None:
    """Refuses one that the positions are no multiple of.

    Raises:
        CaptureError: As said.
    """
    if longest % stride:
        raise CaptureError(
            f"context speech: this encoder has {longest} positions, expected a multiple of {stride}",
            hint="leave the option out",
        )
