from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from myqasr_fx.errors import ModelError
from myqasr_fx.models.ctranslate2 import read_ctranslate2

VARIABLES = {
    "a/weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a/half": np.linspace(-1, 1, 5).astype(np.float16),
    "a/count": np.array(7, np.int16),
    "a/flag": np.array(-1, np.int8),
    "a/ids": np.array([3, -4], np.int32),
}

Writer = Callable[..., bytes]


@pytest.fixture
def model(tmp_path: Path, ct2_bytes: Writer) -> Path:
    path = tmp_path / "model.bin"
    path.write_bytes(ct2_bytes(VARIABLES, {"b/weight": "a/weight"}, spec="AnySpec"))
    return path


def test_reads_every_type(model: Path) -> None:
    read = read_ctranslate2([model])
    assert read.spec == "AnySpec"
    assert set(read.variables) == {*VARIABLES, "b/weight"}
    for name, array in VARIABLES.items():
        assert read.variables[name].dtype == array.dtype
        np.testing.assert_array_equal(read.variables[name], array)


def test_an_alias_is_the_same_array(model: Path) -> None:
    variables = read_ctranslate2([model]).variables
    assert variables["b/weight"] is variables["a/weight"]


def test_parts_cut_anywhere_read_as_one(model: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    parts = [tmp_path / f"part{i}" for i in range(3)]
    for cut in range(1, len(data) - 1):
        pieces = (data[: cut // 2 + 1], data[cut // 2 + 1 : cut + 1], data[cut + 1 :])
        if not all(pieces):
            continue
        for part, piece in zip(parts, pieces, strict=True):
            part.write_bytes(piece)
        variables = read_ctranslate2(parts).variables
        for name, array in VARIABLES.items():
            np.testing.assert_array_equal(variables[name], array)


def test_every_truncation_is_an_error(model: Path, tmp_path: Path) -> None:
    data = model.read_bytes()
    cut = tmp_path / "cut.bin"
    for size in range(len(data)):
        cut.write_bytes(data[:size])
        with pytest.raises(ModelError, match=r"cut\.bin"):
            read_ctranslate2([cut])


def test_bytes_after_the_end_are_an_error(model: Path) -> None:
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(ModelError, match="1 bytes after the end"):
        read_ctranslate2([model])


def test_other_version_is_an_error(tmp_path: Path, ct2_bytes: Writer) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(ct2_bytes(VARIABLES, version=2))
    with pytest.raises(ModelError, match="version 2, expected 6"):
        read_ctranslate2([path])


def test_unknown_type_is_an_error(model: Path) -> None:
    data = model.read_bytes()
    place = data.index(b"a/half\0") + 7 + 1 + 4  # after the name, the rank and one dimension
    model.write_bytes(data[:place] + b"\x05" + data[place + 1 :])
    with pytest.raises(ModelError, match=r"'a/half' has data type 5.*float16 or float32"):
        read_ctranslate2([model])


def test_size_that_the_shape_denies_is_an_error(model: Path) -> None:
    data = model.read_bytes()
    place = data.index(b"a/half\0") + 7 + 1
    model.write_bytes(data[:place] + b"\x06" + data[place + 1 :])
    with pytest.raises(ModelError, match=r"'a/half' of shape \(6,\)"):
        read_ctranslate2([model])


def test_alias_of_nothing_is_an_error(tmp_path: Path, ct2_bytes: Writer) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(ct2_bytes(VARIABLES, {"b": "c"}))
    with pytest.raises(ModelError, match="'b' names 'c'"):
        read_ctranslate2([path])


def test_a_variable_stored_twice_is_an_error(model: Path) -> None:
    data = model.read_bytes()
    model.write_bytes(data.replace(b"a/flag\0", b"a/half\0").replace(b"a/half\0", b"a/flag\0"))
    with pytest.raises(ModelError, match="variable 'a/flag' is stored twice"):
        read_ctranslate2([model])


def test_an_alias_does_not_replace_a_variable(tmp_path: Path, ct2_bytes: Writer) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(ct2_bytes(VARIABLES, {"a/half": "a/weight"}))
    with pytest.raises(ModelError, match="alias 'a/half' is the name of a variable"):
        read_ctranslate2([path])


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" + bytes(100), b"\x06\0\0\0\xff\xff" + b"x" * 70_000])
def test_other_files_are_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(ModelError):
        read_ctranslate2([path])


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_ctranslate2([tmp_path / "model.bin"])
