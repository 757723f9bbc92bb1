"""How what is kept becomes bytes and comes back; what cannot be read as it should be is as if it were not there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from myqasr_fx.bundle.adaptation_record import AdaptationRecord
from myqasr_fx.measure.energies import Energies
from myqasr_fx.runtime import Transcript
from passes.allocation.choice import Damages
from passes.damage.curvature import Curvature, Curvatures
from passes.errors import QuantizationError
from passes.numbers.scheme import Granularity, WeightSpec
from passes.numbers.trellis import STATES, Levels
from passes.observe.activation_stats import ActivationStats, Statistics

T = TypeVar("T")
Heard = tuple[Statistics, tuple[Transcript, ...]]

_DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError, QuantizationError)


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """A kind of content.

    Args:
        kind: Its name.
        encode: To bytes.
        read: From bytes; may raise what damaged content raises.
        tells: What was said can be read from it.
    """

    kind: str
    encode: Callable[[T], bytes]
    read: Callable[[bytes], T]
    tells: bool = False

    def decode(self, payload: memoryview) -> T | None:
        """The content; None when it is damaged."""
        try:
            return self.read(bytes(payload))
        except _DAMAGED:
            return None


def _heard(payload: bytes) -> Heard:
    content = json.loads(payload)
    found = {(row["layer"], row["port"]): ActivationStats(**row["stats"]) for row in content["statistics"]}
    return found, _transcripts(content["transcripts"])


def _plain_heard(heard: Heard) -> bytes:
    rows = [{"layer": layer, "port": str(port), "stats": asdict(stats)} for (layer, port), stats in heard[0].items()]
    return json.dumps({"statistics": rows, "transcripts": _rows(heard[1])}).encode()


def _transcripts(rows: Sequence[Mapping[str, Any]]) -> tuple[Transcript, ...]:
    return tuple(Transcript(**{**row, "tokens": tuple(row["tokens"])}) for row in rows)


def _plain_transcripts(transcripts: Sequence[Transcript]) -> bytes:
    return json.dumps(_rows(transcripts)).encode()


def _rows(transcripts: Sequence[Transcript]) -> list[dict[str, Any]]:
    """Of clips, which are not cut into segments."""
    return [{key: value for key, value in asdict(said).items() if key != "segments"} for said in transcripts]


def _curvatures(payload: bytes) -> Curvatures:
    fields: dict[str, dict[str, Tensor]] = {}
    for key, tensor in load(payload).items():
        name, _, field = key.rpartition("|")
        fields.setdefault(name, {})[field] = tensor
    return {name: Curvature(**found) for name, found in fields.items()}


def _plain_curvatures(curvatures: Curvatures) -> bytes:
    return save(
        {
            f"{name}|{field}": tensor.contiguous()
            for name, curvature in curvatures.items()
            for field in ("gram", "rows", "lookups")
            if (tensor := getattr(curvature, field)) is not None
        }
    )


def _energies(payload: bytes) -> Energies:
    found = {}
    for key, energy in load(payload).items():
        at, _, value = key.partition("|")
        found[int(at), value] = energy
    return found


def _plain_energies(energies: Energies) -> bytes:
    return save({f"{at}|{value}": energy.contiguous() for (at, value), energy in energies.items()})


def _logits(payload: bytes) -> Tensor:
    found = load(payload)["logits"]
    if found.dtype != torch.float32 or found.dim() != 2:
        raise ValueError(f"logits of type {found.dtype} and shape {tuple(found.shape)}")
    return found


def _damages(payload: bytes) -> Damages:
    found = {}
    for item, spec, nats in json.loads(payload):
        granularity = Granularity(**spec["granularity"])
        found[item, WeightSpec(**{**spec, "granularity": granularity})] = float(nats)
    return found


def _plain_damages(damages: Damages) -> bytes:
    return json.dumps([(item, asdict(spec), nats) for (item, spec), nats in damages.items()]).encode()


def _levels(payload: bytes) -> Levels:
    found = np.frombuffer(payload, np.uint8)
    if found.shape != (STATES,):
        raise ValueError(f"{len(found)} levels")
    return found


STATISTICS: Codec[Heard] = Codec("statistics", _plain_heard, _heard, tells=True)
"""Of the observers, with the transcripts of the clips."""

TRANSCRIPTS: Codec[tuple[Transcript, ...]] = Codec(
    "transcripts", _plain_transcripts, lambda payload: _transcripts(json.loads(payload)), tells=True
)

GRAMS: Codec[Mapping[str, Tensor]] = Codec("grams", lambda grams: save({n: g.clone() for n, g in grams.items()}), load)

CURVATURES: Codec[Curvatures] = Codec("curvature", _plain_curvatures, _curvatures)

ENERGIES: Codec[Energies] = Codec("energies", _plain_energies, _energies)
"""Of frames, by clip and value."""

LOGITS: Codec[Tensor] = Codec("logits", lambda logits: save({"logits": logits.contiguous()}), _logits, tells=True)
"""Of one clip; the best ones are its text."""

DAMAGES: Codec[Damages] = Codec("damages", _plain_damages, _damages)
"""To expect of every choice of an allocation."""

PARAMETERS: Codec[Mapping[str, Tensor]] = Codec(
    "parameters", lambda tensors: save({name: tensor.contiguous() for name, tensor in tensors.items()}), load
)
"""That a model learned."""

ADAPTATION: Codec[AdaptationRecord] = Codec(
    "adaptation",
    lambda record: json.dumps(asdict(record)).encode(),
    lambda payload: AdaptationRecord(**json.loads(payload)),
)
"""Whether that helps."""

LEVELS: Codec[Levels] = Codec("levels", lambda levels: levels.tobytes(), _levels)
"""Of a table of trellis codes."""
