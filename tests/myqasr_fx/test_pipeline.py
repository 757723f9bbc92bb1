"""Models of every family through the whole compiler, and what it leaves."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import myqasr_fx
from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import MANIFEST, QuantizedBundle
from myqasr_fx.bundle.run_record import RUN_FILE
from myqasr_fx.errors import BudgetError, DumpError
from myqasr_fx.export.executed import FUSED
from myqasr_fx.lint.lint import lint
from myqasr_fx.lint.record import Runs
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import MODEL_PASSES
from passes.manager.dump import texts_of

AVERAGE_BITS = {  # the text of the graphs outweighs such small weights; these give 3 to 5 bits a weight
    "whisper": 14.5,
    "whisper-multilingual": 13.4,
    "whisper-large-v3": 13.4,
    "wav2vec2": 9.0,
    "wav2vec2-conformer": 9.5,
    "hubert": 9.0,
    "wavlm": 9.5,
    "data2vec-audio": 9.0,
}


def model_files(bundle: QuantizedBundle) -> list[Path]:
    return sorted(bundle.path.glob("*.onnx*"))


@pytest.mark.parametrize("name", AVERAGE_BITS)
def test_every_family_from_weights_to_text(
    name: str, compile_model: Callable[..., QuantizedBundle], noise: list[np.ndarray]
) -> None:
    bundle = compile_model(name, avg_bits=AVERAGE_BITS[name], cache=None)
    made = bundle.manifest
    assert made.model_bytes == sum(path.stat().st_size for path in model_files(bundle)) <= made.budget_bytes
    widths = {block.bits for layer in made.layers for block in layer.blocks}
    assert max(widths) - min(widths) == 1
    assert {layer.name for layer in made.layers if layer.bits is None} == {
        layer.name for layer in made.layers if layer.op == "matmul"
    }
    assert made.verification.clips == 4
    assert (made.batch is None) is name.startswith("whisper")
    assert made.verification.exact_error < 1e-5
    assert QuantizedBundle.open(bundle.path) == bundle
    for file in made.files:
        linted = lint(bundle.path / file.name)
        assert (linted.bytes, linted.run_bytes) == (file.bytes, 0)
        assert linted.count(Runs.KERNEL) == sum(file.executed.get(kind, 0) for kind in FUSED)
    heard = myqasr_fx.load(bundle.path).transcribe(noise[0])
    assert heard.tokens
    assert heard.seconds == 1.0


def test_run_file_tells_time_and_memory(compile_model: Callable[..., QuantizedBundle]) -> None:
    run = json.loads((compile_model(uniform_bits=4, cache=None).path / RUN_FILE).read_text())
    assert list(run["seconds"]) == [
        *("load model", "read audio", "capture graphs", "observe activations"),
        *("allocate, round and export", "verify on onnxruntime", "judge without labels"),
    ]
    assert 1e8 < run["peak_memory_bytes"] < 1e11
    assert list(run["parts"]) == [MODEL_PASSES]
    assert 0 < run["parts"][MODEL_PASSES] <= run["seconds"]["observe activations"]


def test_another_process_writes_the_same_bytes(
    make_speech_model: Callable[[str], SpeechModel], noise: list[np.ndarray], tmp_path: Path
) -> None:
    model, clips = str(tmp_path / "model"), str(tmp_path / "noise.npy")
    make_speech_model("smallest").network.save_pretrained(model)
    make_speech_model("smallest").save_configs(Path(model))
    np.save(clips, noise)
    config, limits = resolve_config(avg_bits=11.2, max_bits=8), Limits(spare_bytes=1 << 14)
    pipeline.quantize(model, noise, out=tmp_path / "here", config=config, limits=limits)
    code = f"""
import gc
import numpy
from myqasr_fx import pipeline
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits

