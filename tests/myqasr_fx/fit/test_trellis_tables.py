"""Trellis codes through the whole compiler, on random models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import OptionError
from myqasr_fx.fit.allocation import allocation_pass
from myqasr_fx.fit.fit import allocated, rounded
from myqasr_fx.fit.job import FitJob
from myqasr_fx.fit.trellis_tables import trellis_tables
from myqasr_fx.measure.store import Keys, Store
from myqasr_fx.options.resolve import resolve_config
from passes.numbers.scheme import TRELLIS_BITS
from passes.numbers.trellis import LAST_TABLE, STATES

CompileModel = Callable[..., QuantizedBundle]


def widths(bundle: QuantizedBundle) -> set[tuple[int, str]]:
    return {(block.bits, block.format) for layer in bundle.manifest.layers for block in layer.blocks}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
def test_one_width_for_all_is_verified_and_is_in_the_files(name: str, compile_model: CompileModel) -> None:
    bundle = compile_model(name, uniform_bits=2, format="trellis", rounding="gptq")
    assert widths(bundle) == {(2, "trellis")}  # on average over the inputs of each layer
    assert bundle.manifest.verification.exact_error < 1e-4
    assert all("low-bit" in layer.executes or layer.op != "linear" for layer in bundle.manifest.layers)
    spent = [
        8 * layer.bytes / (layer.shape[0] * layer.shape[1]) for layer in bundle.manifest.layers if layer.op == "linear"
    ]
    assert spent and all(2 < bits < 3.2 for bits in spent)  # with scales, gains and the ends of short strings


def test_an_allocation_that_weighs_damage_has_both_formats_to_choose_from(fit_job: Callable[..., FitJob]) -> None:
    for form, known in (("auto", {"affine", "trellis"}), ("affine", {"affine"})):
        choices = allocation_pass(fit_job("smallest", "60KB", recipe="fast", format=form)).choices
        assert {choice.format for found in choices.values() for choice in found} == known


def test_tables_are_made_for_all_widths_and_not_for_drafts(fit_job: Callable[..., FitJob]) -> None:
    job = fit_job("smallest", uniform_bits=3, format="trellis")
    program, _ = allocated(job)
    tables = trellis_tables(job, program)
    assert sorted(tables) == sorted(TRELLIS_BITS) and all(table.shape == (STATES,) for table in tables.values())
    assert tables[4] is tables[5] is tables[6]
    again = trellis_tables(job, program)
    assert (again[3] == tables[3]).all()
    draft = rounded(type(job)(job.prepared, job.measurements, job.request.draft(), job.shares))[0]
    assert not trellis_tables(type(job)(job.prepared, job.measurements, job.request.draft(), job.shares), draft)


def test_tables_are_kept_for_the_next_budget(fit_job: Callable[..., FitJob], tmp_path: Path) -> None:
    job = fit_job("smallest", uniform_bits=3, format="trellis")
    kept = replace(job, store=Store(tmp_path, Keys("model", None, "hf")))
    program, _ = allocated(kept)
    tables = trellis_tables(kept, program)
    assert (tables[3] == trellis_tables(job, program)[3]).all()
    assert len(list(tmp_path.iterdir())) == LAST_TABLE
    kept.store.write(kept.store.keys.levels(3), np.zeros(STATES, np.uint8))
    assert not trellis_tables(kept, program)[3].any()
    for file in tmp_path.iterdir():
        file.write_bytes(b"cut off")
    assert (trellis_tables(kept, program)[3] == tables[3]).all()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"activations": "int8", "granularity": "channel"}, "integer kernels read evenly spaced levels"),
        ({"granularity": "tensor"}, "a trellis has scales of its own rows"),
        ({"calibration": "mse"}, "searches evenly spaced levels"),
        ({"format": "qtip"}, "expected auto, affine, trellis"),
    ],
)
def test_what_a_trellis_cannot_do_is_refused_with_the_reason(options: dict[str, str], reason: str) -> None:
    with pytest.raises(OptionError, match=reason):
        resolve_config("24MB", recipe="paper-file", **{"format": "trellis", **options})


def test_without_numba_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from myqasr_fx.options import conflicts

    monkeypatch.setattr(conflicts, "find_spec", lambda name: None)
    with pytest.raises(OptionError, match="pip install numba"):
        resolve_config("24MB", recipe="paper-file", format="trellis")
