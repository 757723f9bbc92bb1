"""The files of the page; ``tests/clients/test_web.py`` runs it in a browser."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from myqasr_fx.bundle.bundle import FORMAT_VERSION, BundleManifest, CalibrationRecord, FileRecord, VerificationRecord
from myqasr_fx.cli.app import main
from myqasr_fx.options.resolve import resolve_config

MODEL = "onnx/model_quantized.onnx"


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[[str], Path]:
    """Layout to a folder that passes for a bundle."""

    def make(layout: str) -> Path:
        folder = tmp_path / "bundle"
        for name in (MODEL, "config.json", "tokenizer.json", "report.html", "run.json"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"of {name}")
        BundleManifest(
            format_version=FORMAT_VERSION,
            model="tiny",
            fingerprint="ab" * 32,
            family="ctc",
            config=resolve_config("1KB", layout=layout).as_dict(),
            budget_bytes=1_000,
            model_bytes=len(f"of {MODEL}"),
            num_weights=10,
            file_bits_per_weight=4.0,
            files=(FileRecord(MODEL, len(f"of {MODEL}"), {}),),
            session_options={},
            layers=(),
            calibration=CalibrationRecord(1, 1.0, "00" * 32, (), None),
            verification=VerificationRecord(1, 1, 0.0, None, 0.0, 1.0),
            versions={},
        ).write(folder)
        return folder

    return make


@pytest.fixture
def node_modules(tmp_path: Path) -> Path:
    """What npm leaves, as far as the page takes it."""
    modules = tmp_path / "npm" / "node_modules"
    for name in (
        "@huggingface/transformers/dist/transformers.min.js",
        "@huggingface/transformers/LICENSE",
        "onnxruntime-web/dist/ort-wasm-simd-threaded.mjs",
        "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    ):
        (modules / name).parent.mkdir(parents=True, exist_ok=True)
        (modules / name).write_text(name)
    for package, version in (("@huggingface/transformers", "4.3.1"), ("onnxruntime-web", "1.31.0")):
        (modules / package / "package.json").write_text(json.dumps({"version": version}))
    return modules


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["demo", *map(str, arguments)])
    return int(stop.value.code or 0)


def written(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("around", [False, True])
def test_the_page_is_whole_and_says_nothing_private(
    around: bool, make_bundle: Callable[[str], Path], node_modules: Path, tmp_path: Path, capsys
) -> None:
    bundle, page = make_bundle("transformers.js"), tmp_path / "page"
    js = node_modules.parent if around else node_modules
    assert run("--web", page, "--js", js, "--bundle", bundle, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["versions"] == {"@huggingface/transformers": "4.3.1", "onnxruntime-web": "1.31.0"}
    assert answer["bytes"] == sum((page / name).stat().st_size for name in written(page))
    assert written(page) == {
        *("index.html", "page.css", "page.js", "worker.js"),
        *(f"bundle/{name}" for name in (MODEL, "config.json", "tokenizer.json", "myqasr.json")),
        *(f"js/{name}" for name in ("transformers.min.js", "LICENSE.transformers", "versions.json")),
        *(f"js/ort-wasm-simd-threaded.{suffix}" for suffix in ("mjs", "wasm")),
    }
    assert run("--web", page, "--js", js, "--bundle", bundle) == 2
    assert run("--web", page, "--js", js, "--bundle", bundle, "--force") == 0


def test_what_the_page_refers_to_is_there(
    make_bundle: Callable[[str], Path], node_modules: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page"
    run("--web", page, "--js", node_modules, "--bundle", make_bundle("transformers.js"))
    document, script, worker = ((page / name).read_text() for name in ("index.html", "page.js", "worker.js"))
    named = re.findall(r'(?:src|href)="([^":]+)"', document)
    named += re.findall(r"""(?:get|Worker|here|from) ?\(?'(?:\./)?([^']+\.\w+)'""", script + worker)
    assert len(named) == 8
    assert set(named) <= written(page)
    assert "http:" not in document + script + worker and "https:" not in document + script + worker
    shown = set(re.findall(r"\$\('(\w+)'\)", script))
    assert shown == set(re.findall(r'id="(\w+)"', document)) - {"clip"}


