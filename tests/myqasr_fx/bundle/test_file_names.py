"""Names of files in a bundle."""

from pathlib import Path

import pytest

from myqasr_fx.bundle.file_names import check_file_name, file_inside, is_file
from myqasr_fx.bundle.records import FileRecord
from myqasr_fx.errors import BundleError

ALLOWED = ["model.onnx", "onnx/decoder_model_merged_quantized.onnx", "encoder_model.onnx_data", "ü.onnx", "..model"]
REFUSED = [
    *("", ".", "..", "/etc/passwd", "../model.onnx", "onnx/../../model.onnx", "onnx/..", "./model.onnx", "a//b", "a/"),
    *("C:model.onnx", "C:\\model.onnx", "onnx\\model.onnx", "a\0b", "a\nb", "\x1b[31m", "\u202emodel", "a:b"),
    *("*/_ORT_MEM_ADDR_/*", "a" * 300, "onnx/" + "ü" * 200),
]


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed(name: str, tmp_path: Path) -> None:
    assert FileRecord(name, 1, {}).name == name
    assert file_inside(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="name "):
        check_file_name(name)
    with pytest.raises(ValueError, match="name "):
        FileRecord(name, 1, {})
    with pytest.raises(BundleError, match="name "):
        file_inside(tmp_path, name)


def test_a_link_may_not_lead_out(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    (bundle / "onnx").mkdir(parents=True)
    (tmp_path / "secret").touch()
    (bundle / "real").touch()
    (bundle / "link").symlink_to("real")
    assert file_inside(bundle, "link") == bundle / "link"
    (bundle / "out").symlink_to(tmp_path / "secret")
    (bundle / "up").symlink_to(tmp_path)
    (bundle / "loop").symlink_to("loop")
    for name in ("out", "up/secret"):
        with pytest.raises(BundleError, match="a link that leads out of the bundle"):
            file_inside(bundle, name)
    assert not is_file(bundle / "loop")
    (tmp_path / "other").symlink_to(bundle)
    assert file_inside(tmp_path / "other", "real").is_file()  # the bundle itself may be a link


def test_the_links_of_a_hub_s_cache_are_its_own(tmp_path: Path) -> None:
    bundle, blobs = tmp_path / "snapshots" / "0a", tmp_path / "blobs"
    bundle.mkdir(parents=True)
    blobs.mkdir()
    (blobs / "ab").touch()
    (bundle / "model.onnx").symlink_to("../../blobs/ab")
    assert file_inside(bundle, "model.onnx").is_file()
    (bundle / "config.json").symlink_to("../../refs")
    with pytest.raises(BundleError, match="leads out"):
        file_inside(bundle, "config.json")


@pytest.mark.parametrize("name", ["none", "a" * 300, "a\0b"])
def test_what_cannot_be_looked_at_is_no_file(name: str, tmp_path: Path) -> None:
    assert not is_file(tmp_path / name)
