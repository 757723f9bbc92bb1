"""The runtimes on tiny random networks, in torch and on exported files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx_ir as ir
import pytest
import torch

from myqasr_fx.capture import capture, signatures
from myqasr_fx.errors import AudioError, BundleError, ModelError
from myqasr_fx.export.to_onnx import to_onnx
from myqasr_fx.models.generation import GenerationSettings
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import CtcRuntime, OrtRunner, OrtSettings, WhisperRuntime
from myqasr_fx.runtime.context import LONGEST
from myqasr_fx.runtime.growing_cache import CacheShape
from myqasr_fx.runtime.runtime import transcribe_long
from myqasr_fx.runtime.torch_runner import TorchRunner, torch_runtime

LANGUAGES = {"<|en|>": 10, "<|de|>": 11}


class Numbers:
    """A tokenizer that writes ids as numbers."""

    word_delimiter_token = "|"
    replace_word_delimiter_char = " "
    do_lower_case = False
    all_special_tokens = ("|", "k")

    def decode(self, tokens: list[int], skip_special_tokens: bool) -> str:
        return " ".join(map(str, tokens))

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return ["|abcdefghijk"[i] for i in ids]


def whisper_settings(multilingual: bool) -> GenerationSettings:
    special = {"decoder_start_token_id": 3, "eos_token_id": 2, "no_timestamps_token_id": 4, "prev_sot_token_id": 5}
    if multilingual:
        special |= {"lang_to_id": LANGUAGES, "task_to_id": {"transcribe": 12, "translate": 13}}
    return GenerationSettings(
        **special, max_length=16, is_multilingual=multilingual, suppress_tokens=(7,), begin_suppress_tokens=(2,)
    )


def features(samples: np.ndarray) -> np.ndarray:
    return samples[: 80 * 40].reshape(1, 80, 40)


def clips(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(1).standard_normal((count, 3200)).astype(np.float32))


NO_CLIPS = (
    (np.ones(3200, np.int16), r"samples are int16 \(3200,\), expected float32"),
    (np.ones((1, 3200), np.float32), r"samples are float32 \(1, 3200\)"),
    ([0.5] * 3200, "samples are list"),
    (np.full(3200, np.nan, np.float32), "holds NaN"),
)


def whisper(runners, network, multilingual: bool) -> WhisperRuntime:
    cache = CacheShape.of(network.config.to_dict())
    return WhisperRuntime(*runners, features, Numbers(), whisper_settings(multilingual), cache, 0)


@pytest.fixture(scope="module", params=["english", "multilingual"])
def captured(request, make_whisper):
    network = make_whisper(request.param)
    for name, parameter in network.named_parameters():
        parameter.data *= 10 if "encoder_attn" in name else 3  # texts that follow the audio
    return network, capture(network).graphs


@pytest.fixture(scope="module")
def torch_whisper(captured):
    network, graphs = captured
    runners = [TorchRunner(graphs[name], signature) for name, signature in signatures(network.config).items()]
    return whisper(runners, network, network.config.vocab_size == 97)


class Counting:
    """A runner that counts the rows that it is given together."""

    def __init__(self, runner) -> None:
        self.runner, self.inputs, self.rows = runner, runner.inputs, []

    def run(self, feeds, outputs):
        self.rows.append(len(feeds["input_ids"]))
        return self.runner.run(feeds, outputs)


def test_whisper_hears_no_more_clips_together_than_their_bound_allows(torch_whisper, monkeypatch):
    five = clips(5)
    alone = [torch_whisper.transcribe_batch([samples])[0] for samples in five]
    counting = Counting(torch_whisper.decoder)
    frames = features(five[0]).shape[-1] / 2
    two = int(2.5 * torch_whisper.cache.cross_bytes * frames / LONGEST)
    monkeypatch.setattr("myqasr_fx.runtime.whisper.HEARD_BYTES", two)
    together = replace(torch_whisper, decoder=counting).transcribe_batch(five)
    assert [said.tokens for said in together] == [said.tokens for said in alone]
    assert max(counting.rows) == 2


def test_whisper_decodes_as_the_network_generates(captured, torch_whisper):
    network, _ = captured
    for samples in clips(3):
        (transcript,) = torch_whisper.transcribe_batch([samples])
        prompt = list(torch_whisper.settings.prompt(transcript.language))
        tokens = list(prompt)
        with torch.no_grad():
            states = network.model.encoder(torch.from_numpy(features(samples))).last_hidden_state
            while len(tokens) < 16:
                scores = network(decoder_input_ids=torch.tensor([tokens]), encoder_outputs=(states,)).logits[0, -1]
                scores[[7, 2] if len(tokens) == len(prompt) else [7]] = -torch.inf
                if scores.argmax() == 2:
                    break
                tokens.append(int(scores.argmax()))
        assert transcript.tokens == tuple(tokens[len(prompt) :])


def test_whisper_batch_equals_one_by_one(torch_whisper):
    batch = torch_whisper.transcribe_batch(clips(4))
    assert batch == [torch_whisper.transcribe(samples) for samples in clips(4)]
    assert len({transcript.tokens for transcript in batch}) > 1


def refuses(runtime, wrong, words) -> None:
    with pytest.raises(AudioError, match=f"clip 1: {words}"):
        runtime.transcribe_batch([clips(1)[0], wrong])
    with pytest.raises(AudioError, match=f"clip 0: {words}"):
        runtime.logits(wrong, ())


def test_whisper_refuses_what_is_no_clip(torch_whisper):
    for wrong, words in NO_CLIPS:
        refuses(torch_whisper, wrong, words)
    refuses(torch_whisper, np.ones(16_000 * 31, np.float32), r"31.0 s of audio, expected at most 30 s \(transcribe")


def test_whisper_language_is_told_or_detected(torch_whisper):
    (detected,) = torch_whisper.transcribe_batch(clips(1))
    if torch_whisper.settings.is_multilingual:
        assert detected.language in ("en", "de")
        assert torch_whisper.transcribe(clips(1)[0], "de").language == "de"
        assert torch_whisper.transcribe(clips(1)[0], "German").language == "de"
    else:
        assert detected.language is None
    with pytest.raises(ModelError):
        torch_whisper.transcribe(clips(1)[0], "xx")


def test_whisper_logits_predict_the_tokens_that_were_written(torch_whisper):
    (said,) = torch_whisper.transcribe_batch(clips(1))
    logits = torch_whisper.logits(clips(1)[0], said.tokens, said.language)
    assert len(logits) == len(said.tokens) + 1
    logits[:, 7] = -np.inf
    logits[0, 2] = -np.inf
    assert tuple(logits.argmax(axis=-1)[:-1]) == said.tokens


def test_long_audio_is_transcribed_chunk_by_chunk(torch_whisper):
    samples = np.tile(clips(1)[0], 200)  # 40 s
    transcript = torch_whisper.transcribe(samples)
    assert transcript.seconds == pytest.approx(40)
    assert len(transcript.tokens) > len(torch_whisper.transcribe(samples[: 16_000 * 20]).tokens)


def test_parts_of_long_audio_are_decoded_together_and_write_the_same(torch_whisper, monkeypatch):
    samples = np.random.default_rng(2).standard_normal(16_000 * 130).astype(np.float32)
    batches = []
    heard = WhisperRuntime.transcribe_batch

    def counted(self, clips, language=None):
        batches.append(len(clips))
        return heard(self, clips, language)

    monkeypatch.setattr(WhisperRuntime, "transcribe_batch", counted)
    together = torch_whisper.transcribe(samples)
    multilingual = torch_whisper.settings.is_multilingual
    assert batches[:2] == ([1, 4] if multilingual else [4, sum(batches) - 4])
    count = len(batches)
    assert transcribe_long(torch_whisper, samples, None, finds_language=multilingual) == together
    assert set(batches[count:]) == {1}


def test_whisper_on_onnxruntime_writes_the_same(captured, torch_whisper, tmp_path):
    network, graphs = captured
    runners = []
    for name, signature in signatures(network.config).items():
        ir.save(to_onnx(graphs[name], signature, opset=21), tmp_path / f"{name}.onnx")
        runners.append(OrtRunner(tmp_path / f"{name}.onnx", OrtSettings(threads=1)))
    runtime = whisper(runners, network, torch_whisper.settings.is_multilingual)
    assert runtime.transcribe_batch(clips(3)) == torch_whisper.transcribe_batch(clips(3))


def test_ctc_merges_repeats_and_drops_blanks():
    frames = np.array([1, 1, 4, 4, 1, 1, 5, 1, 5, 0, 1, 6, 11])
    model = SimpleNamespace(run=lambda feeds, outputs: {"logits": np.eye(12, dtype=np.float32)[frames][None]})
    runtime = CtcRuntime(model, lambda samples: samples[None], Numbers(), blank=1, model_bytes=0)
    (transcript,) = runtime.transcribe_batch([clips(1)[0]])
    assert transcript.text == "dee f"
    assert transcript.tokens == tuple(frames)
    with pytest.raises(ModelError, match="language"):
        runtime.transcribe_batch(clips(1), "de")


def test_ctc_runs_its_graph(make_ctc):
    network = make_ctc("wav2vec2")
    (signature,) = signatures(network.config).values()
    runner = TorchRunner(capture(network).graphs["model"], signature)
    runtime = CtcRuntime(runner, lambda samples: samples[None], Numbers(), blank=1, model_bytes=0)
    samples = clips(1)[0]
    with torch.no_grad():
        expected = network(torch.from_numpy(samples)[None]).logits[0]
    np.testing.assert_allclose(runtime.logits(samples, ()), expected, atol=1e-5)
    for wrong, words in NO_CLIPS:
        refuses(runtime, wrong, words)


def test_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        OrtRunner(tmp_path / "model.onnx")


def test_a_ctc_model_is_given_no_less_than_it_looks_at(make_speech_model: Callable[[str], SpeechModel]) -> None:
    model = make_speech_model("smallest")
    runtime = torch_runtime(model, model.capture())
    for hear in (lambda samples: runtime.transcribe_batch([samples]), lambda samples: runtime.logits(samples, ())):
        for count in (0, 1, 399):
            with pytest.raises(AudioError, match=r"clip 0: .* s of audio, expected at least 0\.025 s"):
                hear(np.ones(count, np.float32))
        hear(np.ones(400, np.float32))
