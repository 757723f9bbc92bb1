"""Where a client looks for the model files of a bundle, and what it reads in ``config.json``. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

DEFAULT = "hf"


@dataclass(frozen=True, slots=True)
class Layout:
    """One arrangement of a bundle's folder.

    Args:
        name: Value of ``--layout``.
        pattern: Path of a graph's file inside the folder; ``{graph}`` stands for the graph's name.
        dtype: Name under which transformers.js knows such files; None for a folder that it is not meant to read.
        fixed_cache: Whisper as sherpa-onnx runs it: the encoder gives the cross-attention's keys and values, and the
            decoder's cache has a fixed length.
        adapts: Files take what onnx-asr feeds: raw waveforms and their lengths, and empty caches without a batch.
    """

    name: str
    pattern: str
    dtype: str | None = None
    fixed_cache: bool = False
    adapts: bool = False

    def file(self, graph: str) -> str:
        """Path of the graph's file inside the folder, with forward slashes."""
        return self.pattern.format(graph=graph)

    def paths(self, folder: Path, graphs: Iterable[str]) -> dict[str, Path]:
        """Graph name to the path of its file in ``folder``."""
        return {graph: folder / self.file(graph) for graph in graphs}

    def client_settings(self, files: Iterable[str]) -> dict[str, Any]:
        """Keys to add to ``config.json``, so that the client needs no option.

        Args:
            files: Names of all model files, those of external data included.
        """
        if self.dtype is None:
            return {}
        settings: dict[str, Any] = {"dtype": self.dtype}
        beside = {Path(file).name.removesuffix("_data"): 1 for file in sorted(files) if file.endswith(".onnx_data")}
        if beside:
            settings["use_external_data_format"] = beside
        return {"transformers.js_config": settings}


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        layout.name: layout
        for layout in (
            Layout(DEFAULT, "{graph}.onnx"),
            Layout("onnx-asr", "{graph}.onnx", adapts=True),
            Layout("sherpa-onnx", "{graph}.onnx", fixed_cache=True),
            Layout("transformers.js", "onnx/{graph}_quantized.onnx", dtype="q8"),
        )
    }
)
"""Name to layout."""
