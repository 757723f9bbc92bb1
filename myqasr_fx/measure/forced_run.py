"""The full-precision model hearing a clip and reading its own transcript, which a run can enter at any cut.

Teacher-forced, so one pass over the decoder computes the logits of all tokens; label-free, because the tokens are those
that the model itself wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from myqasr_fx.capture.ctc import MODEL
from myqasr_fx.capture.whisper import DECODER, ENCODER
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Context, Transcript
from myqasr_fx.runtime.context import FULL
from myqasr_fx.runtime.growing_cache import CacheShape
from passes.graph.graph_run import Feed, GraphRun, RunState, Watch

Cut = tuple[int, int]
"""Index of a graph and a step in it."""


@dataclass(frozen=True, slots=True, eq=False)
class ForcedClip:
    """Inputs that make the graphs compute the logits of the model's own tokens.

    Args:
        inputs: Graph name to its inputs; None stands for the result of the graph before.
        targets: (L,) int64, the model's own tokens, the end of the text included.
        first: Position of the logits that predicts the first of them.
    """

    inputs: Mapping[str, tuple[Tensor | None, ...]] = field(repr=False)
    targets: Tensor
    first: int


@dataclass(frozen=True, slots=True, eq=False)
class ForcedState:
    """A clip on its way: the graph it is in, and where there."""

    graph: int
    state: RunState


@dataclass(frozen=True, slots=True, eq=False)
class ForcedRun:
    """The graphs of a model, one after the other.

    Args:
        prepared: Canonical graphs.
    """

    prepared: Prepared
    runs: tuple[GraphRun, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        graphs = self.prepared.program.graphs
        object.__setattr__(self, "runs", tuple(GraphRun(graphs[name]) for name in self.prepared.signatures))

    @property
    def graphs(self) -> tuple[str, ...]:
        """Names of the graphs in the order of the run."""
        return tuple(self.prepared.signatures)

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """Where a run can stop and be resumed at little cost, in order."""
        return tuple((graph, position) for graph, run in enumerate(self.runs) for position in run.cuts)

    def first_steps(self) -> dict[str, Cut]:
        """Layer name to its first use; layers that the logits do not need are left out."""
        found: dict[str, Cut] = {}
        for layer in self.prepared.layers:
            for use in layer.uses:
                index = self.graphs.index(use.graph)
                names = [node.name for node in self.runs[index].steps]
                if use.node in names:
                    found.setdefault(layer.name, (index, names.index(use.node)))
        return found

    def start(self, clip: ForcedClip) -> ForcedState:
        """Before the first step."""
        return ForcedState(0, self.runs[0].start(_given(clip.inputs[self.graphs[0]], None)))

    def advance(
        self,
        clip: ForcedClip,
        state: ForcedState,
        cut: Cut,
        weights: Mapping[str, Tensor] | None = None,
        watch: Watch | None = None,
    ) -> ForcedState:
        """Runs on to ``cut``, with ``weights`` and ``watch`` as in :meth:`logits`."""
        while state.graph < cut[0]:
            state = self._next_graph(clip, state, weights, watch)
        return ForcedState(cut[0], self.runs[cut[0]].resume(state.state, cut[1], weights, watch))

    def logits(
        self,
        clip: ForcedClip,
        state: ForcedState,
        weights: Mapping[str, Tensor] | None = None,
        watch: Watch | None = None,
        feed: Feed | None = None,
    ) -> Tensor:
        """Logits (L, vocabulary) of the clip's tokens, computed from ``state`` on.

        Args:
            clip: The clip.
            state: Where to go on.
            weights: Attribute path to a tensor to compute with instead of the stored one.
            watch: Sees every step.
            feed: Changes what steps are given.
        """
        while state.graph + 1 < len(self.runs):
            state = self._next_graph(clip, state, weights, watch, feed)
        run = self.runs[-1]
        logits = run.result(run.resume(state.state, None, weights, watch, feed))
        return logits[0, clip.first : clip.first + len(clip.targets)]

    def _next_graph(
        self,
        clip: ForcedClip,
        state: ForcedState,
        weights: Mapping[str, Tensor] | None = None,
        watch: Watch | None = None,
        feed: Feed | None = None,
    ) -> ForcedState:
        run, index = self.runs[state.graph], state.graph + 1
        result = run.result(run.resume(state.state, None, weights, watch, feed))
        return ForcedState(index, self.runs[index].start(_given(clip.inputs[self.graphs[index]], result)))


def _given(inputs: Sequence[Tensor | None], previous: Tensor | None) -> list[Tensor]:
    filled = [previous if value is None else value for value in inputs]
    return [value for value in filled if value is not None]


def forced_clip(
    speech: SpeechModel, samples: np.ndarray, transcript: Transcript, context: Context = FULL
) -> ForcedClip:
    """A clip with what the model wrote for it.

    Args:
        speech: Whose graphs are run.
        samples: (T,) float32 at 16 kHz.
        transcript: Of the full-precision model.
        context: How much silence behind the clip is heard, by a model that knows contexts.
    """
    heard = speech.features(samples)
    features = torch.from_numpy(heard if speech.generation is None else context.cut(heard, len(samples)))
    if speech.generation is None:
        return ForcedClip({MODEL: (features,)}, torch.tensor(transcript.tokens), 0)
    prompt = speech.generation.prompt(transcript.language)
    tokens = torch.tensor([[*prompt, *transcript.tokens]])
    targets = torch.tensor([*transcript.tokens, speech.generation.eos_token_id])
    shape = CacheShape.of(speech.config.to_dict())
    empty = torch.zeros(1, shape.heads, 0, shape.width)
    decoder = (tokens, None, *[empty] * (4 * shape.layers))
    return ForcedClip({ENCODER: (features,), DECODER: decoder}, targets, len(prompt) - 1)
