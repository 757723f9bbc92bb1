"""The pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from olive.hardware.accelerator import AcceleratorSpec
from olive.model import CompositeModelHandler, HfModelHandler, ONNXModelHandler
from olive.passes import Pass
from olive.passes.pass_config import BasePassConfig, PassConfigParam


class MyqasrQuantization(Pass):
    """Quantizes a speech recognition model of Hugging Face to a bundle of so many bytes, tuned to recordings."""

    @classmethod
    def _default_config(cls, accelerator_spec: AcceleratorSpec) -> dict[str, PassConfigParam]:
        return {
            "audio": PassConfigParam(
                type_=list[str], required=True, description="Recordings to calibrate on, files or folders; no texts."
            ),
            "budget": PassConfigParam(
                type_=str, description="Bytes of the model files together, such as 24MB; or a size among the options."
            ),
            "options": PassConfigParam(
                type_=dict, default_value={}, description="Other options of myqasr_fx.quantize, by name."
            ),
        }

    def _run_for_config(
        self, model: HfModelHandler, config: BasePassConfig, output_model_path: str
    ) -> CompositeModelHandler:
        import myqasr_fx

        if not isinstance(model, HfModelHandler):
            raise ValueError(f"MyqasrQuantization takes a model of type HfModel, got {type(model).__name__}")
        given: dict[str, Any] = {"budget": config.budget, **config.options}
        bundle = myqasr_fx.quantize(model.model_path, config.audio, out=output_model_path, force=True, **given)
        files = [Path(file.name) for file in bundle.manifest.files if file.name.endswith(".onnx")]
        parts = [ONNXModelHandler(bundle.path / file.parent, onnx_file_name=file.name) for file in files]
        # what lies beside the graphs belongs to the bundle: Olive is to copy the folder as it is
        attributes = {"no_flatten": True}
        return CompositeModelHandler(parts, [file.stem for file in files], bundle.path, attributes)
