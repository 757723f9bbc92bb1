"""sinusoids: Whisper's own table is recognized at the precision of a checkpoint, others are not."""

from __future__ import annotations

import pytest
import torch
from transformers.models.whisper.modeling_whisper import sinusoids as whisper_sinusoids

from passes.numbers.sinusoids import frequencies, is_sinusoids, sinusoids


@pytest.mark.parametrize("shape", [(1, 4), (10, 8), (1500, 384)])
def test_the_formula_is_whispers(shape: tuple[int, int]) -> None:
    # Two roundings to float32 of an angle below n, and one of the sine.
    tolerance = shape[0] * 2.0**-22 + 2.0**-23
    torch.testing.assert_close(sinusoids(*shape), whisper_sinusoids(*shape), rtol=0, atol=tolerance)
    assert frequencies(shape[1]).shape == (shape[1] // 2,)


def test_a_float16_table_is_recognized() -> None:
    table = sinusoids(50, 16)
    assert is_sinusoids(table) and is_sinusoids(table.half())


def test_other_tables_are_not() -> None:
    table = sinusoids(50, 16)
    moved = table.clone()
    moved[7, 3] += 0.01
    assert not is_sinusoids(moved)
    assert not is_sinusoids(table.flip(0)) and not is_sinusoids(table.t()) and not is_sinusoids(table[0])
    assert not is_sinusoids(table[:, :15]) and not is_sinusoids(table[:, :2])
