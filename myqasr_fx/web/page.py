"""Writes a folder of static files: the page, a bundle, and the libraries of an npm folder that run it.

``index.html``, ``page.css``, ``page.js`` and ``worker.js`` are the same for every bundle; ``bundle/`` holds what
transformers.js reads, and ``js/`` transformers.js with onnxruntime's WebAssembly build, so that the page asks no other
server for anything.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.contents import Contents
from myqasr_fx.bundle.output_folder import check_target, output_folder
from myqasr_fx.bundle.private import count_of
from myqasr_fx.bundle.untrusted_json import read_object
from myqasr_fx.errors import BundleError, OptionError

TRANSFORMERS, ENGINE = "@huggingface/transformers", "onnxruntime-web"
LAYOUT = "transformers.js"

_PAGE = ("index.html", "page.css", "page.js", "worker.js")
_LIBRARIES = {
    TRANSFORMERS: ("dist/transformers.min.js",),
    # the build for the CPU alone; those with WebGPU are twice as large
    ENGINE: ("dist/ort-wasm-simd-threaded.mjs", "dist/ort-wasm-simd-threaded.wasm"),
}
_VERSIONS = "versions.json"
_CONTENTS = Contents(
    bundle="bundle",
    others=(
        *_PAGE,
        f"js/{_VERSIONS}",
        "js/LICENSE*",
        *(f"js/{Path(f).name}" for fs in _LIBRARIES.values() for f in fs),
    ),
)
_CONFIGS = (
    *("config.json", "generation_config.json", "preprocessor_config.json"),
    *("tokenizer.json", "tokenizer_config.json"),
)
"""Report and run time stay behind: a page that is published says nothing of what was said."""


@dataclass(frozen=True, slots=True)
class WebPage:
    """A page that was written.

    Args:
        path: Its folder.
        bytes: Of all its files.
        versions: npm package to version.
    """

    path: Path
    bytes: int
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Package:
    name: str
    folder: Path
    version: str


def write_page(bundle: QuantizedBundle, node_modules: Path, out: Path, *, force: bool = False) -> WebPage:
    """Writes the page of ``bundle``.

    Args:
        bundle: In the layout of transformers.js.
        node_modules: Where npm installed @huggingface/transformers: the folder ``node_modules`` or the one around it.
        out: The page's folder, which appears whole or not at all.
        force: Replace a page.

    Raises:
        BundleError: The bundle has another layout.
        OptionError: ``node_modules`` lacks a file.
        OutputError: ``out`` cannot be written.
    """
    if bundle.layout.name != LAYOUT:
        raise BundleError(f"{bundle.path}: layout {bundle.layout.name}", hint=f"quantize with --layout {LAYOUT}")
    packages = find_packages(node_modules)
    versions = {package.name: package.version for package in packages}
    with output_folder(out, force=force, contents=_CONTENTS) as folder:
        assets = files(__package__) / "assets"
        for name in _PAGE:
            (folder / name).write_bytes((assets / name).read_bytes())
        _copy_bundle(bundle, folder / "bundle")
        _copy_libraries(packages, folder / "js")
        (folder / "js" / _VERSIONS).write_text(json.dumps(versions, indent=1) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return WebPage(out, size, versions)


def check_out(out: Path, force: bool) -> None:
    """Refuses a folder that :func:`write_page` would not write, before any work.

    Raises:
        OutputError: It exists and may not be replaced.
    """
    check_target(out, force, _CONTENTS)


def find_packages(folder: Path) -> tuple[_Package, ...]:
    """The npm packages that the page needs.

    Raises:
        OptionError: One is missing.
    """
    modules = folder / "node_modules" if (folder / "node_modules").is_dir() else folder
    transformers = _package(TRANSFORMERS, modules)
    # npm puts a dependency beside its dependent, or inside it when another version stands there
    nested = transformers.folder / "node_modules"
    return transformers, _package(ENGINE, nested if (nested / ENGINE).is_dir() else modules)


def _package(name: str, modules: Path) -> _Package:
    folder = modules / name
    missing = [file for file in ("package.json", *_LIBRARIES[name]) if not (folder / file).is_file()]
    if missing:
        hint = f"run `npm install --ignore-scripts {TRANSFORMERS}` and give its node_modules folder"
        raise OptionError(f"{modules} has no {name}/{missing[0]}", hint=hint)
    try:
        version = read_object(folder / "package.json").get("version")
    except BundleError as error:
        raise OptionError(error.message) from error
    return _Package(name, folder, str(version))


def _copy_bundle(bundle: QuantizedBundle, folder: Path) -> None:
    for name in (*_CONFIGS, *(file.name for file in bundle.manifest.files)):
        source = bundle.file(name)
        if source.is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    calibration = bundle.manifest.calibration
    calibration = replace(calibration, rejected=count_of(calibration.rejected))  # their names are the user's
    replace(bundle.manifest, calibration=calibration).write(folder)


def _copy_libraries(packages: tuple[_Package, ...], folder: Path) -> None:
    folder.mkdir()
    for package in packages:
        for file in _LIBRARIES[package.name]:
            shutil.copyfile(package.folder / file, folder / Path(file).name)
        for licence in sorted(package.folder.glob("LICENSE*")):
            shutil.copyfile(licence, folder / f"{licence.name}.{package.name.rpartition('/')[2]}")
