from pathlib import Path

import pytest

from myqasr_fx.errors import OutputError
from myqasr_fx.measure.layer_ledger import LayerLedger
from passes.needs import LayerAlone
from passes.observe.activation_stats import GRADIENT, ActivationStats, Statistics

ONE: Statistics = {("fc1", LayerAlone("kl", 8)): ActivationStats(3, 0.1, 0.5, 0.3, 0.1, 0.3, 0.2, 2.5)}
TWO: Statistics = {("fc2", GRADIENT): ActivationStats(3, 0.2, 0.5, 0.3, 0.1, 0.3)}


def test_lines_add_up_and_a_cut_one_is_lost_alone(tmp_path: Path) -> None:
    ledger = LayerLedger(tmp_path / "layers")
    assert ledger.read() == {}
    ledger.append(ONE)
    assert ledger.path is not None
    ledger.path.write_text(ledger.path.read_text() + '{"layer": "cut", "ro')
    ledger.append(TWO)
    assert LayerLedger(tmp_path / "layers").read() == {**ONE, **TWO}
    assert LayerLedger(tmp_path / "others").read() == {}


def test_a_changed_number_is_passed_over(tmp_path: Path) -> None:
    ledger = LayerLedger(tmp_path / "layers")
    ledger.append({**ONE, **TWO})
    text = (tmp_path / "layers").read_text()
    (tmp_path / "layers").write_text(text.replace("2.5", "2.6"))
    assert ledger.read() == TWO
    ledger.append(ONE)
    assert ledger.read() == {**ONE, **TWO}


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"{}\tabc\n", b"\n\n\t\n"])
def test_what_is_no_ledger_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "layers").write_bytes(content)
    assert LayerLedger(tmp_path / "layers").read() == {}


def test_no_file_keeps_nothing_and_one_that_cannot_be_is_refused(tmp_path: Path) -> None:
    ledger = LayerLedger(None)
    ledger.append(ONE)
    assert ledger.read() == {}
    with pytest.raises(OutputError, match=r"cache .*missing: .*choose another --cache"):
        LayerLedger(tmp_path / "missing" / "layers").append(ONE)
