"""What a model learns without labels: it is surer of its texts, by its vectors alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from myqasr_fx.adapt.learn import EPOCHS, learn, vectors_of
from myqasr_fx.adapt.reader import Reader
from myqasr_fx.measure.forced_run import ForcedClip
from myqasr_fx.measure.job import MeasureJob
from myqasr_fx.measure.measurements import Measurements

NAMES = ["whisper-multilingual", "wav2vec2"]
Heard = Callable[..., tuple[MeasureJob, Measurements]]


def reader_of(heard: Heard, name: str) -> tuple[Reader, list[ForcedClip]]:
    job, measurements = heard(name)
    reader = Reader(job.run)
    return reader, [reader.clip(clip.samples, said) for clip, said in measurements.observed.pairs()]


def entropy(reader: Reader, clips: list[ForcedClip], tensors: dict[str, torch.Tensor] | None = None) -> float:
    with torch.no_grad():
        found = [(reader.expected(clip), reader.expected(clip, tensors)) for clip in clips]
    return sum(float((-(now.exp() * now).sum(-1) * reader.sureness(came)).sum()) for came, now in found)


@pytest.mark.parametrize("name", NAMES)
def test_vectors_are_the_norms_and_biases_of_the_network(name: str, heard: Heard) -> None:
    reader, _ = reader_of(heard, name)
    network = reader.run.prepared.speech.network.named_parameters()
    wanted = {name for name, parameter in network if "norm" in name or name.endswith("bias")}
    assert set(vectors_of(reader)) == wanted


@pytest.mark.parametrize("name", NAMES)
def test_learning_lowers_the_entropy_and_leaves_the_graphs_alone(name: str, heard: Heard) -> None:
    reader, clips = reader_of(heard, name)
    before = {name: tensor.clone() for name, tensor in vectors_of(reader).items()}
    told: list[int] = []
    learned = dict(learn(reader, clips, 0, told.append))
    assert entropy(reader, clips, learned) < entropy(reader, clips)
    assert sum(told) == EPOCHS * len(clips)
    after = vectors_of(reader)
    assert all(torch.equal(before[name], after[name]) and after[name].grad is None for name in before)
    assert learned.keys() == before.keys() and not any(tensor.requires_grad for tensor in learned.values())
    assert any(not torch.equal(before[name], learned[name]) for name in before)


def test_the_same_seed_learns_the_same_and_another_order_does_not(heard: Heard) -> None:
    reader, clips = reader_of(heard, "whisper-multilingual")
    clips = [*clips, *clips[:2]]  # two steps an epoch
    first, again, other = (learn(reader, clips, seed, lambda steps: None) for seed in (0, 0, 5))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_in_stretches_are_those_of_the_whole(name: str, heard: Heard) -> None:
    reader, (clip, *_) = reader_of(heard, name)
    assert not getattr(reader.run.prepared.speech.generation, "suppress_tokens", ())
    grads = []
    for whole in (False, True):
        leaves = {name: tensor.clone().requires_grad_() for name, tensor in vectors_of(reader).items()}
        with torch.enable_grad():
            if whole:
                logits = reader.run.logits(clip, reader.run.start(clip), leaves)
                value = logits.log_softmax(-1)[:, 5].sum()
            else:
                value = reader.expected(clip, leaves)[:, 5].sum()
        grads.append(torch.autograd.grad(value, list(leaves.values()), allow_unused=True))
    for part, whole_part in zip(*grads, strict=True):
        assert (part is None) == (whole_part is None)
        if part is not None and whole_part is not None:
            torch.testing.assert_close(part, whole_part, rtol=1e-4, atol=1e-6)


def test_blanks_do_not_count(heard: Heard) -> None:
    reader, clips = reader_of(heard, "wav2vec2")
    with torch.no_grad():
        expected = reader.expected(clips[0])
    blank = expected.argmax(-1) == reader.run.prepared.speech.config.pad_token_id
    found = reader.sureness(expected)
    assert torch.equal(found == 0, blank)
    assert torch.equal(found[~blank], expected.exp().max(-1).values[~blank])
