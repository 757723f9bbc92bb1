"""What the demonstration compares with: full precision, onnxruntime's own quantizer, and one width for all layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from myqasr_fx.audio import select_clips
from myqasr_fx.fit.fit import fit
from myqasr_fx.fit.request import fit_request
from myqasr_fx.integrations.ort_int8 import fold_constants, quantize_int8
from myqasr_fx.measure.measure import measure
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.pipeline import Road, measuring, price
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Progress
from myqasr_fx.runtime import Runtime
from myqasr_fx.runtime.ort_runner import OrtRunner
from myqasr_fx.runtime.torch_runner import runtime_of

BITS = 3
"""The one width for all layers, by the rounding to nearest of the paper's own recipe."""

FULL, INT8, ONE_WIDTH = "full_precision", "onnxruntime_int8", "one_width"
"""Names of the rivals, as in the answer of ``myqasr demo --json``."""


@dataclass(frozen=True, slots=True)
class Rivals:
    """Model files of one model, made in other ways.

    Args:
        prepared: The model.
        files: Name of a rival to its files by graph.
    """

    prepared: Prepared
    files: Mapping[str, Mapping[str, Path]]

    def bytes(self, name: str) -> int:
        """Of all files of a rival."""
        return sum(path.stat().st_size for path in self.files[name].values())

    def load(self, name: str) -> Runtime:
        """A rival on onnxruntime."""
        runners = {graph: OrtRunner(path) for graph, path in self.files[name].items()}
        return runtime_of(self.prepared.speech, runners, self.bytes(name))


def make_rivals(prepared: Prepared, recordings: tuple[Path, ...], work: Path, progress: Progress) -> Rivals:
    """Writes the files of all rivals.

    Args:
        prepared: The model.
        recordings: That it is quantized for: the compiler ranks layers even where all get one width.
        work: Folder for them; what was measured stays in its folder ``cache``.
        progress: Told about every stage.
    """
    asked = {ONE_WIDTH: BITS, FULL: 32}
    configs = {
        name: resolve_config(uniform_bits=bits, recipe="paper-file", cache=work / "cache")
        for name, bits in asked.items()
    }
    job = measuring(
        prepared, select_clips(recordings, configs[FULL].max_clips), Road(configs[FULL], progress, Limits())
    )
    measured = measure(job)
    files: dict[str, Mapping[str, Path]] = {}
    with progress.stage("write what to compare with", len(configs) + 1) as advance:
        for name, config in configs.items():
            files[name] = fit(price(job, fit_request(prepared, config), measured), work / name).models
            advance(1)
        files[INT8] = {graph: _int8(path, work / INT8) for graph, path in files[FULL].items()}
        advance(1)
    return Rivals(prepared, files)


def _int8(source: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    folded, out = folder / f"folded-{source.name}", folder / source.name
    fold_constants(source, folded)
    quantize_int8(folded, out)
    folded.unlink()
    return out
