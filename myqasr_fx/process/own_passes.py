"""The package ``passes`` is ours, not a folder of the user that Python finds first."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def check_passes() -> None:
    """Looks where ``import passes`` leads, without importing it.

    Raises:
        ImportError: To another place than that beside this package.
    """
    ours = Path(__file__).resolve().parents[2] / "passes"
    loaded = sys.modules.get("passes")
    spec = find_spec("passes") if loaded is None else loaded.__spec__
    places = list(spec.submodule_search_locations or ()) if spec else []
    if ours in (Path(place).resolve() for place in places):
        return
    found = places[0] if places else spec.origin if spec else None
    if found is None:
        raise ImportError("myqasr_fx needs its package `passes`, which is not installed: install myqasr-fx again")
    raise ImportError(
        f"{found} hides the package `passes` that myqasr_fx brings: rename it, or start Python in another folder, "
        "with -P or without that folder in PYTHONPATH"
    )
