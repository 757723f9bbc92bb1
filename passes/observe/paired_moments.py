"""What a layer reads in two models at once: at full precision (x), and behind layers that are rounded already (x').

A layer should give what it gives at full precision although it reads something else::

    minimize  sum_t w_t |W x_t - Q x'_t|^2

With ``H = mean(w x' x'^T)`` and ``D = mean(w (x - x') x'^T)`` that is ``tr((V - Q) H (V - Q)^T)`` and a constant, for

    V = W + W D H^-1

so that V is rounded in place of W, with H as the Gram matrix. Few frames show differences that are not there on other
clips: H is damped, and the second term counts n / (n + K), with ``n = (sum w)^2 / sum w^2`` frames. Where the layer has
a bias that takes up the mean error, means are taken out of all three::

    H - m' m'^T,   D - (m - m') m'^T,   bias += W m - Q m'     with  m = mean(w x),  m' = mean(w x')

Of a layer with far fewer outputs than inputs that nothing else shares its inputs with, W D is added up, which is
smaller than D.

Source: Li et al., "GPTAQ: Efficient Finetuning-Free Quantization for Asymmetric Calibration", ICML 2025.
"""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor

from passes.observe.few_frames import DAMPING, damped_by, steadied, undecided
from passes.observe.second_moment import upper_moment, whole_moment


class PairedMoments:
    """Adds up the second moments of pairs of inputs.

    Args:
        cols: Inputs K of the layer.
        centred: True when a bias takes up the mean error.
        weight: W, rows first, K others, of the one layer that they are for; None where several may read the same.
    """

    def __init__(self, cols: int, *, centred: bool = False, weight: Tensor | None = None) -> None:
        self._gram = torch.zeros(cols, cols)  # the blocks below the diagonal are filled in where it is asked for
        self._read_by = None if weight is None else weight.reshape(len(weight), cols)
        self._gap = torch.zeros(cols if weight is None else len(weight), cols)
        self._means = torch.zeros(2, cols)  # sums of x and x'
        self._weight = 0.0
        self._squares = 0.0
        self._centred = centred

    def add(self, exact: Tensor, rounded: Tensor, weights: Tensor) -> None:
        """Adds what one clip makes the layer read.

        Args:
            exact: (…, K) x.
            rounded: (…, K) x'.
            weights: (…) of each frame.
        """
        cols = self.cols
        roots = weights.sqrt().reshape(-1, 1)
        x, seen = (values.reshape(-1, cols) * roots for values in (exact, rounded))
        upper_moment(seen, into=self._gram)
        self._gap.addmm_(self._lacking(x - seen).T, seen)
        self._means += torch.cat([roots.T @ x, roots.T @ seen])
        self._weight += float(weights.sum())
        self._squares += float(weights.square().sum())

    def as_centred(self, centred: bool) -> PairedMoments:
        """The same sums for another layer that reads the same; what is added to one counts for both or for none."""
        other = copy(self)
        other._centred = centred
        return other

    def target(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """V, of the shape of ``weight`` (rows first, K others), and H (K, K), steadied where frames are few.

        Sums for one layer give the V of its own weight alone.
        """
        gram, gap = self._moments()
        return self._shifted(weight, gram, gap), steadied(gram, self.frames)

    def mean_error(self, weight: Tensor, rounded: Tensor) -> Tensor:
        """``W m - Q m'`` (N,): what a bias has to add.

        Args:
            weight: W, rows first, K others.
            rounded: Q, of the same shape.
        """
        exact, seen = self._means / max(self._weight, 1e-30)
        lacking: Tensor = weight.reshape(len(weight), -1) @ exact - rounded.reshape(len(rounded), -1) @ seen
        return lacking

    def _lacking(self, gap: Tensor) -> Tensor:
        """(…, K) differences of inputs, or what the one layer makes of them."""
        return gap if self._read_by is None else gap @ self._read_by.T

    def _moments(self) -> tuple[Tensor, Tensor]:
        """H, and D or W D."""
        total = max(self._weight, 1e-30)
        gram, gap = whole_moment(self._gram) / total, self._gap / total
        if not self._centred:
            return gram, gap
        exact, seen = self._means / total
        inner = gram - seen.outer(seen)
        return inner.add_(undecided(inner, gram)), gap.sub_(self._lacking(exact - seen).outer(seen))

    @property
    def cols(self) -> int:
        """Inputs K of the layer."""
        return len(self._gram)

    @property
    def frames(self) -> float:
        """How many frames of equal weight tell as much."""
        return self._weight**2 / max(self._squares, 1e-30)

    def _shifted(self, weight: Tensor, gram: Tensor, gap: Tensor) -> Tensor:
        """V."""
        matrix, frames = weight.reshape(len(weight), -1), self.frames
        whole = self._read_by is None
        few = len(matrix) < len(gram)  # by rows or by inputs, whichever are fewer
        gap = matrix.double() @ gap.double() if whole and few else gap.double()
        shift: Tensor = torch.linalg.solve(damped_by(gram, DAMPING, torch.float64), gap.T).T.to(weight.dtype)
        found: Tensor = matrix + frames / (frames + len(gram)) * (matrix @ shift if whole and not few else shift)
        return found.reshape(weight.shape)
