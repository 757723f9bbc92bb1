r"""Which kernel multiplies a layer's frames faster, at every length that a recording may have.

    python benchmarks/kernel_choice.py --grouped BUNDLE_FOR_SIZE --integer BUNDLE_FOR_SPEED --name whisper-tiny.en

Both encoders read noise of each length in turns, and onnxruntime's profile tells the time of each product of frames and
weights: ``MatMulNBits`` over grouped scales, or 8-bit integers with the rounding of their inputs. A row is a shape at
a length: the medians over rounds of the slowest and the fastest layer of that shape. Writes
``OUT/kernel_choice_NAME.csv``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from rows_file import write_rows

FRAMES_A_SECOND = 50
"""Of an encoder; its input has twice as many."""
ROUNDING = "DynamicQuantizeLinear"
GROUPED, INTEGER = ("MatMulNBits",), ("DynamicQuantizeMatMul", "MatMulIntegerToFloat")

Shape = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """One shape of layers at one length.

    Args:
        seconds: Of sound.
        inputs, outputs: Channels.
        layers: Of this shape.
        grouped_fastest, grouped_slowest: Microseconds of ``MatMulNBits``, of the layer that takes least and most.
        integer_fastest, integer_slowest: The same of integer kernels.
    """

    seconds: float
    inputs: int
    outputs: int
    layers: int
    grouped_fastest: float
    grouped_slowest: float
    integer_fastest: float
    integer_slowest: float


def main() -> None:
    options = _options()
    rows = [row for seconds in options.seconds for row in _rows(options, seconds)]
    options.out.mkdir(parents=True, exist_ok=True)
    write_rows(Row, options.out / f"kernel_choice_{options.name}.csv", rows)
    print(*table(rows), sep="\n")


def table(rows: Sequence[Row]) -> list[str]:
    """Lines of a Markdown table; ``at most`` is the slowest integer layer beside the fastest grouped one."""
    names = "seconds", "channels", "layers", "grouped, ms", "integer beside it", "at most"
    lines = [f"| {' | '.join(names)} |", f"{'| --- ' * len(names)}|"]
    for row in rows:
        grouped, integer = row.grouped_fastest + row.grouped_slowest, row.integer_fastest + row.integer_slowest
        most = row.integer_slowest / row.grouped_fastest
        shape, middle = f"{row.inputs} to {row.outputs}", grouped / 2_000
        lines.append(
            f"| {row.seconds:g} | {shape} | {row.layers} | {middle:.2f} | {integer / grouped:.2f} | {most:.2f} |"
        )
    return lines


def products(events: Sequence[Mapping[str, Any]], kinds: Sequence[str]) -> Iterator[tuple[str, Shape, float]]:
    """Name, shape and microseconds of every product of frames and weights in a profile.

    Args:
        events: Of onnxruntime's profile, in the order in which nodes ran.
        kinds: Operators that count. One ``DynamicQuantizeLinear`` rounds for all products up to the next, which share
            its time.
    """
    waiting: list[tuple[str, Shape, float]] = []
    rounding = 0.0
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        kind = event["args"]["op_name"]
        if kind == ROUNDING:
            yield from _shared(waiting, rounding)
            waiting, rounding = [], float(event["dur"])
        elif kind in kinds:
            one = event["name"], _shape(event), float(event["dur"])
            if kind == "MatMulIntegerToFloat":
                waiting.append(one)
            else:
                yield one
    yield from _shared(waiting, rounding)


def _shared(waiting: Sequence[tuple[str, Shape, float]], rounding: float) -> Iterator[tuple[str, Shape, float]]:
    for name, shape, taken in waiting:
        yield name, shape, taken + rounding / len(waiting)


def _shape(event: Mapping[str, Any]) -> Shape:
    first, *_ = event["args"]["input_type_shape"]
    (inputs,), ((outputs,),) = first.values(), [made.values() for made in event["args"]["output_type_shape"]]
    return inputs[-1], outputs[-1]


def _rows(options: argparse.Namespace, seconds: float) -> Iterator[Row]:
    grouped, integer = _Profiled(options.grouped, GROUPED, options), _Profiled(options.integer, INTEGER, options)
    for _ in range(options.rounds + 1):
        for one in (grouped, integer):
            one.hear(seconds)
    slow, fast = grouped.taken(), integer.taken()
    for shape in sorted(fast.keys() & slow.keys()):
        ours, theirs = slow[shape], fast[shape]
        yield Row(seconds, *shape, len(theirs), min(ours), max(ours), min(theirs), max(theirs))


class _Profiled:
    """An encoder whose products are timed.

    Args:
        bundle: Folder with ``encoder_model.onnx``.
        kinds: Operators that count.
        options: Of the command.
    """

    def __init__(self, bundle: Path, kinds: Sequence[str], options: argparse.Namespace) -> None:
        self._kinds = kinds
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        settings.add_session_config_entry("session.force_spinning_stop", "1")
        settings.enable_profiling = True
        self._folder = tempfile.TemporaryDirectory()
        settings.profile_file_prefix = f"{self._folder.name}/profile"
        self._session = onnxruntime.InferenceSession(bundle / "encoder_model.onnx", settings)
        self._mels = json.loads((bundle / "config.json").read_text(encoding="utf-8"))["num_mel_bins"]

    def hear(self, seconds: float) -> None:
        """Runs once."""
        frames = 2 * round(seconds * FRAMES_A_SECOND)
        sound = np.random.default_rng(0).standard_normal((1, self._mels, frames), np.float32)
        self._session.run(None, {"input_features": sound})

    def taken(self) -> dict[Shape, list[float]]:
        """Shape to the median microseconds of each layer, without the first run."""
        with Path(self._session.end_profiling()).open(encoding="utf-8") as file:
            runs: dict[tuple[str, Shape], list[float]] = {}
            for name, shape, taken in products(json.load(file), self._kinds):
                runs.setdefault((name, shape), []).append(taken)
        found: dict[Shape, list[float]] = {}
        for (_, shape), each in runs.items():
            found.setdefault(shape, []).append(statistics.median(each[1:]))
        return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grouped", type=Path, required=True, help="bundle of --optimize size")
    parser.add_argument("--integer", type=Path, required=True, help="bundle of --optimize speed")
    parser.add_argument("--seconds", type=float, nargs="+", default=[1, 2, 5, 10, 20, 30])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--name", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
