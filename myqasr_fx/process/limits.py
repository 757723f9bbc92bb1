"""Bounds of the work: how many clips, rows, attempts and bytes a stage takes."""

from __future__ import annotations

from dataclasses import dataclass, fields

from passes.errors import MyqasrError
from passes.observe.few_frames import ENOUGH


@dataclass(frozen=True, slots=True)
class Limits:
    """No options: the defaults are what the documentation's figures were measured with; tests lower them.

    Args:
        batch: Clips decoded together: a step of the decoder costs little more for eight rows than for one.
        held_out_from: Fewest clips of which some are held out: with fewer, the calibration needs them all.
        judged_clips: Most clips to judge on when none is held out: they are spread over those of the calibration.
        kept_every: One clip of so many is kept to measure what rounding costs, where there is more than one.
        curvature_clips: Most clips whose curvature is measured.
        probed_clips: Clips that probe what rounded layers cost; half as many make widths that are expected to lose 1 %
            more.
        correction_clips: Clips on which the model runs with one large layer rounded.
        first_clips: Clips that all layers are rounded on in sequence.
        sequence_clips: Most clips that layers are rounded on which read too few frames of the first ones.
        enough_frames: Frames an input below which a layer reads too few.
        rows: Rows kept of what each layer reads over all clips, at least one a clip.
        pairs: Pairs of matrices kept of each product of attention, one of a clip's heads each.
        columns: Columns kept of the right matrix of a pair.
        taught_clips: Most clips that a model learns from, and most that decide whether it helped.
        attempts: Files written at most: the first measures what is misjudged of the text around the payload.
        spare: Share of the budget that may stay unused because of a wrong estimate.
        spare_bytes: The same for models so small that the text of the graph outweighs the weights.
        verified_clips: Clips to compare files on, where there are as many.
        verified_positions: Positions from which on no more clips are compared: one tie more or less is then far below
            one per cent.
        unfolded_bytes: Size of the files together up to which exact kernels unfold all weights once; those of larger
            ones unfold anew for every clip, and no two graphs of them are open at once.
        exact_error: Largest relative L2 error of the logits with exact kernels: faithful files stay below 1e-5, one
            wrong byte seldom.
        verified_agreement: Smallest share of positions where the shipped session prefers the same token.
        kept_logits_bytes: Logits that one run keeps at most: of more clips than fit in here the rest is computed again.
    """

    batch: int = 8
    held_out_from: int = 8
    judged_clips: int = 8
    kept_every: int = 4
    curvature_clips: int = 16
    probed_clips: int = 8
    correction_clips: int = 4
    first_clips: int = 16
    sequence_clips: int = 24
    enough_frames: float = ENOUGH
    rows: int = 256
    pairs: int = 8
    columns: int = 128
    taught_clips: int = 16
    attempts: int = 4
    spare: float = 0.002
    spare_bytes: int = 4096
    verified_clips: int = 4
    verified_positions: int = 400
    unfolded_bytes: int = 100_000_000
    exact_error: float = 1e-4
    verified_agreement: float = 0.99
    kept_logits_bytes: int = 256_000_000

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) >= 0:
                raise MyqasrError(f"limit {field.name} {getattr(self, field.name)}: expected at least 0")
