"""Tiny random models, built offline, that behave as real ones: every test tree may use them."""

import gc
import json
import logging
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import (
    AutoConfig,
    AutoModelForCTC,
    GenerationConfig,
    PreTrainedModel,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from myqasr_fx.errors import ModelError
from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.models.load import family_of, load_model
from myqasr_fx.models.speech_model import SpeechModel, fingerprint

MakeSpeechModel = Callable[[str], SpeechModel]

WHISPER_VOCABULARY = 288
WHISPER_POSITIONS = 32
WHISPER_ENGLISH = ("whisper", "whisper-smallest")
SPECIAL_TOKENS = (
    *("endoftext", "startoftranscript", "en", "de", "fr", "translate", "transcribe"),
    *("startoflm", "startofprev", "nocaptions", "notimestamps"),
)
WHISPER_DEEP = "whisper"
CTC_DEEP = ("wav2vec2", "wavlm")
"""Those of two layers: the second layer of a WavLM takes the distances of the first."""
THREE_CONVOLUTIONS = {
    "conv_dim": (32,) * 3,
    "conv_kernel": (10, 8, 4),
    "conv_stride": (5, 8, 8),
    "num_feat_extract_layers": 3,
}
CTC_TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Says that the tests of other programs on our bundles do not run on their own."""
    deselected = "not clients" in config.getoption("markexpr")
    return (
        "clients: deselected; benchmarks/clients.py installs the clients and runs their tests" if deselected else None
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Workers take whole files, whose fixtures are costly, in the order of names, which leaves the small ones last."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def pytest_configure() -> None:
    """The same examples in every run; each of several workers takes one core, and so do the processes it starts."""
    settings.register_profile("repeatable", derandomize=True)
    settings.load_profile("repeatable")
    # pytest listens to loggers that do not propagate; where anyone listens to this one, torch prints graphs for it.
    logging.getLogger("torch.__trace").propagate = True
    if "PYTEST_XDIST_WORKER" in os.environ:
        torch.set_num_threads(1)
        os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_finish() -> None:
    """Spares the garbage collector a tenth of the time: what is imported stays, and traced graphs are many objects."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Development data outside the repository: ``$MYQASR_SHARED``, else ``../shared``."""
    folder = Path(os.environ.get("MYQASR_SHARED", Path(__file__).parents[2] / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder}; set MYQASR_SHARED")
    return folder


@pytest.fixture(scope="session")
def make_speech_model(tmp_path_factory: pytest.TempPathFactory) -> MakeSpeechModel:
    """Name to model.

    ``whisper`` with two layers; ``whisper-smallest``, ``whisper-multilingual`` and ``whisper-large-v3`` (128 mel bins)
    with one. ``wav2vec2`` with two layers and seven convolutions; the other CTC model types with three, and with one
    layer but for ``wavlm``; and what compiles fastest of all, the Wav2Vec2 ``smallest``.
    """

    @cache
    def build(name: str) -> SpeechModel:
        folder = tmp_path_factory.mktemp(name)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return _whisper(name, folder) if name.startswith("whisper") else _ctc(name, folder)

    return build


@pytest.fixture(scope="session")
def tiny_whisper(make_speech_model: MakeSpeechModel) -> SpeechModel:
    return make_speech_model("whisper")


@pytest.fixture(scope="session")
def tiny_whisper_multilingual(make_speech_model: MakeSpeechModel) -> SpeechModel:
    return make_speech_model("whisper-multilingual")


@pytest.fixture(scope="session")
def tiny_wav2vec2(make_speech_model: MakeSpeechModel) -> SpeechModel:
    return make_speech_model("wav2vec2")


@pytest.fixture
def save_model(make_speech_model: MakeSpeechModel, tmp_path: Path) -> Callable[..., Path]:
    """Saves a model of ``make_speech_model`` as a Hugging Face folder; ``limit`` in bytes makes shards."""

    def save(name: str = "whisper", limit: int | str = "1GB") -> Path:
        folder = tmp_path / "model"
        model = make_speech_model(name)
        model.network.save_pretrained(folder, max_shard_size=limit)
        model.save_configs(folder)
        return folder

    return save


@pytest.fixture
def change_json() -> Callable[..., None]:
    """Sets keys of a JSON file, which is made if missing; a key that is set to ``...`` goes."""

    def change(path: Path, **changes: object) -> None:
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        content = {key: value for key, value in (content | changes).items() if value is not ...}
        path.write_text(json.dumps(content), encoding="utf-8")

    return change


@pytest.fixture
def refusal() -> Callable[[Path], str]:
    """The error with which a model's folder is refused: one line of less than 300 characters."""

    def load(folder: Path) -> str:
        with pytest.raises(ModelError) as caught:
            load_model(str(folder))
        text = str(caught.value)
        assert len(text) < 300 and text.isprintable()
        return text

    return load


def _whisper(name: str, folder: Path) -> SpeechModel:
    tokenizer = WhisperTokenizer(tokenizer_file=str(_byte_level_tokenizer(folder)))
    settings = GenerationSettings.from_vocabulary(
        tokenizer.get_vocab(), is_multilingual=name not in WHISPER_ENGLISH, max_length=WHISPER_POSITIONS
    )
    layers = 2 if name == WHISPER_DEEP else 1
    config = WhisperConfig(
        architectures=["WhisperForConditionalGeneration"],
        vocab_size=WHISPER_VOCABULARY,
        d_model=64,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        num_mel_bins=128 if name == "whisper-large-v3" else 80,
        max_target_positions=WHISPER_POSITIONS,
        decoder_start_token_id=settings.decoder_start_token_id,
        begin_suppress_tokens=list(settings.begin_suppress_tokens),
        **dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), settings.eos_token_id),
    )
    network = _randomized(WhisperForConditionalGeneration(config))
    network.generation_config = GenerationConfig.from_dict(settings.to_json())
    extractor = WhisperFeatureExtractor(feature_size=config.num_mel_bins)
    return SpeechModel(name, family_of("whisper"), network, extractor, tokenizer, settings, fingerprint(network))


def _byte_level_tokenizer(folder: Path) -> Path:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE(vocab={char: index for index, char in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", normalized=False, special=True) for name in SPECIAL_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def _ctc(name: str, folder: Path) -> SpeechModel:
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(CTC_TOKENS)}))
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    model_type = "wav2vec2" if name == "smallest" else name
    sizes = {
        "vocab_size": len(CTC_TOKENS),
        "pad_token_id": 0,
        "hidden_size": 64,
        "num_hidden_layers": 2 if name in CTC_DEEP else 1,
        "num_attention_heads": 2,
        "intermediate_size": 128,
        "conv_dim": (32,) * 7,
        "num_conv_pos_embeddings": 2 if name == "data2vec-audio" else 16,
        "num_conv_pos_embedding_groups": 4,
    }
    config = AutoConfig.for_model(model_type, **sizes | ({} if name == "wav2vec2" else THREE_CONVOLUTIONS))
    network = _randomized(AutoModelForCTC.from_config(config))
    config.architectures = [type(network).__name__]
    extractor = Wav2Vec2FeatureExtractor(return_attention_mask=False)
    return SpeechModel(name, family_of(model_type), network, extractor, tokenizer, None, fingerprint(network))


def _randomized(network: PreTrainedModel) -> PreTrainedModel:
    """Also moves the biases and norms, which start at zeros and ones, so that mixing them up shows."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return network.requires_grad_(False).eval()