def test_a_folder_that_is_no_page_is_not_replaced(
    make_bundle: Callable[[str], Path], node_modules: Path, tmp_path: Path, capsys
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    bundle = make_bundle("transformers.js")
    assert run("--web", tmp_path / "mine", "--js", node_modules, "--bundle", bundle, "--force") == 2
    assert "holds no bundle/myqasr.json" in capsys.readouterr().err


def test_a_page_that_would_not_be_written_costs_no_quantization(node_modules: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "page").mkdir()
    assert run("--web", tmp_path / "page", "--js", node_modules, "--out", tmp_path / "bundle") == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "page exists" in said
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("name", ["letter.txt", "bundle/letter.txt", "js/letter.txt", "empty/"])
def test_a_page_with_other_things_in_it_is_not_replaced(
    name: str, make_bundle: Callable[[str], Path], node_modules: Path, tmp_path: Path, capsys
) -> None:
    given = ("--web", tmp_path / "page", "--js", node_modules, "--bundle", make_bundle("transformers.js"))
    assert run(*given) == 0
    mine = tmp_path / "page" / name
    if name.endswith("/"):
        mine.mkdir()
    else:
        mine.write_text("precious")
    assert run(*given, "--force") == 2
    assert f"{name} in it are not" in capsys.readouterr().err
    assert mine.exists()


def test_names_of_recordings_stay_behind(
    make_bundle: Callable[[str], Path], node_modules: Path, tmp_path: Path
) -> None:
    bundle, page = make_bundle("transformers.js"), tmp_path / "page"
    made = BundleManifest.read(bundle)
    replace(made, calibration=replace(made.calibration, rejected=("/home/anna/diary.wav: is empty",))).write(bundle)
    assert run("--web", page, "--js", node_modules, "--bundle", bundle) == 0
    assert BundleManifest.read(page / "bundle").calibration.rejected == ("1 recording could not be used",)
    assert "anna" not in (page / "bundle" / "myqasr.json").read_text()


@pytest.mark.parametrize("name", ["../../stolen", "/etc/passwd", "onnx/../../stolen", "C:\\stolen"])
def test_a_bundle_writes_nothing_outside_the_page(
    name: str, make_bundle: Callable[[str], Path], node_modules: Path, tmp_path: Path, capsys
) -> None:
    bundle = make_bundle("transformers.js")
    (bundle / "myqasr.json").write_text((bundle / "myqasr.json").read_text().replace(f'"{MODEL}"', json.dumps(name)))
    before = sorted(tmp_path.rglob("*"))
    assert run("--web", tmp_path / "a" / "b" / "page", "--js", node_modules, "--bundle", bundle) == 2
    assert "expected a relative path" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_bundle_publishes_nothing_that_a_link_leads_to(
    make_bundle: Callable[[str], Path], node_modules: Path, tmp_path: Path, capsys
) -> None:
    bundle = make_bundle("transformers.js")
    (tmp_path / "secret").write_text("secret")
    (bundle / "tokenizer.json").unlink()
    (bundle / "tokenizer.json").symlink_to(tmp_path / "secret")
    assert run("--web", tmp_path / "page", "--js", node_modules, "--bundle", bundle) == 2
    assert "leads out of the bundle" in capsys.readouterr().err
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize("text", ["", "[]", "[" * 200_000])
def test_a_package_that_is_none_is_one_line(text: str, node_modules: Path, tmp_path: Path, capsys) -> None:
    (node_modules / "onnxruntime-web" / "package.json").write_text(text)
    assert run("--web", tmp_path / "page", "--js", node_modules) == 2
    assert "package.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--web", "page"), "npm install --ignore-scripts @huggingface/transformers"),
        (("--js", "npm"), "--js and --bundle belong to --web"),
        (("--web", "page", "--js", "."), "has no @huggingface/transformers/package.json"),
        (("--web", "page", "--js", "npm", "--bundle", "b", "--out", "b"), "--bundle and --out exclude each other"),
    ],
)
def test_what_does_not_go_together_is_one_line(arguments: tuple[str, ...], says: str, capsys) -> None:
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_a_bundle_of_another_layout_is_refused(
    make_bundle: Callable[[str], Path], node_modules: Path, tmp_path: Path, capsys
) -> None:
    assert run("--web", tmp_path / "page", "--js", node_modules, "--bundle", make_bundle("hf")) == 2
    assert "quantize with --layout transformers.js" in capsys.readouterr().err
