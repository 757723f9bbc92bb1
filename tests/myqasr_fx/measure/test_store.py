"""What is kept: whole or not at all, and only for what it was measured of."""

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from myqasr_fx.audio import ClipSet, select_clips
from myqasr_fx.errors import OutputError
from myqasr_fx.measure.store import Key, Keys, Store
from myqasr_fx.measure.stored import TRANSCRIPTS
from myqasr_fx.runtime import Transcript
from passes.needs import LayerAlone
from passes.observe.activation_stats import ActivationStats

KEYS = Keys("fingerprint", None, "hf")
KEY = Key(TRANSCRIPTS, ("one",))
SAID = (Transcript("grüße", (5, 7), 1.25, "de"), Transcript("", (), 0.5))


@pytest.fixture
def clips(noise: list[np.ndarray]) -> ClipSet:
    return select_clips(noise, 4)


def counted(value: tuple[Transcript, ...]) -> tuple[list[int], Callable[[], tuple[Transcript, ...]]]:
    """A computation, and how often it ran."""
    calls: list[int] = []

    def compute() -> tuple[Transcript, ...]:
        calls.append(1)
        return value

    return calls, compute


def test_what_is_kept_is_computed_once(tmp_path: Path) -> None:
    calls, compute = counted(SAID)
    for _ in range(2):
        assert Store(tmp_path / "new", KEYS).get(KEY, compute) == SAID
    assert len(calls) == 1
    assert [path.name for path in (tmp_path / "new").iterdir()] == [KEY.file]
    assert KEY.file.startswith("transcripts-")
    assert Store(tmp_path / "new", KEYS).get(Key(TRANSCRIPTS, ("other",)), compute) == SAID
    assert len(calls) == 2


def test_no_folder_keeps_nothing() -> None:
    store, (calls, compute) = Store(None, KEYS), counted(SAID)
    for _ in range(2):
        assert store.get(KEY, compute) == SAID
    store.write(KEY, SAID)
    assert store.read(KEY) is None
    assert len(calls) == 2


def test_a_private_store_keeps_numbers_of_layers_only(tmp_path: Path, clips: ClipSet) -> None:
    public, private = Store(tmp_path, KEYS), Store(tmp_path, KEYS, private=True)
    stats = {("fc1", "input"): ActivationStats(3, 0.2, 0.5, 0.3, 0.1, 0.3)}
    logits = KEYS.logits("clip", (1,), None)
    private.write(KEY, SAID)
    private.write(logits, torch.zeros(2, 3))
    private.write(KEYS.statistics(clips), (stats, SAID))
    assert list(tmp_path.iterdir()) == []
    private.write(KEYS.grams(clips, looked_up=False), {"fc1": torch.eye(2)})
    private.ledger(clips, "rtn 8").append({("fc1", LayerAlone("kl", 8)): stats["fc1", "input"]})
    assert sorted(path.name.partition("-")[0] for path in tmp_path.iterdir()) == ["grams", "layers"]
    public.write(KEY, SAID)
    assert private.read(KEY) == SAID  # what others left is read


def test_every_flipped_byte_and_every_cut_is_measured_again(tmp_path: Path) -> None:
    store, (calls, compute) = Store(tmp_path, KEYS), counted(SAID)
    store.get(KEY, compute)
    path = tmp_path / KEY.file
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert store.read(KEY) is None, at
    for length in (0, 31, 32, 33, len(content) - 1):
        path.write_bytes(content[:length])
        assert store.read(KEY) is None, length
    assert store.get(KEY, compute) == SAID
    assert len(calls) == 2
    assert path.read_bytes() == content  # mended


def test_whole_content_of_another_kind_is_not_read(tmp_path: Path) -> None:
    store = Store(tmp_path, KEYS)
    other = KEYS.logits("clip", (1,), None)
    store.write(other, torch.zeros(2, 3))
    (tmp_path / other.file).rename(tmp_path / KEY.file)
    assert store.read(KEY) is None


