"""The CTC family: one encoder from samples to a token a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CTC_MAPPING

from myqasr_fx.audio.clip import SAMPLING_RATE
from myqasr_fx.capture import capture_ctc
from myqasr_fx.errors import ModelError
from myqasr_fx.models.configs import write_tokenizer_config
from myqasr_fx.models.ctc_sizes import check_ctc_sizes
from myqasr_fx.models.ctc_tokens import load_ctc_tokenizer
from myqasr_fx.models.feature_extractor import load_waveform_extractor
from myqasr_fx.models.json_file import read_json
from myqasr_fx.models.language_adapter import find_adapter
from myqasr_fx.models.letter_settings import LETTER_SETTINGS
from myqasr_fx.models.network import load_network
from myqasr_fx.models.speech_model import ModelParts, SpeechModel
from passes.base import Program


class Ctc:
    """Wav2Vec2, Wav2Vec2-Conformer, HuBERT, WavLM and Data2Vec-audio with a CTC head."""

    name = "ctc"
    model_types = frozenset({"wav2vec2", "wav2vec2-conformer", "hubert", "wavlm", "data2vec-audio"})

    def load(self, folder: Path, language: str | None = None) -> ModelParts:
        """The network and its tokenizer; it writes no tokens, so there are no settings."""
        config_class: Any = CONFIG_MAPPING[read_json(folder / "config.json")["model_type"]]
        network_class: Any = MODEL_FOR_CTC_MAPPING[config_class]
        adapter = find_adapter(folder, language)
        network = load_network(folder, config_class, network_class, check_ctc_sizes, adapter)
        spoken = adapter.language if adapter else None
        tokenizer = load_ctc_tokenizer(folder, network.config, spoken)
        return ModelParts(network, load_waveform_extractor(folder), tokenizer, None, spoken)

    def capture(self, network: PreTrainedModel, *, fixed_cache: bool, silence: int | None) -> Program:
        """Graph ``model``.

        Raises:
            ModelError: A cache of fixed length is asked for, or silence behind a clip, of which none is heard.
        """
        if fixed_cache:
            raise ModelError("a CTC model has no decoder cache", hint="take --layout hf, which sherpa-onnx reads, too")
        if silence is not None:
            raise ModelError("a CTC model hears a recording as long as it is", hint="leave --context out")
        return capture_ctc(network)

    def batch(self, config: PretrainedConfig) -> str | None:
        """Those of equal lengths: the graph takes no mask, so that padding is heard as part of a clip.

        Where the feature encoder normalizes over time, a mask would not help either.
        """
        over_time = getattr(config, "feat_extract_norm", None) == "group"
        return "equal lengths: normalizes over time" if over_time else "equal lengths: no mask"

    def features(self, model: SpeechModel, samples: np.ndarray) -> np.ndarray:
        """Samples (1, T), normalised as the model was trained."""
        extract: Any = model.feature_extractor  # typed without its call
        batch = extract(samples, sampling_rate=SAMPLING_RATE, return_tensors="np")
        return np.asarray(batch["input_values"], np.float32)

    def write_tokenizer(self, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
        """Writes ``vocab.json``, and a ``tokenizer.json`` for transformers.js, which reads no other form."""
        tokenizer.save_pretrained(folder)
        extra = {name: getattr(tokenizer, name) for name in LETTER_SETTINGS} | {"processor_class": "Wav2Vec2Processor"}
        if additional := list(map(str, tokenizer.extra_special_tokens)):
            extra["additional_special_tokens"] = additional
        write_tokenizer_config(folder, tokenizer, extra)
        _fast(tokenizer).save(str(folder / "tokenizer.json"))


def _fast(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """A tokenizer of single characters whose decoder merges repeats and drops the padding token."""
    delimiter = tokenizer.word_delimiter_token
    fast = Tokenizer(WordLevel(tokenizer.get_vocab(), unk_token=tokenizer.unk_token))
    fast.normalizer = normalizers.Replace(" ", delimiter)
    fast.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    fast.decoder = decoders.CTC(pad_token=tokenizer.pad_token, word_delimiter_token=delimiter)
    return fast
