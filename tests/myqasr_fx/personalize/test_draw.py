from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.audio import ClipSet
from myqasr_fx.corpora import read_corpus
from myqasr_fx.errors import EvaluationError
from myqasr_fx.personalize.controls import NOISE, OTHERS
from myqasr_fx.personalize.draw import draw
from myqasr_fx.personalize.groups import Group, GroupSplit, make_groups


@pytest.fixture
def groups(manifest: Path) -> tuple[Group, ...]:
    split = GroupSplit("speaker", 3, calibrate={"split": "calib"}, test={"split": "test"})
    return make_groups(manifest, read_corpus(manifest), split)


def names(clips: ClipSet) -> set[str]:
    return {clip.path.name for clip in clips.clips if clip.path}


def test_own_clips_are_nested_and_seeded(groups: tuple[Group, ...]) -> None:
    draws = [names(draw(groups, "bob", "ann", count, 0)) for count in (1, 2, 3)]
    assert draws[0] < draws[1] < draws[2] == {"bob0.wav", "bob1.wav", "bob2.wav"}
    assert len({frozenset(names(draw(groups, "bob", None, 1, seed))) for seed in range(8)}) > 1


def test_everybody_else_gives_in_turn_and_the_target_nothing(groups: tuple[Group, ...]) -> None:
    found = names(draw(groups, OTHERS, "ann", 4, 0))
    assert sorted(name[:3] for name in found) == ["bob", "bob", "cid", "cid"]


def test_noise_is_as_many_clips(groups: tuple[Group, ...]) -> None:
    first, second = draw(groups, NOISE, None, 2, 0), draw(groups, NOISE, None, 2, 1)
    assert len(first.clips) == 2
    assert first.sha256 != second.sha256
    assert np.std(first.clips[0].samples) == pytest.approx(0.05, rel=0.02)


def test_too_few_clips_are_an_error(groups: tuple[Group, ...]) -> None:
    with pytest.raises(EvaluationError, match="3 usable clips, expected 5"):
        draw(groups, "ann", None, 5, 0)
