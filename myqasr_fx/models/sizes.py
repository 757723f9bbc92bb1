"""Sizes in a configuration against the shapes of a model's tensors, before anything is built from them.

The same checks serve Hugging Face folders, whose ``config.json`` says sizes, and CTranslate2 files, whose sizes are
read off some of their tensors; the tensors go by the names of the Hugging Face network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from myqasr_fx.models.json_file import is_count
from myqasr_fx.models.refusal import wrong

Shapes = Mapping[str, tuple[int, ...]]
"""Name of a tensor in the network to its shape."""


@dataclass(frozen=True, slots=True)
class Size:
    """A size that a tensor shows.

    Args:
        field: Name in the configuration.
        value: Value in the configuration.
        tensor: Name of the tensor.
        axis: Of the tensor's shape.
    """

    field: str
    value: object
    tensor: str
    axis: int


def check_shown(path: Path, sizes: Iterable[Size], shapes: Shapes) -> None:
    """Checks sizes that a tensor shows; a tensor that is missing shows none.

    Args:
        path: The file that says the sizes.
        sizes: The sizes.
        shapes: Of the tensors there.

    Raises:
        ModelError: A size is not positive or another than the tensor's, or the tensor has no such axis.
    """
    for size in sizes:
        if size.tensor not in shapes:
            continue
        shape = shapes[size.tensor]
        if size.axis >= len(shape):
            raise wrong(path, f"the shape of {size.tensor}", list(shape), f"at least {size.axis + 1} dimensions")
        check_equal(path, size.field, size.value, shape[size.axis], size.tensor)


def check_equal(path: Path, field: str, value: object, found: int, tensor: str) -> None:
    """Checks that a size is positive and that of the tensors.

    Raises:
        ModelError: It is not.
    """
    if not is_count(value, 1) or value != found:
        raise wrong(path, field, value, f"{found} as in {tensor}" if found else f"tensors {tensor}, which are missing")


def check_range(path: Path, config: Any, field: str, least: int, most: int) -> None:
    """Checks a whole number that no tensor shows.

    Raises:
        ModelError: It is out of range.
    """
    if not is_count(getattr(config, field), least, most):
        raise wrong(path, field, getattr(config, field), f"a whole number from {least} to {most}")


def check_divides(path: Path, config: Any, field: str, width: int) -> None:
    """Checks the number of parts that a width is cut into, as heads or groups.

    Raises:
        ModelError: It is not positive or does not divide the width.
    """
    value = getattr(config, field)
    if not is_count(value, 1) or width % value:
        raise wrong(path, field, value, f"a whole number that divides the width {width}")


def count_layers(shapes: Shapes, root: str) -> int:
    """How many numbered parts there are below ``root``, which ends in a dot."""
    number = re.compile(re.escape(root) + r"(\d{1,6})\.")
    return len({match[1] for match in map(number.match, shapes) if match})