config, limits = resolve_config(avg_bits=11.2, max_bits=8), Limits(spare_bytes=1 << 14)
pipeline.quantize({model!r}, list(numpy.load({clips!r})), out="there", config=config, limits=limits)
gc.freeze()  # ends sooner
"""
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environment, capture_output=True)
    here, there = ({p.name: p.read_bytes() for p in (tmp_path / place).iterdir()} for place in ("here", "there"))
    assert MANIFEST in here
    assert here.pop(RUN_FILE) != there.pop(RUN_FILE)
    assert here == there


def test_an_infeasible_budget_fails_before_the_clips_are_run(
    make_speech_model: Callable[[str], SpeechModel],
    noise: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(*_: object) -> None:
        raise AssertionError("observed a model that cannot fit")

    monkeypatch.setattr(pipeline, "measure", unreachable)

    def run(config: QuantizeConfig) -> None:
        pipeline.quantize(make_speech_model("smallest"), noise, out=tmp_path / "out", config=config)

    with pytest.raises(BudgetError, match=r"the smallest feasible size is [\d,]+ bytes") as error:
        run(resolve_config(20_000, recipe="paper-file"))
    assert list(tmp_path.iterdir()) == []
    smallest = int(error.value.message.split("size is ")[1].split(" ")[0].replace(",", ""))
    with pytest.raises(BudgetError):
        run(resolve_config(smallest - 1, recipe="paper-file"))
    with pytest.raises(AssertionError, match="cannot fit"):
        run(resolve_config(smallest, recipe="paper-file"))
    with pytest.raises(BudgetError):
        run(resolve_config(smallest, recipe="paper-file", min_bits=2))


def test_the_smallest_feasible_budget_is_met(
    make_speech_model: Callable[[str], SpeechModel], compile_model: Callable[..., QuantizedBundle]
) -> None:
    with pytest.raises(BudgetError) as error:
        compile_model(budget=1000)
    smallest = int(error.value.message.split("size is ")[1].split(" ")[0].replace(",", ""))
    assert compile_model(budget=smallest).manifest.model_bytes <= smallest


def test_graphs_are_dumped_after_every_pass_that_changed_them(
    compile_model: Callable[..., QuantizedBundle], tmp_path: Path
) -> None:
    compile_model(uniform_bits=4, dump_ir=tmp_path / "ir", cache=None)
    folders = {path.name for path in (tmp_path / "ir").iterdir()}
    assert folders == {"prepare", "observe", "rank", "quantize", "round", "qdq", "fake_quant"}
    texts = "".join(path.read_text() for path in (tmp_path / "ir").rglob("*LowerToQDQ*") if path.is_file())
    assert "dequantize_weight" in texts


@pytest.mark.parametrize(
    "options",
    [
        {"avg_bits": 11.2, "max_bits": 8, "rounding": "gptq", "sequential": True, "sensitivity": "fisher"},
        {"avg_bits": 7.0, "activations": "int8", "granularity": "channel"},
    ],
)
def test_no_stage_changes_what_it_was_given(
    options: dict[str, object],
    compile_model: Callable[..., QuantizedBundle],
    captured_once: Callable[..., Prepared],
    make_speech_model: Callable[[str], SpeechModel],
) -> None:
    """Neither graphs and their metadata, nor weights, nor facts: all runs of ``compile_model`` share one capture."""
    program = captured_once(make_speech_model("smallest")).program
    texts, facts, graphs = texts_of(program), program.facts, program.graphs.values()
    tensors = {name: tensor.clone() for module in graphs for name, tensor in module.state_dict().items()}
    bundle = compile_model(**options)
    assert bundle.manifest.model_bytes <= bundle.manifest.budget_bytes
    assert texts_of(program) == texts
    assert program.facts == facts
    for module in graphs:
        assert all(torch.equal(tensors[name], tensor) for name, tensor in module.state_dict().items())


def test_a_full_disk_of_the_dump_is_not_blamed_on_the_output(
    compile_model: Callable[..., QuantizedBundle], tmp_path: Path
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    (tmp_path / "ir" / "prepare").mkdir(parents=True)
    (tmp_path / "ir" / "prepare" / "00_input.model.txt").symlink_to("/dev/full")
    with pytest.raises(DumpError, match=r"ir/prepare: No space left.*another --dump-ir"):
        compile_model(uniform_bits=4, dump_ir=tmp_path / "ir", cache=None)
    assert [path.name for path in tmp_path.iterdir()] == ["ir"]
