"""A delta of Whisper, whose graphs share codes and lie in a folder of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import MANIFEST, QuantizedBundle
from myqasr_fx.delta.apply import apply_delta
from myqasr_fx.errors import OptionError
from myqasr_fx.fit import request
from myqasr_fx.fit.base import read_base
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config

CompileModel = Callable[..., QuantizedBundle]
ANYTHING = {"min_agreement": 0.0, "max_kl": 99.0, "max_deletions": 9.0, "max_insertions": 9.0}
ANYTHING |= {"max_loops": 1.0, "max_blanks": 1.0}


def test_of_whisper(
    compile_model: CompileModel,
    make_speech_model: Callable[[str], SpeechModel],
    captured_once: Callable[..., Prepared],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(request, "prepare", captured_once)
    base = compile_model("whisper-smallest", uniform_bits=3, layout="transformers.js", **ANYTHING)
    config, out = resolve_config(delta=base.path), tmp_path / "user"
    clips = [np.random.default_rng(seed).normal(0, 0.1, 16_000).astype(np.float32) for seed in range(2)]
    made = pipeline.quantize(make_speech_model("whisper-smallest"), clips, out=out, config=config)
    names = [file.name for file in made.manifest.files]
    assert names == [file.name for file in base.manifest.files]
    again = apply_delta(base.path, out / "delta", tmp_path / "again")
    assert [(again.path / name).read_bytes() for name in names] == [(out / name).read_bytes() for name in names]
    record = json.loads((base.path / MANIFEST).read_text())
    record["config"]["layout"] = "sherpa-onnx"
    (base.path / MANIFEST).write_text(json.dumps(record))
    with pytest.raises(OptionError, match="cannot read a whole transcript"):
        read_base(captured_once(make_speech_model("whisper-smallest")), base.path, out)
