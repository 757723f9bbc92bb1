"""Tensors that a network expects against those that a checkpoint holds: names, shapes and number types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PretrainedConfig, PreTrainedModel

from myqasr_fx.errors import ModelError
from myqasr_fx.models.refusal import place, reason, shown
from myqasr_fx.models.sizes import Shapes

_OLD_NAMES = (
    (re.compile(r"\.weight_g$"), ".parametrizations.weight.original0"),
    (re.compile(r"\.weight_v$"), ".parametrizations.weight.original1"),
    (re.compile(r"(norm\w*)\.gamma$"), r"\1.weight"),
    (re.compile(r"(norm\w*)\.beta$"), r"\1.bias"),
)
"""How older versions of torch and transformers spelled a name."""

_TRAINING_ONLY = re.compile(r"masked_spec_embed$|num_batches_tracked$")
"""What only training reads; many checkpoints leave it out."""

_UNREAD = re.compile(r"masked_spec_embed$|num_batches_tracked$|position_ids$|inv_freq$|embed_positions\.pe$")
"""What may lie in a checkpoint beside the tensors of a network: it is made anew or read by training only."""

_HEADS = ("lm_head.", "proj_out.")


@dataclass(frozen=True, slots=True, eq=False)
class ExpectedTensors:
    """Tensors of a network that is not built yet.

    Args:
        kind: Name of the network's class.
        shapes: Name to shape.
        tied: Names of those that are the same as another one, which may be missing.
    """

    kind: str
    shapes: Shapes
    tied: frozenset[str]


def expected_tensors(path: Path, config: PretrainedConfig, network_class: type[PreTrainedModel]) -> ExpectedTensors:
    """What a network of a configuration expects, found without memory for its tensors.

    Args:
        path: The file of the configuration.
        config: With checked sizes.
        network_class: Of the network.

    Raises:
        ModelError: The configuration makes no network.
    """
    try:
        with torch.device("meta"):
            network = network_class(config)
    except Exception as error:  # torch and transformers raise whatever their layers do
        raise ModelError(f"{place(path)}: makes no {network_class.__name__}: {reason(error)}") from error
    state = network.state_dict(keep_vars=True)
    tied = frozenset(network.all_tied_weights_keys)
    return ExpectedTensors(network_class.__name__, {name: tuple(t.shape) for name, t in state.items()}, tied)


def network_name(name: str, prefix: str) -> str:
    """Name in a checkpoint to the name in the network: older spellings, and the body saved without its head.

    Args:
        name: In the checkpoint.
        prefix: Of the network's body, with a dot.
    """
    for pattern, new in _OLD_NAMES:
        name = pattern.sub(new, name)
    return name if name.startswith((prefix, *_HEADS)) else prefix + name


def is_unread(name: str) -> bool:
    """True for a tensor that may be left out or lie there for nothing."""
    return bool(_UNREAD.search(name))


def check_tensors(where: Path, expected: ExpectedTensors, found: Shapes) -> None:
    """Checks that a checkpoint holds the tensors of a network, in their shapes and no others.

    Args:
        where: Folder or file of the checkpoint.
        expected: By the network.
        found: Name in the network to shape.

    Raises:
        ModelError: A tensor is missing, has no place, or has another shape.
    """
    missing = sorted(n for n in expected.shapes.keys() - found.keys() - expected.tied if not _TRAINING_ONLY.search(n))
    if missing:
        raise ModelError(
            f"{place(where)}: {len(missing)} weights of {expected.kind} are missing, the first is {missing[0]!r}",
            hint="take a checkpoint that was trained for speech recognition",
        )
    homeless = min((name for name in found.keys() - expected.shapes.keys() if not is_unread(name)), default=None)
    if homeless is not None:
        raise ModelError(f"{place(where)}: tensor {shown(homeless)} has no place in a {expected.kind}")
    for name, shape in found.items():
        if name in expected.shapes and shape != expected.shapes[name]:
            raise ModelError(
                f"{place(where)}: tensor {shown(name)} has shape {shown(list(shape))}, "
                f"expected {shown(list(expected.shapes[name]))} by the configuration"
            )


def renamed(names: Mapping[str, object], prefix: str, where: Path) -> dict[str, str]:
    """Name in the network to name in the checkpoint.

    Raises:
        ModelError: Two names in the checkpoint mean one tensor.
    """
    out: dict[str, str] = {}
    for name in names:
        new = network_name(name, prefix)
        if new in out:
            raise ModelError(f"{place(where)}: tensors {shown(name)} and {shown(out[new])} are the same one")
        out[new] = name
    return out
