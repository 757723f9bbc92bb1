"""Learning without labels: a model grows surer of what it writes itself (entropy minimization).

Literature: SUTA (arXiv 2203.14222) for CTC models, arXiv 2605.08186 for Whisper. Only vectors learn, which are the
norms and biases of a network: they are in the file anyway and cost no byte more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from myqasr_fx.adapt.reader import Reader, Tensors
from myqasr_fx.measure.forced_run import ForcedClip
from myqasr_fx.process.progress import Advance

EPOCHS = 3
RATE = 5e-4
"""Of Adam; both follow a first trial on two speakers, see ``benchmarks/README.md``."""

TOGETHER = 4
"""Clips a step."""


def vectors_of(reader: Reader) -> dict[str, Tensor]:
    """Every parameter of one dimension that a graph reads, by attribute path; one that several read once."""
    found: dict[str, Tensor] = {}
    for graph in reader.run.prepared.program.graphs.values():
        read = {str(node.target) for node in graph.graph.find_nodes(op="get_attr")}
        named = graph.named_parameters(remove_duplicate=False)
        found |= {name: tensor.detach() for name, tensor in named if name in read and tensor.dim() == 1}
    return found


def learn(reader: Reader, clips: Sequence[ForcedClip], seed: int, advance: Advance) -> Tensors:
    """Parameters that make the model surer of the texts that it reads, by attribute path; those of the graphs stay.

    Args:
        reader: The model.
        clips: That it learns from.
        seed: Of the order in which it hears them.
        advance: Told about every clip of every epoch.
    """
    with torch.no_grad():
        weights = [reader.sureness(reader.expected(clip)) for clip in clips]
    learned = {name: tensor.clone().requires_grad_() for name, tensor in vectors_of(reader).items()}
    optimizer = torch.optim.Adam(learned.values(), lr=RATE)
    generator = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        order = generator.permutation(len(clips))
        for start in range(0, len(clips), TOGETHER):
            step = order[start : start + TOGETHER]
            optimizer.zero_grad()
            for index in step:
                with torch.enable_grad():
                    loss = _entropy(reader.expected(clips[index], learned), weights[index]) / len(step)
                    loss.backward()
                advance(1)
            optimizer.step()
    return {name: tensor.detach() for name, tensor in learned.items()}


def _entropy(expected: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over the positions, nats."""
    entropy = -(expected.exp() * expected).sum(-1)
    return (entropy * weights).sum() / weights.sum().clamp_min(1e-6)
