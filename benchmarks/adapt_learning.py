"""A full-precision model that learns from recordings without labels: it grows surer of what it writes itself.

Teacher-forced along the greedy transcripts of the model as it came, in a context of the clip and 2.6 s. Two losses:
the entropy of the distributions, and their divergence from those of the model as it came on the unchanged audio, while
the learning one hears it changed. There positions count by the probability that the model as it came gives its best
token; of a CTC model, frames whose best token is the blank do not count. A third loss is that of the text itself, where
it is another's. What learns are the norms and all biases, or all weights but embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from myqasr_fx.adapt.changed_audio import changed
from myqasr_fx.adapt.learn import EPOCHS, RATE, TOGETHER
from myqasr_fx.adapt.reader import IMPOSSIBLE
from myqasr_fx.measure.forced_run import forced_clip
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Context, Runtime, Transcript, WhisperRuntime
from myqasr_fx.runtime.context import FULL, USUAL_MARGIN
from myqasr_fx.runtime.torch_runner import torch_runtime
from passes.base import Program

CONTEXT = Context(USUAL_MARGIN)


@dataclass(frozen=True, slots=True)
class Setting:
    """How a model learns.

    Args:
        name: In the tables.
        entropy: Weight of the entropy.
        consistency: Weight of the divergence.
        text: Weight of the negative log-probability of the text that it is given, which may be another model's.
        changed: The learning model hears the audio changed.
        everything: All weights learn but embeddings, not the norms and biases alone.
        rate: Of Adam.
        epochs: Times that every clip is heard.
    """

    name: str
    entropy: float = 1.0
    consistency: float = 0.0
    text: float = 0.0
    changed: bool = False
    everything: bool = False
    rate: float = RATE
    epochs: int = EPOCHS


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """A clip, its text, tokens (L,); of the model as it came log-probabilities (L, vocabulary) and weights (L,)."""

    samples: np.ndarray
    said: Transcript
    targets: Tensor
    expected: Tensor
    weights: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Learner:
    """A model and its graphs."""

    speech: SpeechModel
    program: Program

    def runtime(self, context: Context = FULL) -> Runtime:
        """Writes texts with the weights as they are."""
        found = torch_runtime(self.speech, self.program)
        return replace(found, context=context) if isinstance(found, WhisperRuntime) else found

    def log_probabilities(self, samples: np.ndarray, said: Transcript) -> Tensor:
        """Of the tokens of ``said`` and the end, or of the frames of a CTC model, (L, vocabulary)."""
        clip, found = forced_clip(self.speech, samples, said, CONTEXT), torch.empty(0)
        for name, graph in self.program.graphs.items():
            results = graph(*(found if value is None else value for value in clip.inputs[name]))
            found = results if isinstance(results, Tensor) else results[0]
        if self.speech.generation is None:
            return functional.log_softmax(found[0], -1)
        logits = found[0, clip.first : clip.first + len(clip.targets)]
        suppressed = torch.tensor(self.speech.generation.suppress_tokens, dtype=torch.int64)
        return functional.log_softmax(logits.index_fill(-1, suppressed, IMPOSSIBLE), -1)

    def changed(self, samples: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Changed a little; a CTC model hears it as fast as it is, since its frames are compared."""
        return changed(samples, generator, keep_speed=self.speech.generation is None)

    def own(self, samples: np.ndarray, said: Transcript) -> Own:
        """What the model as it came makes of a clip."""
        with torch.no_grad():
            expected = self.log_probabilities(samples, said)
        sure, best = expected.exp().max(-1)
        blank = None if self.speech.generation else self.speech.config.pad_token_id
        weights = sure if blank is None else sure * (best != blank)
        return Own(samples, said, forced_clip(self.speech, samples, said, CONTEXT).targets, expected, weights)


def learn(learner: Learner, clips: Sequence[np.ndarray], said: Sequence[Transcript], setting: Setting) -> None:
    """Changes the weights in place.

    Args:
        learner: The model.
        clips: Samples (T,) float32 at 16 kHz, at most 30 s each.
        said: What it, or another, writes for each, in its own tokens.
        setting: How it learns.
    """
    generator = np.random.default_rng(0)
    own = [learner.own(*pair) for pair in zip(clips, said, strict=True)]
    with _learning(learner.program, setting.everything) as parameters:
        optimizer = torch.optim.Adam(parameters, lr=setting.rate)
        for _ in range(setting.epochs):
            order = generator.permutation(len(own))
            for start in range(0, len(own), TOGETHER):
                step = [own[index] for index in order[start : start + TOGETHER]]
                optimizer.zero_grad()
                for item in step:
                    samples = learner.changed(item.samples, generator) if setting.changed else item.samples
                    (_loss(learner.log_probabilities(samples, item.said), item, setting) / len(step)).backward()
                optimizer.step()


def _loss(found: Tensor, own: Own, setting: Setting) -> Tensor:
    """Nats a position."""
    entropy = -(found.exp() * found).sum(-1)
    apart = (own.expected.exp() * (own.expected - found)).sum(-1)
    total = own.weights.sum().clamp_min(1e-6)
    own_loss = ((setting.entropy * entropy + setting.consistency * apart) * own.weights).sum() / total
    return own_loss - setting.text * found.gather(-1, own.targets[:, None]).mean() if setting.text else own_loss


@contextmanager
def _learning(program: Program, everything: bool) -> Iterator[list[nn.Parameter]]:
    """The parameters that learn, while they do."""
    chosen = [p for name, p in parameters_of(program).items() if _learns(name, everything)]
    for parameter in chosen:
        parameter.requires_grad_(True)
    try:
        yield chosen
    finally:
        for parameter in chosen:
            parameter.requires_grad_(False)
            parameter.grad = None


def _learns(name: str, everything: bool) -> bool:
    return "embed" not in name if everything else "norm" in name or name.endswith("bias")


def parameters_of(program: Program) -> dict[str, nn.Parameter]:
    """All of them by name; those that graphs share once."""
    return {name: parameter for graph in program.graphs.values() for name, parameter in graph.named_parameters()}


@contextmanager
def weights_kept(program: Program) -> Iterator[None]:
    """They are afterwards what they were before."""
    came = [(parameter, parameter.detach().clone()) for parameter in parameters_of(program).values()]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, tensor in came:
                parameter.copy_(tensor)
