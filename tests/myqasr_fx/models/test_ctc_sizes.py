from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from myqasr_fx.models.load import load_model

Save = Callable[..., Path]
Change = Callable[..., None]
Refusal = Callable[[Path], str]

KINDS = ("wav2vec2", "wav2vec2-conformer", "hubert", "wavlm", "data2vec-audio")
NUMBERS = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
NUMBERS += ("num_conv_pos_embeddings", "num_conv_pos_embedding_groups")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read(save_model: Save, kind: str) -> None:
    assert load_model(str(save_model(kind))).config.model_type == kind


@pytest.mark.parametrize("value", [0, 7, 10**9, 2.5])
@pytest.mark.parametrize("field", NUMBERS)
def test_a_number_is_refused(
    save_model: Save, change_json: Change, refusal: Refusal, field: str, value: object
) -> None:
    folder = save_model("wav2vec2")
    change_json(folder / "config.json", **{field: value})
    text = refusal(folder)
    assert text.startswith(str(folder / "config.json")) and field in text and "expected" in text


@pytest.mark.parametrize("kind", ["hubert", "data2vec-audio"])
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"num_hidden_layers": 2}, "num_hidden_layers is 2, expected 1 as in"),
        ({"num_hidden_layers": 100_000}, "num_hidden_layers is 100000, expected 1 as in"),
        ({"conv_stride": [0] * 3}, "conv_stride is [0, 0, 0], expected positive numbers"),
        ({"conv_stride": [10**9] + [1] * 2}, "conv_stride is"),
        ({"conv_stride": [2.5] * 3}, "conv_stride is [2.5, "),
        ({"conv_stride": 2}, "conv_stride is 2, expected a list of whole numbers"),
        ({"conv_kernel": [10, 8, 3]}, "conv_kernel[2] is 3, expected 4 as in"),
        ({"conv_dim": [32] * 2 + [64]}, "conv_dim[2] is 64, expected 32 as in"),
        ({"conv_dim": [32] * 100, "conv_kernel": [2] * 100, "conv_stride": [1] * 100}, "the length of conv_dim is 100"),
        ({"conv_dim": []}, "config.json"),
        ({"hidden_act": "sing"}, "hidden_act is 'sing', expected one of"),
        ({"layer_norm_eps": 0}, "layer_norm_eps is 0, expected a number between 0 and 1"),
    ],
    ids=str,
)
def test_the_message_names_what_was_expected(
    save_model: Save, change_json: Change, refusal: Refusal, kind: str, changes: dict[str, Any], expected: str
) -> None:
    folder = save_model(kind)
    change_json(folder / "config.json", **changes)
    assert expected in refusal(folder)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("wav2vec2", {"feat_extract_norm": "batch"}),
        ("wavlm", {"num_buckets": 0}),
        ("wavlm", {"num_buckets": 10**9}),
        ("wavlm", {"max_bucket_distance": 0}),
        ("wavlm", {"max_bucket_distance": 80}),
        ("wav2vec2-conformer", {"max_source_positions": 10**9}),
        ("wav2vec2-conformer", {"conv_depthwise_kernel_size": 30}),
        ("wav2vec2-conformer", {"position_embeddings_type": "absolute"}),
        ("wav2vec2-conformer", {"rotary_embedding_base": 0}),
        ("data2vec-audio", {"conv_pos_kernel_size": 0}),
        ("data2vec-audio", {"num_conv_pos_embeddings": 10**6}),
        ("hubert", {"feat_proj_layer_norm": 1}),
    ],
    ids=str,
)
def test_what_one_kind_has_is_checked(
    save_model: Save, change_json: Change, refusal: Refusal, kind: str, changes: dict[str, Any]
) -> None:
    folder = save_model(kind)
    change_json(folder / "config.json", **changes)
    assert f"{next(iter(changes))} is {next(iter(changes.values()))!r}, expected" in refusal(folder)


@pytest.mark.parametrize("changes", [{"adapter_stride": 0}, {"num_adapter_layers": 10**6}, {}], ids=str)
def test_an_adapter_without_tensors_is_refused(
    save_model: Save, change_json: Change, refusal: Refusal, changes: dict[str, Any]
) -> None:
    folder = save_model("wav2vec2")
    change_json(folder / "config.json", add_adapter=True, **changes)
    assert "adapter" in refusal(folder)
