"""The healthy inputs that faults are put into: the smallest models, their bundles, recordings, and files about them.

::

    BASE/whisper ctc sharded     Hugging Face folders
         ct2                     CTranslate2's
         places.json             offsets in ct2/model.bin of all that is not a weight
         audio/                  one recording in every format, half a second each
         bundle-ctc bundle-whisper
         cache out               of quantize and personalize
         manifest.jsonl rules.toml evaluation.json answers.json
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from fault_ct2 import TIED, ct2_bytes, ct2_variables
from fault_process import Place, in_child, run

QUANTIZE = ("--uniform-bits", "4")
CLIPS = ("f0.wav", "f1.wav", "m0.wav", "m1.wav")
FORMATS = ("wav", "flac", "ogg", "mp3", "m4a")
RATE = 16_000
PERSONALIZE = (
    "--by",
    "gender",
    "--budgets",
    "bits=4",
    "--clips",
    "1",
    "--no-plot",
    "--recipe",
    "paper",
    "--no-control",
)

_TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'")
_SPECIAL = (
    *("endoftext", "startoftranscript", "en", "de", "translate", "transcribe"),
    *("startoflm", "startofprev", "nocaptions", "notimestamps"),
)
_WIDTH, _POSITIONS = 64, 32
_CT2_POSITIONS = 1500
"""Half a minute: CTranslate2's files say nothing about features, which are OpenAI's."""


def build(base: Path) -> None:
    """Makes all of it, unless it is there; what was left of an earlier try goes.

    Raises:
        SystemExit: A command on healthy inputs fails.
    """
    if (base / "answers.json").is_file():
        return
    shutil.rmtree(base, ignore_errors=True)
    (base / "audio").mkdir(parents=True)
    for work in (_models, _recordings):
        in_child(lambda work=work: work(base))  # type: ignore[misc]
    answers = {}
    for name in ("ctc", "whisper"):
        bundle = f"bundle-{name}"
        _healthy(base, "quantize", name, *_clips(), *QUANTIZE, "--out", bundle)
        answers[f"transcribe {name}"] = _healthy(base, "transcribe", bundle, "audio/f0.wav")
    evaluation = _healthy(base, "evaluate", "bundle-ctc", "--manifest", "manifest.jsonl")
    (base / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    for name in ("ct2", "sharded"):
        _healthy(base, "quantize", name, *_clips(), *QUANTIZE, "--dry-run")
    answers["plan"] = _healthy(base, "quantize", "ctc", *_clips(), *QUANTIZE, "--dry-run", "--cache", "cache")
    _healthy(base, "personalize", "ctc", "--data", "manifest.jsonl", *PERSONALIZE, "--out", "out")
    (base / "answers.json").write_text(json.dumps(answers), encoding="utf-8")


def _clips() -> tuple[str, ...]:
    return tuple(f"audio/{name}" for name in CLIPS)


def _healthy(base: Path, *command: str) -> dict[str, Any]:
    ended = run([*command, "--json"], Place(base))
    if ended.code not in (0, 3):
        raise SystemExit(f"{' '.join(command)}: exit code {ended.code}: {ended.err[-500:]}")
    answer: dict[str, Any] = json.loads(ended.out)
    return answer


def _recordings(base: Path) -> None:
    import soundfile

    random = np.random.default_rng(0)
    lines = []
    for name in CLIPS:
        samples = random.normal(0, 0.1, RATE // 2).astype(np.float32)
        soundfile.write(base / "audio" / name, samples, RATE, subtype="FLOAT")
        lines.append({"audio": f"audio/{name}", "text": "A B", "gender": name[0].upper(), "lang": "en"})
    (base / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    tone = (0.3 * np.sin(np.arange(RATE // 2) * 0.15)).astype(np.float32)
    for form in FORMATS[:-1]:
        soundfile.write(base / "audio" / f"tone.{form}", np.stack([tone, tone * 0.5], 1), RATE)
    soundfile.write(base / "audio" / "other.wav", tone, 44_100, subtype="PCM_24")
    _write_m4a(base / "audio" / "tone.m4a", tone)
    (base / "rules.toml").write_text(
        '[options]\nrounding = "rtn"\nmin_bits = 3\nmax_kl = 0.5\n\n[[layers]]\nmatch = "*.layers.0.*"\nbits = 6\n'
        'granularity = "group:32"\n\n[[layers]]\nmatch = "lm_head"\nkeep = 16\n',
        encoding="utf-8",
    )


def _write_m4a(path: Path, samples: np.ndarray) -> None:
    import av

    with av.open(str(path), "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        for start in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, start : start + 1024].copy(), "fltp", "mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _models(base: Path) -> None:
    import torch

    from myqasr_fx.models.load import load_model

    torch.manual_seed(0)
    whisper, ctc = _whisper(base), _ctc(base)
    for name, network in (("whisper", whisper), ("ctc", ctc)):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.05)
        network.save_pretrained(base / name)
    shutil.copytree(base / "ctc", base / "sharded")
    (base / "sharded" / "model.safetensors").unlink()
    ctc.save_pretrained(base / "sharded", max_shard_size="40KB")
    for name in ("whisper", "ctc", "sharded"):
        load_model(str(base / name)).save_configs(base / name)  # as the compiler writes them, all files at once
    _write_ct2(base, {name: tensor.numpy() for name, tensor in whisper.state_dict().items()})


def _whisper(base: Path) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    folder = base / "whisper"
    folder.mkdir()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE(vocab={char: index for index, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", normalized=False, special=True) for name in _SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"))
    WhisperFeatureExtractor(chunk_length=1).save_pretrained(folder)
    start, end = tokenizer.token_to_id("<|startoftranscript|>"), tokenizer.token_to_id("<|endoftext|>")
    config = WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(),
        d_model=_WIDTH,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=_WIDTH,
        decoder_ffn_dim=_WIDTH,
        max_source_positions=50,
        max_target_positions=_POSITIONS,
        decoder_start_token_id=start,
        begin_suppress_tokens=[end],
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), end),
    )
    return WhisperForConditionalGeneration(config)


def _ctc(base: Path) -> Any:
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    folder = base / "ctc"
    folder.mkdir()
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(_TOKENS)}))
    Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)
    config = Wav2Vec2Config(
        vocab_size=len(_TOKENS),
        pad_token_id=0,
        hidden_size=_WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=_WIDTH,
        conv_dim=(32,) * 3,
        conv_kernel=(10, 8, 4),
        conv_stride=(5, 8, 8),
        num_feat_extract_layers=3,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
    )
    return Wav2Vec2ForCTC(config)


def _write_ct2(base: Path, state: dict[str, np.ndarray]) -> None:
    folder = base / "ct2"
    folder.mkdir()
    positions = np.random.default_rng(1).normal(0, 0.1, (_CT2_POSITIONS, _WIDTH)).astype(np.float32)
    variables = ct2_variables(state | {"model.encoder.embed_positions.weight": positions}, _WIDTH)
    content, places = ct2_bytes(variables, TIED)
    (folder / "model.bin").write_bytes(content)
    (base / "places.json").write_text(json.dumps(places))
    hints = {"suppress_ids": [1, 2], "suppress_ids_begin": [5], "alignment_heads": [[0, 1]], "lang_ids": [9]}
    (folder / "config.json").write_text(json.dumps(hints))
    shutil.copy(base / "whisper" / "tokenizer.json", folder)
    np.savez(base / "variables.npz", **variables)
