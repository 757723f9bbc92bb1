"""Parameters that a model learned from its user's recordings, and the file of a bundle that holds them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from myqasr_fx.bundle.adaptation_record import LEARNED, AdaptationRecord
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.file_names import is_file
from myqasr_fx.errors import BundleError

_AGAIN = "copy the bundle again, or quantize again"


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """What was learned, and whether it is used.

    Args:
        record: What decided that.
        tensors: Attribute path to values, float32; empty where the model stays as it came.
    """

    record: AdaptationRecord
    tensors: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the tensors; empty where there are none."""
        return digest_of(self.tensors)


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names and values; empty where there are none."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest() if tensors else ""


def write_learned(learned: Learned | None, folder: Path) -> None:
    """Writes the tensors, if there are any, into a bundle's folder.

    Raises:
        OSError: The file cannot be written.
    """
    if learned is not None and learned.tensors:
        (folder / LEARNED).write_bytes(save({name: t.contiguous() for name, t in learned.tensors.items()}))


def read_learned(bundle: QuantizedBundle) -> Learned | None:
    """What the model of a bundle had learned; None where it had not been asked to.

    Raises:
        BundleError: The file is missing, damaged or another's.
    """
    record = bundle.manifest.adaptation
    if record is None or not record.adopted:
        return None if record is None else Learned(record)
    path = bundle.file(LEARNED)
    if not is_file(path):
        raise BundleError(f"{path}: missing", hint=_AGAIN)
    try:
        found = Learned(record, load(path.read_bytes()))
    except (SafetensorError, ValueError) as error:
        raise BundleError(f"{path}: damaged: {error}", hint=_AGAIN) from error
    if found.digest != record.sha256:
        raise BundleError(f"{path}: not what the model of this bundle learned", hint=_AGAIN)
    return found
