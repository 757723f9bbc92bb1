"""Sessions: what onnxruntime refuses is one line, and it leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.errors import BundleError
from myqasr_fx.process import onnx_session
from myqasr_fx.runtime import OrtRunner, ort_runner
from myqasr_fx.runtime.ort_settings import OrtSettings

KEPT = Path(__file__).parents[2] / "data" / "bundle"
RUN = """
import sys
import numpy as np
import myqasr_fx
myqasr_fx.load(sys.argv[1]).transcribe(np.ones(8000, np.float32))
"""


def test_nothing_is_left_in_the_home_folder(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_CONFIG_HOME": str(tmp_path / "c")}
    settings = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | home
    subprocess.run([sys.executable, "-c", RUN, KEPT], check=True, env=settings)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize(
    ("version", "hint"),
    [("1.20.1", "install onnxruntime 1.25 or newer"), ("1.25.0", None), ("1.32.0", None), ("", None)],
)
def test_what_an_old_release_refuses_names_the_oldest_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, hint: str | None
) -> None:
    monkeypatch.setattr(ort_runner, "_VERSION", f"onnxruntime {version}")
    (tmp_path / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=f"onnxruntime {version} refuses") as caught:
        OrtRunner(tmp_path / "model.onnx")
    assert caught.value.hint == hint


def test_the_oldest_release_is_that_of_the_requirements() -> None:
    requirements = (Path(__file__).parents[3] / "setup.py").read_text(encoding="utf-8")
    assert f'"onnxruntime>={onnx_session.OLDEST[0]}.{onnx_session.OLDEST[1]},<2"' in requirements


def test_what_a_graph_does_not_take_is_one_line() -> None:
    runner = OrtRunner(KEPT / "model.onnx")
    assert runner.inputs == {"input_values"}
    assert runner.width("logits") == 32
    assert runner.width("none") is None
    samples = np.ones((1, 8_000), np.float32)
    assert runner.run({"input_values": samples}, ["logits"])["logits"].shape[-1] == 32
    for feeds, outputs in (
        ({"input_values": samples[0]}, ["logits"]),
        ({"input_values": samples.astype(np.int64)}, ["logits"]),
        ({"of_another": samples}, ["logits"]),
        ({"input_values": samples}, ["none"]),
        ({"input_values": samples[:, :10]}, ["logits"]),
    ):
        with pytest.raises(BundleError, match=r"cannot run model\.onnx") as refused:
            runner.run(feeds, outputs)
        assert len(str(refused.value)) < 300
        assert "\n" not in str(refused.value)


def test_a_file_that_is_refused_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\x00" * 99)
    with pytest.raises(BundleError, match=r"refuses .*model\.onnx") as refused:
        OrtRunner(tmp_path / "model.onnx")
    assert "\n" not in str(refused.value)


def test_idle_threads_sleep_behind_a_run_unless_they_are_told_otherwise() -> None:
    name = "session.force_spinning_stop"
    assert OrtSettings().session_options().get_session_config_entry(name) == "1"
    assert OrtSettings(entries={name: "0"}).session_options().get_session_config_entry(name) == "0"
