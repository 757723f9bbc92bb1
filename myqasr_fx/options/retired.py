"""Options that earlier versions had: their bundles still open, and what no longer exists is not taken from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REARRANGING = ("equalize", "equalize_pairs", "sort_rows")
"""Options after which layers computed other values than the model's, though the model computed the same."""


def rearranged(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Those among the options of a bundle that were on."""
    return tuple(name for name in REARRANGING if options.get(name))


def current(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a bundle as this version spells them: earlier ones had affine codes only, and another default."""
    recipe = options.get("recipe")
    return {"format": "affine", **options, **({"recipe": "paper-file"} if recipe == "default" else {})}
