"""Optimum's command line and Olive run the compiler for their users, and end in the bundle that our own makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from myqasr_fx import QuantizedBundle

FOLDER = Path(__file__).parent
pytestmark = pytest.mark.clients


@pytest.mark.parametrize(
    ("name", "client", "python"),
    [
        ("optimum-cli", "optimum_cli_client.py", "MYQASR_OPTIMUM_CLI_PYTHON"),
        ("Olive", "olive_client.py", "MYQASR_OLIVE_PYTHON"),
    ],
)
def test_a_host_makes_the_bundle_that_we_make(
    name, client, python, shared, make_case, record, needed, run_client, tmp_path
):
    interpreter, case = needed(python), make_case("ctc, by the paper's rule", "hf")
    calibration = tmp_path / "recordings"
    calibration.mkdir()
    digits = shared / "data" / "digits"
    rows = [json.loads(line) for line in (digits / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    for index, row in enumerate([row for row in rows if row["split"] == "calib"][::8]):
        (calibration / f"{index:02}.flac").symlink_to(digits / row["audio"])
    model, bundle = shared / "models" / "w2v2-digits", tmp_path / "bundle"
    heard = run_client(interpreter, FOLDER / client, model, calibration, bundle, *case.recordings)
    record(name, case, heard)
    assert tuple(heard.texts) == case.texts and all(case.texts)
    own = QuantizedBundle.open(case.bundle).manifest.model_bytes
    assert abs(heard.details["bytes"] - own) < 0.01 * own
