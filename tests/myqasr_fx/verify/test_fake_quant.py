from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from myqasr_fx.fit.fit import rounded
from myqasr_fx.fit.job import FitJob
from myqasr_fx.verify.fake_quant import Reference, dequantized_once, make_reference
from passes.base import Fact, Program
from passes.manager.dump import texts_of


@pytest.fixture(scope="module")
def program(fit_job: Callable[..., FitJob]) -> Program:
    return rounded(fit_job("smallest", uniform_bits=5, activations="int8", granularity="channel"))[0]


@pytest.fixture(scope="module")
def reference(program: Program) -> Reference:
    return make_reference(program)


def test_weights_dequantized_once_give_the_same_bits(reference: Reference, noise: list[np.ndarray]) -> None:
    samples = torch.from_numpy(noise[0])[None]
    assert reference.float_activations is not None
    for program in (reference.fake_quant, reference.float_activations):
        (graph,), (folded,) = program.graphs.values(), dequantized_once(program).graphs.values()
        nodes = len(graph.graph.nodes)
        with torch.no_grad():
            assert torch.equal(folded(samples), graph(samples))
        assert len(folded.graph.nodes) < nodes == len(graph.graph.nodes)


def test_the_rounded_program_stays_as_it_was(program: Program) -> None:
    texts, facts = texts_of(program), program.facts
    reference = make_reference(program)
    assert texts_of(program) == texts != texts_of(reference.fake_quant)
    assert program.facts == facts
    assert Fact.FAKE_QUANT in reference.fake_quant.facts


def test_programs_without_rounded_activations_have_one_reference(fit_job: Callable[..., FitJob]) -> None:
    reference = make_reference(rounded(fit_job("smallest", uniform_bits=5))[0])
    assert reference.float_activations is None
    assert reference.roundings == {"model": frozenset()}