def test_another_model_clip_language_or_layout_has_another_file(noise: list[np.ndarray], clips: ClipSet) -> None:
    def files(keys: Keys, given: ClipSet) -> dict[str, str]:
        return {
            "statistics": keys.statistics(given).file,
            "grams": keys.grams(given, looked_up=False).file,
            "looked up": keys.grams(given, looked_up=True).file,
            "curvatures": keys.curvatures(given, (0, 1), 0).file,
            "damages": keys.damages(given, (0, 1), 0, "choices").file,
            "transcripts": keys.transcripts(given.clips).file,
            "layers": keys.layers(given, "gradient"),
        }

    first = files(KEYS, clips)
    assert files(KEYS, select_clips(noise, 4)) == first
    others = [files(replace(KEYS, model="other"), clips), files(replace(KEYS, language="de"), clips)]
    others += [files(replace(KEYS, graphs="sherpa-onnx"), clips), files(KEYS, select_clips(noise[:3], 4))]
    for name, file in first.items():
        assert len({file, *(other[name] for other in others)}) == 5, name
    assert len({*first.values()}) == len(first)


def test_what_is_measured_in_another_way_has_another_file(clips: ClipSet) -> None:
    curvatures = {KEYS.curvatures(clips, *how).file for how in (((0, 1), 0), ((0, 1), 1), ((0,), 0), ((0, 1, 2), 0))}
    damages = {KEYS.damages(clips, (0, 1), *how).file for how in ((0, "a"), (1, "a"), (0, "b"))}
    assert len(damages) == 3
    layers = {KEYS.layers(clips, what) for what in ("gradient", "rtn 3", "gptq 3")}
    assert (len(curvatures), len(layers)) == (4, 3)
    other = replace(KEYS, model="other"), replace(KEYS, graphs="sherpa-onnx")
    assert len({KEYS.levels(2).file, KEYS.levels(3).file, *(keys.levels(2).file for keys in other)}) == 4
    assert replace(KEYS, language="de").levels(2).file == KEYS.levels(2).file  # of the weights alone


def test_another_model_torch_clip_or_token_has_other_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    file = KEYS.logits("clip", (1, 2), None).file
    assert file == KEYS.logits("clip", (1, 2), None).file
    keys = [replace(KEYS, model="other"), replace(KEYS, graphs="sherpa-onnx")]
    others = {each.logits("clip", (1, 2), None).file for each in keys}
    others |= {
        KEYS.logits(*key).file for key in (("other", (1, 2), None), ("clip", (12,), None), ("clip", (1, 2), "de"))
    }
    monkeypatch.setattr(torch, "__version__", "0.1")
    others.add(KEYS.logits("clip", (1, 2), None).file)
    assert len(others - {file}) == 6


def test_a_folder_that_cannot_be_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cache .*file: .*choose another --cache"):
        Store(tmp_path / "file", KEYS)


def test_a_full_disk_leaves_no_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match=r"No space left.*choose another --cache"):
        Store(tmp_path, KEYS).write(KEY, SAID)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_is_of_these_clips_and_of_one_measurement(
    tmp_path: Path, noise: list[np.ndarray], clips: ClipSet
) -> None:
    store, measured = Store(tmp_path, KEYS), {("fc1", LayerAlone("kl", 8)): ActivationStats(3, 0.2, 0.5, 0.3, 0.1, 0.3)}
    store.ledger(clips, "rtn 8").append(measured)
    assert Store(tmp_path, KEYS).ledger(clips, "rtn 8").read() == measured
    assert store.ledger(clips, "gptq 8").read() == store.ledger(select_clips(noise[:3], 4), "rtn 8").read() == {}
    nothing = Store(None, KEYS).ledger(clips, "rtn 8")
    nothing.append(measured)
    assert nothing.read() == {}
