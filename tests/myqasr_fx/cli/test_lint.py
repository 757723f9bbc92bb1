import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console

from myqasr_fx.cli.app import main
from myqasr_fx.cli.lint import _view
from myqasr_fx.lint.record import LintedNode, LintReport, Runs


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["lint", *arguments])
    return (int(stop.value.code or 0), *capsys.readouterr())


def save(path: Path, transposed: int) -> None:
    codes = numpy_helper.from_array(np.ones((32, 32), np.uint8), "w")
    scale = numpy_helper.from_array(np.ones((2, 32), np.float32), "s")
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["f"], name="dq", axis=0, block_size=16),
        helper.make_node("Gemm", ["x", "f"], ["y"], transB=transposed),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 32]) for name in "xy"]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [codes, scale])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)


def test_a_file_that_runs_slowly_ends_with_three_and_advice(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    save(tmp_path / "slow.onnx", 1)
    code, out, _ = run(capsys, str(tmp_path / "slow.onnx"))
    assert code == 3
    expected = ("1 x dequantized on every run", "4,096 bytes dequantized", "onnxruntime 1.25 or newer", "set transB=0")
    for words in expected:
        assert words in out


def test_a_folder_is_searched_and_json_holds_every_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    save(tmp_path / "fast.onnx", 0)
    code, out, _ = run(capsys, str(tmp_path), "--json")
    (file,) = json.loads(out)["files"]
    assert code == 0
    assert (file["file"], file["run_bytes"]) == (str(tmp_path / "fast.onnx"), 0)
    assert [(node["op"], node["bits"], node["runs"]) for node in file["nodes"]] == [
        ("MatMulNBits", 8, "low-bit kernel")
    ]


@pytest.mark.parametrize(("name", "words"), [("missing.onnx", "no such file"), (".", "no ONNX file in this folder")])
def test_nothing_to_look_at_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, words: str
) -> None:
    code, out, err = run(capsys, str(tmp_path / name))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_broken_file_keeps_nobody_from_the_others(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    save(tmp_path / "a.onnx", 1)
    (tmp_path / "b.onnx").write_bytes(b"no protobuf")
    save(tmp_path / "c.onnx", 0)
    code, out, err = run(capsys, str(tmp_path), "--json")
    told = json.loads(out)
    assert code == 2
    assert [Path(file["file"]).name for file in told["files"]] == ["a.onnx", "c.onnx"]
    assert told["not_used"] == [err.removeprefix("not used: ").rstrip("\n")]
    assert err.startswith(f"not used: {tmp_path / 'b.onnx'}: no ONNX file") and err.count("\n") == 1
    code, out, err = run(capsys, str(tmp_path / "b.onnx"))
    assert (code, out) == (2, "") and err.startswith(f"myqasr: {tmp_path / 'b.onnx'}: no ONNX file")


def test_no_opset_is_asked_for_by_operators_of_other_domains() -> None:
    for opset, said in ((1, "needs: onnxruntime 1.25 or newer"), (21, "needs: opset 21 or newer, onnxruntime 1.25 or")):
        console = Console(width=160, record=True)
        console.print(_view(LintReport("a.onnx", 1, 21, 10, "1.32", opset, "1.25", 1, 0, ())))
        assert said in console.export_text()


def test_advice_is_given_once_and_folded_scales_are_summed_up() -> None:
    advised = [node(f"w{i}", Runs.EACH_RUN, "change it") for i in range(5)]
    folded = [node(f"s{i}", Runs.FOLDED) for i in range(9)]
    report = LintReport("a.onnx", 1, 21, 10, "1.32", 21, "1.25", 1, 0, (*folded, *advised))
    console = Console(width=160, record=True)
    console.print(_view(report))
    lines = [line.strip() for line in console.export_text().splitlines()]
    assert lines[-1] == "w0, w1, w2 and 2 more: change it"
    assert [line.split()[0] for line in lines[6:-2]] == [
        "w0",
        "w1",
        "w2",
        "w3",
        "w4",
        "s0",
        "s1",
        "s2",
        "s3",
        "s4",
        "4",
    ]
    assert "4 smaller ones" in lines[-3] and " 40 " in lines[-3]


def test_names_and_numbers_are_whole_at_80_columns() -> None:
    name = "model.decoder.layers.11.encoder_attn.out_proj.0.codes4"
    nodes = (node(name, Runs.EACH_RUN), node("w\n\x1b", Runs.KERNEL))
    console = Console(width=80, record=True)
    console.print(_view(LintReport("a.onnx", 1, 21, 10, "1.32", 21, "1.25", 1, 0, nodes)))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    (place,) = (index for index, line in enumerate(lines) if "layers.11." in line)
    assert lines[place].split() == ["model.decoder.layers.11.", "8", "5", "10", "-"]
    below = ["encoder_attn.out_proj.0.codes4", f"MatMul, {Runs.EACH_RUN}", r"w\n\x1b"]
    assert [line.strip() for line in lines[place + 1 : place + 3]] == below[:2]
    assert lines[place + 3].split()[0] == below[2]


def node(weight: str, runs: Runs, advice: str | None = None) -> LintedNode:
    return LintedNode("n", weight, "MatMul", runs, 8, (4, 4), 5, 10, 0, advice)
