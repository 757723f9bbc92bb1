"""A bundle: the folder that ``quantize`` leaves, and ``myqasr.json``, which says what is in it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myqasr_fx.bundle.adaptation_record import AdaptationRecord
from myqasr_fx.bundle.byte_category import in_order
from myqasr_fx.bundle.context_record import ContextRecord
from myqasr_fx.bundle.file_names import digest_of, file_inside, is_file
from myqasr_fx.bundle.layout import DEFAULT, LAYOUTS, Layout
from myqasr_fx.bundle.record_reader import build_record
from myqasr_fx.bundle.records import (
    BlockRecord,
    CalibrationRecord,
    DamageRecord,
    FileRecord,
    LayerRecord,
    VerificationRecord,
    check_least,
)
from myqasr_fx.bundle.session_options import check_session_options
from myqasr_fx.bundle.untrusted_json import read_json, short
from myqasr_fx.bundle.verdict_record import AcceptanceRecord
from myqasr_fx.errors import BundleError

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST",
    "BlockRecord",
    "BundleManifest",
    "CalibrationRecord",
    "DamageRecord",
    "FileRecord",
    "LayerRecord",
    "QuantizedBundle",
    "VerificationRecord",
]

MANIFEST = "myqasr.json"
FORMAT_VERSION = 1

FAMILIES = ("whisper", "ctc")

MAX_LAYERS = 10_000
"""Ten times those of Whisper large; pages and tables take time with each."""


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """All of ``myqasr.json``.

    Args:
        format_version: Changes when a reader has to.
        model: Name of the model.
        fingerprint: SHA-256 of its weights and configuration.
        family: whisper or ctc.
        config: Every option, resolved.
        budget_bytes: What was allowed; None without a budget.
        model_bytes: Sum of the model files, read off the disk.
        num_weights: Weights in layers.
        file_bits_per_weight: Bits of all model files a weight.
        files: The model files.
        session_options: Entries that the runtime sets.
        layers: In network order.
        calibration: Recordings.
        verification: Against the fake-quantized graphs.
        versions: Of the tools.
        acceptance: The verdict on unlabelled speech; None when nothing was judged.
        damage: What the allocation expected; None where it expects nothing.
        batch: Which clips the files take together: those of equal lengths, and why; absent where any.
        context: How little silence behind a clip the encoder may hear; absent where it was not asked.
        adaptation: What the model learned from the recordings before; absent where it was not asked to.
    """

    format_version: int
    model: str
    fingerprint: str
    family: str
    config: Mapping[str, Any]
    budget_bytes: int | None
    model_bytes: int
    num_weights: int
    file_bits_per_weight: float
    files: tuple[FileRecord, ...]
    session_options: Mapping[str, str]
    layers: tuple[LayerRecord, ...]
    calibration: CalibrationRecord
    verification: VerificationRecord
    versions: Mapping[str, str]
    acceptance: AcceptanceRecord | None = None
    damage: DamageRecord | None = None
    batch: str | None = None
    context: ContextRecord | None = None
    adaptation: AdaptationRecord | None = None

    def __post_init__(self) -> None:
        check_least(self, ("model_bytes", "num_weights", "budget_bytes"), 1)
        check_least(self, ("file_bits_per_weight",))
        if self.family not in FAMILIES:
            raise ValueError(f"family: {self.family[:40]!r}, expected {' or '.join(FAMILIES)}")
        if len(self.layers) > MAX_LAYERS:
            raise ValueError(f"layers: {len(self.layers)}, expected at most {MAX_LAYERS}")
        check_session_options(self.session_options)

    @property
    def file_budget(self) -> int | None:
        """Bytes that the model files were allowed; None without a budget, or with one that counts weights alone."""
        size = self.config.get("budget")
        kind = size.get("kind", "file") if isinstance(size, Mapping) else "file"
        return self.budget_bytes if kind == "file" else None

    @property
    def categories(self) -> Mapping[str, int]:
        """What the bytes of all model files are spent on."""
        total: Counter[str] = Counter()
        for file in self.files:
            total.update(file.categories)
        return in_order(total)

    def content(self) -> dict[str, Any]:
        """What ``myqasr.json`` holds."""
        content = dataclasses.asdict(self)
        for name in ("batch", "context", "adaptation"):  # older releases open what has no field that they do not know
            if content[name] is None:
                del content[name]
        return content

    def write(self, folder: Path) -> None:
        """Writes ``myqasr.json``, the same bytes for the same content.

        Raises:
            BundleError: A number is NaN or infinite, which no reader would take.
        """
        try:
            text = json.dumps(self.content(), indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        except ValueError as error:
            raise BundleError(f"{MANIFEST}: a number is not finite: {error}") from error
        # a file name that is no UTF-8 has lone surrogates, which no reader of JSON takes
        (folder / MANIFEST).write_bytes(f"{text}\n".encode("utf-8", "replace"))

    @classmethod
    def read(cls, folder: Path) -> BundleManifest:
        """Reads ``myqasr.json``.

        Raises:
            BundleError: It is missing, damaged or of another version.
        """
        path = folder / MANIFEST
        if not is_file(path):
            why = f"{MANIFEST} cannot be read" if os.path.exists(folder) else "there is no such folder"
            raise BundleError(f"{folder} is no bundle: {why}", hint="give the folder that myqasr quantize wrote")
        data = read_json(file_inside(folder, MANIFEST))
        version = data.get("format_version") if isinstance(data, dict) else None
        if version != FORMAT_VERSION or isinstance(version, bool):
            raise BundleError(
                f"{path}: format version {version and short(version)}, expected {FORMAT_VERSION}",
                hint="use the myqasr_fx version that wrote it, or quantize again",
            )
        try:
            return build_record(cls, data)
        except ValueError as error:
            raise BundleError(f"{path}: damaged: {error}", hint="quantize again") from error


@dataclass(frozen=True, slots=True, repr=False)
class QuantizedBundle:
    """A bundle on disk.

    Args:
        path: Its folder.
        manifest: Its ``myqasr.json``.
    """

    path: Path
    manifest: BundleManifest

    def __repr__(self) -> str:
        acceptance = self.manifest.acceptance
        verdict = "not judged" if acceptance is None else acceptance.verdict
        return f"QuantizedBundle({str(self.path)!r}: {self.manifest.model_bytes:,} bytes, {verdict})"

    @property
    def layout(self) -> Layout:
        """Where its model files are.

        Raises:
            BundleError: The layout is one of another version.
        """
        name = self.manifest.config.get("layout", DEFAULT)
        if not isinstance(name, str) or name not in LAYOUTS:
            hint = "use the myqasr_fx version that wrote it"
            raise BundleError(f"{self.path}: unknown layout {short(name)}", hint=hint)
        return LAYOUTS[name]

    @property
    def digest(self) -> str:
        """SHA-256 of its ``myqasr.json``."""
        return hashlib.sha256(self.file(MANIFEST).read_bytes()).hexdigest()

    def file(self, name: str) -> Path:
        """The file ``name`` of the folder, which no link leads out of.

        Raises:
            BundleError: The name or a link leads elsewhere.
        """
        return file_inside(self.path, name)

    def check_bytes(self) -> None:
        """Checks that model files hold what was verified; reads all of them.

        Raises:
            BundleError: One was changed since.
        """
        for file in self.manifest.files:
            if file.sha256 is not None and digest_of(path := self.file(file.name)) != file.sha256:
                raise BundleError(
                    f"{path}: changed since it was verified", hint="copy the bundle again, or quantize again"
                )

    @classmethod
    def open(cls, path: str | Path) -> QuantizedBundle:
        """The bundle in a folder.

        Raises:
            BundleError: The folder holds none, or a model file is missing or of another size.
        """
        folder = Path(path)
        manifest = BundleManifest.read(folder)
        for file in manifest.files:
            path = file_inside(folder, file.name)
            found = f"{path.stat().st_size} bytes" if is_file(path) else "missing"
            if found != f"{file.bytes} bytes":
                raise BundleError(f"{path}: {found}, expected {file.bytes} bytes", hint="quantize again")
        return cls(folder, manifest)
