from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx.corpora import read_corpus
from myqasr_fx.errors import EvaluationError
from myqasr_fx.personalize.controls import RESERVED
from myqasr_fx.personalize.groups import Group, GroupSplit, check_apart, make_groups, shuffled
from myqasr_fx.process.progress import Silent

APART = {"calibrate": {"split": "calib"}, "test": {"split": "test"}}


def groups(manifest: Path, split: GroupSplit) -> tuple[Group, ...]:
    return make_groups(manifest, read_corpus(manifest), split)


def test_filters_keep_the_sides_apart(manifest: Path) -> None:
    found = groups(manifest, GroupSplit("speaker", 2, **APART))
    assert [(g.name, len(g.pool), len(g.test)) for g in found] == [("ann", 3, 2), ("bob", 3, 2), ("cid", 3, 2)]
    check_apart(found, Silent())


def test_without_filters_a_draw_calibrates_and_the_rest_tests(manifest: Path) -> None:
    found = groups(manifest, GroupSplit("speaker", 1, seeds=2))
    for group in found:
        names = [u.audio.name for u in (*group.pool, *group.test)]
        assert (len(group.pool), len(names), len(set(names))) == (2, 5, 5)
    assert found == groups(manifest, GroupSplit("speaker", 1, seeds=2))


def test_limits_and_choice(manifest: Path) -> None:
    found = groups(manifest, GroupSplit("speaker", 2, **APART, test_clips=1, only=("cid", "ann", "cid")))
    assert [(g.name, len(g.test)) for g in found] == [("cid", 1), ("ann", 1)]


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (GroupSplit("speaker", 4, **APART), r"0 groups by 'speaker' have 4 recordings.*ann 3 \+ 2"),
        (GroupSplit("age", 1), "no line has 'age'"),
        (GroupSplit("speaker", 1, only=("dee",)), "no group 'dee'.*ann, bob, cid"),
    ],
)
def test_groups_that_cannot_be_made(manifest: Path, split: GroupSplit, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        groups(manifest, split)
    with pytest.raises(EvaluationError, match="seeds 0"):
        GroupSplit("speaker", 1, seeds=0)


@pytest.mark.parametrize("name", RESERVED)
def test_no_group_is_called_like_a_control(manifest: Path, name: str) -> None:
    told = [
        replace(u, fields={**u.fields, "speaker": name if i % 2 else "ann"})
        for i, u in enumerate(read_corpus(manifest))
    ]
    with pytest.raises(EvaluationError, match=f"a group by 'speaker' is '{name}'"):
        make_groups(manifest, told, GroupSplit("speaker", 1))


def test_the_same_samples_on_both_sides_are_an_error(manifest: Path) -> None:
    ann, bob, _ = groups(manifest, GroupSplit("speaker", 2, **APART))
    copy = manifest.parent / "copy.wav"
    copy.write_bytes(ann.pool[0].audio.read_bytes())
    twin = type(ann.pool[0])(copy, "A")
    with pytest.raises(EvaluationError, match=r"copy\.wav: a test recording has the samples of .*ann0\.wav"):
        check_apart((ann, Group("bob", bob.pool, (twin,))), Silent())


def test_the_order_depends_on_name_and_seed(manifest: Path) -> None:
    utterances = read_corpus(manifest)
    assert shuffled(utterances, "a", 0) == shuffled(utterances, "a", 0)
    assert shuffled(utterances, "a", 0) != shuffled(utterances, "a", 1)
    assert shuffled(utterances, "a", 0) != shuffled(utterances, "b", 0)
