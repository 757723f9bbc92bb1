"""What a model expects along a text that it wrote itself: the distributions from which it learns without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from myqasr_fx.measure.forced_run import Cut, ForcedClip, ForcedRun, ForcedState, forced_clip
from myqasr_fx.runtime import Context, Transcript
from myqasr_fx.runtime.context import USUAL_MARGIN

IMPOSSIBLE = -1e9
"""Logit of tokens that the model may not write."""

Tensors = Mapping[str, Tensor]
"""Attribute path to a parameter's values."""


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """A model reading texts while it hears clips, with 2.6 s of silence behind each.

    Args:
        run: Its graphs.
    """

    run: ForcedRun

    def clip(self, samples: np.ndarray, said: Transcript) -> ForcedClip:
        """Inputs that make it read ``said``."""
        prepared = self.run.prepared
        return forced_clip(prepared.speech, samples, said, Context.of(prepared.silence, USUAL_MARGIN))

    def expected(self, clip: ForcedClip, tensors: Tensors | None = None) -> Tensor:
        """Log-probabilities (L, vocabulary) at each token of a text and its end, or at each frame of a CTC model.

        Where gradients are wanted, values inside layers are computed again on the way back instead of kept.

        Args:
            clip: Of :meth:`clip`.
            tensors: Parameters to compute with instead of those of the graphs.
        """
        state = self.run.start(clip)
        if torch.is_grad_enabled():
            for cut in self.run.cuts[1:]:
                state = self._stretch(clip, state, cut, tensors)
        logits, generation = self.run.logits(clip, state, tensors), self.run.prepared.speech.generation
        if generation is not None:
            suppressed = torch.tensor(generation.suppress_tokens, dtype=torch.int64)
            logits = logits.index_fill(-1, suppressed, IMPOSSIBLE)
        return functional.log_softmax(logits, -1)

    def _stretch(self, clip: ForcedClip, state: ForcedState, cut: Cut, tensors: Tensors | None) -> ForcedState:
        found: ForcedState = checkpoint(self.run.advance, clip, state, cut, tensors, use_reentrant=False)
        return found

    def sureness(self, expected: Tensor) -> Tensor:
        """How much each position counts, (L,): the probability of its best token; none where that is the blank."""
        sure, best = expected.exp().max(-1)
        speech = self.run.prepared.speech
        return sure if speech.generation is not None else sure * (best != speech.config.pad_token_id)
