from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from myqasr_fx.models.load import load_model

Save = Callable[..., Path]
Change = Callable[..., None]
Refusal = Callable[[Path], str]

FILES = ("preprocessor_config.json", "processor_config.json")


@pytest.fixture(params=FILES)
def change_extractor(request: pytest.FixtureRequest, change_json: Change) -> Callable[..., None]:
    """Changes the extractor in one of the two files, and removes the other."""

    def change(folder: Path, **changes: object) -> None:
        if request.param == FILES[0]:
            (folder / FILES[1]).unlink()
            change_json(folder / FILES[0], **changes)
        else:
            inner = load_model(str(folder)).feature_extractor.to_dict() | changes
            change_json(folder / FILES[1], feature_extractor=inner)
            (folder / FILES[0]).unlink()

    return change


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
@pytest.mark.parametrize("rate", [0, 8_000, 2**31, True, "x"])
def test_other_sampling_rates_are_refused(
    save_model: Save, change_extractor: Change, refusal: Refusal, name: str, rate: object
) -> None:
    folder = save_model(name)
    change_extractor(folder, sampling_rate=rate)
    assert "sampling_rate is" in refusal(folder) and "expected 16000 Hz" in refusal(folder)


@pytest.mark.parametrize("name", ["whisper-smallest", "smallest"])
@pytest.mark.parametrize("kind", ["ClapFeatureExtractor", 7])
def test_other_kinds_are_refused(
    save_model: Save, change_extractor: Change, refusal: Refusal, name: str, kind: object
) -> None:
    folder = save_model(name)
    change_extractor(folder, feature_extractor_type=kind)
    assert "feature_extractor_type is" in refusal(folder)


def test_the_kind_of_the_other_family_is_refused(save_model: Save, change_extractor: Change, refusal: Refusal) -> None:
    folder = save_model("smallest")
    change_extractor(folder, feature_extractor_type="WhisperFeatureExtractor")
    assert "expected Wav2Vec2FeatureExtractor" in refusal(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"feature_size": 1},
        {"feature_size": 128},
        {"feature_size": "80"},
        {"n_fft": 0},
        {"n_fft": 10**9},
        {"n_fft": 400.0},
        {"hop_length": 0},
        {"hop_length": 80},
        {"hop_length": "160"},
        {"chunk_length": 10**9},
        {"chunk_length": 29},
        {"chunk_length": 1.5},
        {"dither": 0.1},
        {"padding_value": 1.0},
        {"return_attention_mask": 1},
    ],
    ids=str,
)
def test_numbers_of_a_log_mel_extractor_are_checked(
    save_model: Save, change_extractor: Change, refusal: Refusal, changes: dict[str, Any]
) -> None:
    folder = save_model("whisper-smallest")
    change_extractor(folder, **changes)
    assert "_config.json: " in refusal(folder) and "expected" in refusal(folder)


@pytest.mark.parametrize(
    "changes", [{"feature_size": 80}, {"padding_value": "x"}, {"do_normalize": "no"}, {"padding_value": float("nan")}]
)
def test_numbers_of_a_waveform_extractor_are_checked(
    save_model: Save, change_extractor: Change, refusal: Refusal, changes: dict[str, Any]
) -> None:
    folder = save_model("smallest")
    change_extractor(folder, **changes)
    assert f"{next(iter(changes))} is" in refusal(folder)


def test_what_no_extractor_has_is_left_out(save_model: Save, change_extractor: Change, tmp_path: Path) -> None:
    folder = save_model("whisper-smallest")
    expected = load_model(str(folder)).feature_extractor.to_dict()
    change_extractor(folder, mel_filters=[[1.0]], _name_or_path="/home/someone", auto_map={"a": "b"}, n_samples=7)
    assert load_model(str(folder)).feature_extractor.to_dict() == expected


def test_a_missing_extractor_is_an_error(save_model: Save, refusal: Refusal) -> None:
    folder = save_model("smallest")
    for name in FILES:
        (folder / name).unlink()
    assert "no feature extractor" in refusal(folder)
