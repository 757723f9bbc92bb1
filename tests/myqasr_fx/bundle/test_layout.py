"""Layouts: where the model files lie, what config.json says, and that our own runtime and command line read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.bundle.bundle import MANIFEST, QuantizedBundle
from myqasr_fx.bundle.layout import DEFAULT, LAYOUTS
from myqasr_fx.cli.app import main
from myqasr_fx.errors import BundleError, OptionError
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.runtime import load_bundle

JS = LAYOUTS["transformers.js"]


def test_files_have_the_names_that_the_client_looks_for() -> None:
    assert LAYOUTS[DEFAULT].file("decoder_model_merged") == "decoder_model_merged.onnx"
    assert JS.file("decoder_model_merged") == "onnx/decoder_model_merged_quantized.onnx"
    assert JS.paths(Path("bundle"), ["model"]) == {"model": Path("bundle/onnx/model_quantized.onnx")}


def test_config_names_the_dtype_and_the_files_that_have_external_data() -> None:
    assert LAYOUTS[DEFAULT].client_settings(["model.onnx"]) == {}
    assert JS.client_settings(["onnx/model_quantized.onnx"]) == {"transformers.js_config": {"dtype": "q8"}}
    settings = JS.client_settings(["onnx/model_quantized.onnx", "onnx/model_quantized.onnx_data"])
    assert settings["transformers.js_config"]["use_external_data_format"] == {"model_quantized.onnx": 1}


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(OptionError, match=r"unknown layout 'transformersjs'.*did you mean transformers\.js"):
        resolve_config("1MB", layout="transformersjs")


def test_a_bundle_for_transformers_js_is_one_for_us_too(
    compile_model: Callable[..., QuantizedBundle], noise: list[np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = compile_model(avg_bits=12.0, layout="transformers.js")
    assert [file.name for file in bundle.manifest.files] == ["onnx/model_quantized.onnx"]
    size = (bundle.path / "onnx" / "model_quantized.onnx").stat().st_size
    assert size == bundle.manifest.model_bytes <= (bundle.manifest.budget_bytes or 0)
    config = json.loads((bundle.path / "config.json").read_text(encoding="utf-8"))
    assert config["transformers.js_config"] == {"dtype": "q8"}
    assert load_bundle(bundle.path).transcribe(noise[0]).tokens
    with pytest.raises(SystemExit):
        main(["inspect", str(bundle.path), "--json"])
    assert json.loads(capsys.readouterr().out)["config"]["layout"] == "transformers.js"
    _rewrite(bundle.path / MANIFEST, "transformers.js", "another")
    with pytest.raises(BundleError, match="unknown layout 'another'"):
        load_bundle(bundle.path)


def _rewrite(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text(encoding="utf-8").replace(f'"layout": "{old}"', f'"layout": "{new}"'))
