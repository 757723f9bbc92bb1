"""Times, beams and tasks on bundles of tiny random models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from myqasr_fx.errors import BundleError, ModelError, OptionError
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.runtime import Decoding, OrtRunner, OrtSettings, Transcript, WhisperRuntime, load_bundle, with_decoding
from myqasr_fx.runtime.cross_attention import PREFIX, with_weights
from myqasr_fx.runtime.fixed_cache import FixedCache, FixedDecoder
from myqasr_fx.runtime.growing_cache import CacheShape

LISTENING = OrtSettings(threads=1, cross_attention=True)
DECODER = "decoder_model_merged.onnx"


@pytest.fixture(scope="module")
def bundle(bundles: list[Path]) -> Path:
    """Of a multilingual Whisper of one layer."""
    return bundles[0]


@pytest.fixture(scope="module")
def runtime(bundle: Path) -> WhisperRuntime:
    found = load_bundle(bundle, LISTENING)
    assert isinstance(found, WhisperRuntime)
    return replace(found, no_speech=replace(found.no_speech, no_speech_threshold=1.0))  # noise is speech here


def timed(runtime: WhisperRuntime, **options: object) -> WhisperRuntime:
    found = with_decoding(runtime, Decoding(**options))  # type: ignore[arg-type]
    assert isinstance(found, WhisperRuntime)
    return found


def test_the_weights_are_those_of_the_network(
    models: list[SpeechModel], runtime: WhisperRuntime, noise: list[np.ndarray]
) -> None:
    network = models[0].network
    states = runtime.cache.encode(runtime.encoder, runtime.features(noise[0]))
    tokens = np.array([[*runtime.settings.prompt("de"), 5, 6, 7]], np.int64)
    (found,) = runtime.cache.decoder(runtime.decoder, states).attention(tokens, [0]).values()  # type: ignore[union-attr]
    query, key = (
        network.model.decoder.layers[0].encoder_attn.q_proj,
        network.model.decoder.layers[0].encoder_attn.k_proj,
    )
    hidden: list[torch.Tensor] = []
    hook = query.register_forward_hook(lambda module, given, result: hidden.append(result))
    with torch.no_grad():
        network.model.decoder(torch.from_numpy(tokens), encoder_hidden_states=torch.from_numpy(states))
        keys = key(torch.from_numpy(states)).view(1, 1500, 2, 32).transpose(1, 2)
    hook.remove()
    queries = hidden[0].view(1, tokens.shape[1], 2, 32).transpose(1, 2) / 32**0.5
    np.testing.assert_allclose(found, (queries @ keys.transpose(2, 3)).softmax(-1).numpy(), atol=1e-6)


def test_what_is_added_changes_no_text(bundle: Path, runtime: WhisperRuntime, noise: list[np.ndarray]) -> None:
    plain = load_bundle(bundle, OrtSettings(threads=1))
    assert [said.tokens for said in plain.transcribe_batch(noise)] == [
        said.tokens for said in runtime.transcribe_batch(noise)
    ]
    assert with_decoding(plain, Decoding()) is plain


def test_what_is_added_is_kept_apart_from_the_plain_graph(bundle: Path, tmp_path: Path) -> None:
    for listening in (False, True, False, True):
        settings = OrtSettings(threads=1, kept=tmp_path, cross_attention=listening)
        outputs = OrtRunner(bundle / DECODER, settings).outputs
        assert (f"{PREFIX}0" in outputs) is listening
    assert len([path for path in tmp_path.iterdir() if not path.name.startswith(".")]) == 2


def test_a_graph_without_cross_attention_is_left_as_it_is(bundle: Path, tmp_path: Path) -> None:
    assert with_weights(bundle / "encoder_model.onnx") is None
    for damage in (b"", b"nothing at all", (bundle / DECODER).read_bytes()[:-7]):
        (tmp_path / DECODER).write_bytes(damage)
        with pytest.raises(BundleError, match="refuses"):
            OrtRunner(tmp_path / DECODER, LISTENING)


def test_segments_lie_in_the_recording_and_hold_its_text(runtime: WhisperRuntime, noise: list[np.ndarray]) -> None:
    said = timed(runtime, timestamps="segment").transcribe(np.concatenate([noise[0]] * 40))
    assert said.seconds == pytest.approx(40)
    check_times(said)
    assert all(not segment.words for segment in said.segments)


def test_words_lie_in_the_recording_and_make_the_text(runtime: WhisperRuntime, noise: list[np.ndarray]) -> None:
    for samples in (noise[0], np.concatenate(noise * 10)):
        said = timed(runtime, timestamps="word").transcribe(samples)
        check_times(said)
        for segment in said.segments:
            assert "".join(word.text for word in segment.words) == "".join(segment.text.split())
            spans = [(word.start, word.end) for word in segment.words]
            assert all(0 <= start <= end <= said.seconds + 0.02 for start, end in spans)
            assert [start for start, _ in spans] == sorted(start for start, _ in spans)


def check_times(said: Transcript) -> None:
    assert said.segments
    assert all(0 <= one.start <= one.end <= said.seconds + 1e-6 for one in said.segments)
    assert "".join("".join(one.text for one in said.segments).split()) == "".join(said.text.split())


def test_a_clip_is_heard_anew_where_the_model_stopped(
    runtime: WhisperRuntime, noise: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    zero = runtime.settings.first_timestamp_id
    heard: list[int] = []

    def write(self: WhisperRuntime, states: np.ndarray, clips: list[np.ndarray], code: str | None) -> list[Transcript]:
        heard.extend(map(len, clips))
        tokens = (zero, 65, zero + 75, zero + 75) if len(clips[0]) > 40_000 else (zero, 66, zero + 10)
        return [self._timed(Transcript("x", tokens, len(clip) / 16_000), states) for clip in clips]

    monkeypatch.setattr(WhisperRuntime, "_write", write)
    (said,) = timed(runtime, timestamps="segment").transcribe_batch([np.concatenate(noise)])
    assert heard == [64_000, 40_000]  # from 1.5 s on
    assert [(one.start, one.end) for one in said.segments] == [(0.0, 1.5), (1.5, pytest.approx(1.7))]
    assert said.seconds == 4.0


def test_beams_find_likelier_texts(runtime: WhisperRuntime, noise: list[np.ndarray]) -> None:
    plain = replace(runtime, settings=replace(runtime.settings, max_length=10))
    many = timed(plain, beams=4)
    greedy, wide = plain.transcribe_batch(noise), many.transcribe_batch(noise)
    assert sum(said.log_probability for said in wide) > sum(said.log_probability for said in greedy)
    assert [said.tokens for said in wide] == [many.transcribe_batch([one])[0].tokens for one in noise]


def test_a_fixed_cache_gives_every_row_the_tokens_of_another() -> None:
    fed: list[dict[str, np.ndarray]] = []

    class Echo:
        def run(self, feeds, outputs):  # type: ignore[no-untyped-def]
            fed.append(feeds)
            own = np.broadcast_to(feeds["tokens"][None, :, :1, None], (2, 3, 4, 5)).astype(np.float32)
            return {name: own for name in outputs}

    cross = np.arange(3, dtype=np.float32)[:, None, None, None, None] * np.ones((3, 2, 2, 6, 5), np.float32)
    decoder = FixedDecoder(Echo(), cross, FixedCache(2, 4, 5))
    decoder.step(np.array([[7], [8], [9]]))
    decoder.reorder(np.array([1, 1, 0]))
    decoder.step(np.array([[7], [8], [9]]))
    assert fed[1]["in_n_layer_self_k_cache"][0, :, 0, 0].tolist() == [8, 8, 7]
    assert fed[1]["n_layer_cross_v"][1, :, 0, 0].tolist() == [0, 1, 2]


def test_doubtful_texts_are_drawn_the_same_each_time(runtime: WhisperRuntime, noise: list[np.ndarray]) -> None:
    sure = replace(runtime, no_speech=replace(runtime.no_speech, logprob_threshold=-0.01))
    plain = sure.transcribe_batch(noise[:2])
    drawing = timed(sure, redraws="doubtful", temperatures=(2.0,), seed=3)
    first, again = drawing.transcribe_batch(noise[:2]), drawing.transcribe_batch(noise[:2])
    assert first == again
    assert all(new.log_probability >= old.log_probability for new, old in zip(first, plain, strict=True))
    trusting = replace(
        drawing, no_speech=replace(sure.no_speech, logprob_threshold=-99.0, compression_ratio_threshold=99)
    )
    assert trusting.transcribe_batch(noise[:2]) == plain


def test_what_repeats_itself_is_drawn_again_unless_it_is_forbidden(
    bundle: Path, runtime: WhisperRuntime, noise: list[np.ndarray]
) -> None:
    unsure = replace(runtime.no_speech, logprob_threshold=-0.01, compression_ratio_threshold=99)
    repeats = replace(runtime.no_speech, logprob_threshold=-99.0, compression_ratio_threshold=0.1)
    started: list[int] = []
    decoder = CacheShape.decoder

    def counted(self: CacheShape, *given: object) -> object:
        started.append(1)
        return decoder(self, *given)  # type: ignore[arg-type]

    wanted = {"loops": (1, 2), "doubtful": (2, 2), "never": (1, 1)}
    for redraws, counts in wanted.items():
        for rule, count in zip((unsure, repeats), counts, strict=True):
            started.clear()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(CacheShape, "decoder", counted)
                timed(replace(runtime, no_speech=rule), redraws=redraws, temperatures=(9.0,)).transcribe_batch(
                    noise[:2]
                )
            assert len(started) == count, redraws
    assert load_bundle(bundle).decoding.redraws == "loops"


def test_translation_is_another_prompt(runtime: WhisperRuntime, noise: list[np.ndarray]) -> None:
    seen: list[list[int]] = []

    class Told:
        def run(self, feeds, outputs):  # type: ignore[no-untyped-def]
            seen.append(feeds["input_ids"][0].tolist())
            return runtime.decoder.run(feeds, outputs)

    translating = timed(replace(runtime, decoder=Told()), task="translate")
    said = translating.transcribe(noise[0], "de")
    assert seen[0][2] == runtime.settings.task_to_id["translate"] and said.language == "de"
    assert translating.transcribe(noise[0], "auto") == translating.transcribe(noise[0])


def test_what_cannot_be_done_is_told(runtime: WhisperRuntime, bundles: list[Path]) -> None:
    plain, ctc = map(load_bundle, bundles)
    english = replace(runtime, settings=replace(runtime.settings, is_multilingual=False))
    in_torch = replace(runtime, decoder=SimpleNamespace())
    fixed = replace(runtime, cache=FixedCache(1, 32, 64))
    for given, options, said in (
        (ctc, {"task": "translate"}, "task: a CTC model does not write a text token by token"),
        (ctc, {"beams": 5}, "beams: a CTC model"),
        (english, {"task": "translate"}, "task translate: an English-only model cannot translate"),
        (plain, {"timestamps": "word"}, "word: the decoder does not give the weights of its cross-attention"),
        (in_torch, {"timestamps": "word"}, "word: the decoder does not give the weights of its cross-attention"),
        (fixed, {"timestamps": "word"}, "word: the sherpa-onnx layout has none"),
        (runtime, {"timestamps": "letter"}, "timestamps 'letter': expected segment or word"),
        (runtime, {"task": "sing"}, "task 'sing': expected transcribe or translate"),
        (runtime, {"beams": 0}, "beams 0: expected 1 to 64"),
        (runtime, {"seed": -1}, "seed -1: expected"),
        (runtime, {"redraws": "always"}, "redraws 'always': expected never, loops, doubtful"),
        (runtime, {"temperatures": (0.0,)}, "temperatures a list of 1: expected numbers above 0"),
    ):
        with pytest.raises(OptionError, match=said):
            with_decoding(given, Decoding(**options))  # type: ignore[arg-type]
    heads = replace(runtime, settings=replace(runtime.settings, alignment_heads=((0, 1), (1, 0))))
    with pytest.raises(BundleError, match=r"alignment head \[1, 0\] of a decoder of 1 layers"):
        with_decoding(heads, Decoding(timestamps="word"))
    without = replace(runtime, settings=replace(runtime.settings, no_timestamps_token_id=287))
    with pytest.raises(OptionError, match="the model has no tokens for times"):
        with_decoding(without, Decoding(timestamps="segment"))


def test_a_ctc_model_is_told_no_language(bundles: list[Path], noise: list[np.ndarray]) -> None:
    ctc = load_bundle(bundles[1])
    assert ctc.transcribe(noise[0], "auto") == ctc.transcribe(noise[0])
    with pytest.raises(ModelError, match="cannot be told language 'de'"):
        ctc.transcribe(noise[0], "de")
