"""Options that earlier versions had: their bundles still open, and what no longer exists is not taken from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REARRANGING = ("equalize", "equalize_pairs", "sort_rows")
"""Options after which layers computed other values than the model's, though the model computed the same."""


def rearranged(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Those among the options of a bundle that were on."""
    return tuple(name for name in REARRANGING if options.get(name))


_BOUNDS = {"min_agreement": 0.96, "max_kl": 0.05, "max_deletions": 0.02, "max_insertions": 0.02}
"""What the figures alone had to hold by default; today's bounds are for whole intervals."""


def current(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a bundle as this version spells them.

    Earlier ones had affine codes only, another default recipe, and default bounds that were for the figures alone.
    """
    found: dict[str, Any] = {"format": "affine", **options}
    if found.get("recipe") == "default":
        found["recipe"] = "paper-file"
    bounds = found.get("acceptance")
    if isinstance(bounds, Mapping) and all(bounds.get(name) == value for name, value in _BOUNDS.items()):
        found["acceptance"] = {name: value for name, value in bounds.items() if name not in _BOUNDS}
    return found
