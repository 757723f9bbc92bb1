"""Whether a bundle can be used as it lies there."""

from __future__ import annotations

from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.contents import READ_WITH_A_MODEL
from myqasr_fx.bundle.file_names import is_file
from myqasr_fx.errors import BundleError


def check_whole(bundle: QuantizedBundle) -> None:
    """Checks that all is there that clients need, and that model files hold what was verified; reads all of them.

    Raises:
        BundleError: A file is missing or was changed.
    """
    tokens = ["tokens.txt"] if bundle.layout.fixed_cache else []
    for name in (*READ_WITH_A_MODEL[bundle.manifest.family], *tokens):
        if not is_file(path := bundle.file(name)):
            raise BundleError(f"{path}: missing, and clients need it", hint="copy the bundle again, or quantize again")
    bundle.check_bytes()
