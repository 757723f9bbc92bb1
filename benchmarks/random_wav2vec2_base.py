r"""Wall time and peak memory of quantizing a model of Wav2Vec2-base's size (94 million weights), with random weights.

    python benchmarks/random_wav2vec2_base.py --avg-bits 4.5

The clips are noise: the run shows what a model of this size takes, and that its files verify, not what it hears.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

from myqasr_fx.audio import SAMPLING_RATE
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.pipeline import RUN_FILE, quantize
from myqasr_fx.process.progress import RichProgress

ALLOWED_BEYOND_WEIGHTS = 1.5e9
"""Bytes of memory that a run may take beyond three times the full-precision weights."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--avg-bits", type=float, default=4.5)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    noise = np.random.default_rng(0)
    clips = [
        noise.normal(0, 0.1, int(options.seconds * SAMPLING_RATE)).astype(np.float32) for _ in range(options.clips)
    ]
    with tempfile.TemporaryDirectory() as folder:
        model = _write_model(Path(folder) / "model")
        config = resolve_config(recipe="paper-file", avg_bits=options.avg_bits)
        bundle = quantize(str(model), clips, out=Path(folder) / "bundle", config=config, progress=RichProgress())
        run = json.loads((bundle.path / RUN_FILE).read_text())
    made = bundle.manifest
    allowed = 3 * 4 * made.num_weights + ALLOWED_BEYOND_WEIGHTS
    print(f"{made.num_weights:,} weights, {made.model_bytes:,} of {made.budget_bytes:,} bytes; {made.verification}")
    print(f"peak memory {run['peak_memory_bytes'] / 1e6:,.0f} of {allowed / 1e6:,.0f} MB; seconds {run['seconds']}")


def _write_model(folder: Path) -> Path:
    """A Hugging Face folder with a random Wav2Vec2-base."""
    folder.mkdir()
    letters = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'")
    (folder / "vocab.json").write_text(json.dumps({letter: index for index, letter in enumerate(letters)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    torch.manual_seed(0)
    Wav2Vec2ForCTC(Wav2Vec2Config(vocab_size=len(letters), pad_token_id=0)).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
