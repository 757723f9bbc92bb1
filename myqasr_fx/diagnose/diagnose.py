"""Runs the full-precision model, its fake-quantized weights and the bundle on the same clips, side by side.

All three are teacher-forced with what the full-precision model writes. The bundle holds no full-precision weights, so
the model is loaded again; the quantized weights are read from the files. Agreement and divergence of the bundle come
from where those of the verdict come from: on the same clips they are the same figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from myqasr_fx.acceptance.again import compared_again
from myqasr_fx.acceptance.assess import Contenders
from myqasr_fx.acceptance.measures import measures
from myqasr_fx.audio import Clip, clip_name
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.bundle.comparison import ClipComparison
from myqasr_fx.bundle.external_data import model_files
from myqasr_fx.bundle.measure_record import AGREEMENT, KL
from myqasr_fx.bundle.temporary_folder import temporary_folder
from myqasr_fx.diagnose.advice import advise
from myqasr_fx.diagnose.drift import Drift
from myqasr_fx.diagnose.onnx_side import ShowingRunner, show_products
from myqasr_fx.diagnose.record import Diagnosis, LayerDiagnosis
from myqasr_fx.diagnose.recordings import Chosen
from myqasr_fx.diagnose.token import Position, explain, first_difference
from myqasr_fx.diagnose.torch_side import TorchSide, quantized_weights
from myqasr_fx.errors import ModelError, OptionError
from myqasr_fx.evaluate.divergence import divergence_of
from myqasr_fx.export.read_weights import read_floats, read_weights
from myqasr_fx.measure.forced_run import ForcedClip, ForcedRun, forced_clip
from myqasr_fx.models.learned import read_learned
from myqasr_fx.models.names import how_to_give
from myqasr_fx.models.prepared import Prepared, prepare, with_learned
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.retired import rearranged
from myqasr_fx.options.thresholds import Thresholds
from myqasr_fx.process.progress import Progress
from myqasr_fx.runtime import OrtSettings, Transcript
from myqasr_fx.runtime.bundle import no_speech_of
from myqasr_fx.runtime.ort_runner import OrtRunner
from myqasr_fx.runtime.torch_runner import runtime_of
from passes.manager.run_passes import run_passes
from passes.rounding.round_floats import RoundFloats


@dataclass(frozen=True, slots=True, eq=False)
class _Clips:
    """What is compared on: clips, what the full-precision model writes for them, and what the verdict makes of them."""

    chosen: Chosen
    said: tuple[Transcript, ...]
    forced: tuple[ForcedClip, ...]
    compared: tuple[ClipComparison, ...]

    @property
    def clips(self) -> tuple[Clip, ...]:
        return self.chosen.clips


def diagnose(
    bundle: QuantizedBundle, speech: SpeechModel, chosen: Chosen, language: str | None, progress: Progress
) -> Diagnosis:
    """Compares a bundle with its model, layer by layer and token by token.

    Args:
        bundle: The bundle.
        speech: The model that it was made from.
        chosen: Clips to compare on.
        language: Code for a multilingual model; None detects it.
        progress: Told about every clip and layer.

    Raises:
        ModelError: The model is not the bundle's.
        OptionError: The bundle's layout cannot be diagnosed, or its layers compute other values than the model's.
    """
    manifest = bundle.manifest
    if speech.fingerprint != manifest.fingerprint:
        raise ModelError(f"{speech.name} is not the model of {bundle.path}", hint=how_to_give(manifest.model))
    if bundle.layout.fixed_cache:
        raise OptionError(f"layout {manifest.config['layout']} has no diagnosis", hint="quantize with --layout hf")
    for option in rearranged(manifest.config):
        name = option.replace("_", "-")
        raise OptionError(f"a bundle of --{name} has no diagnosis: its layers are not those of the model")
    with progress.stage("capture graphs"):
        silence = manifest.context.silence if manifest.context else None
        prepared = with_learned(prepare(speech, silence=silence), read_learned(bundle))
    paths = model_files(bundle, prepared.program.graphs)
    weights = quantized_weights(prepared, manifest.layers, read_weights(paths.values(), manifest.layers))
    floats = _floats(prepared, paths.values())
    settings = OrtSettings(entries=manifest.session_options)
    runners = {name: OrtRunner(path, settings) for name, path in paths.items()}
    contenders = Contenders(speech, prepared.program, runners, no_speech_of(bundle), prepared.silence)
    with progress.stage("transcribe", len(chosen.clips)) as advance:
        pairs = []
        for pair in compared_again(contenders, chosen.clips, language):
            pairs.append(pair)
            advance(1)
    said, compared = zip(*pairs, strict=True)
    forced = tuple(forced_clip(speech, c.samples, t) for c, t in zip(chosen.clips, said, strict=True))
    return _Comparison(bundle, prepared, weights, floats).run(_Clips(chosen, said, forced, compared), progress)


def _floats(prepared: Prepared, files: Iterable[Path]) -> dict[str, Tensor]:
    """Biases, norms and tables as the files hold them: biases may make up for what the weights lack."""
    shapes = {
        name: tensor.shape
        for graph in prepared.program.graphs.values()
        for name, tensor in (*graph.named_parameters(remove_duplicate=False), *graph.named_buffers())
    }
    found = read_floats(files, shapes)
    return {name: torch.from_numpy(values) for name, values in found.items() if values.shape == shapes[name]}


def _thresholds(config: Mapping[str, Any]) -> Thresholds:
    """The bounds of the verdict, as far as this version knows them."""
    kept, names = config.get("acceptance"), {field.name for field in fields(Thresholds)}
    known = kept.items() if isinstance(kept, Mapping) else ()
    return Thresholds(**{name: value for name, value in known if name in names})


@dataclass(frozen=True, slots=True, eq=False)
class _Comparison:
    bundle: QuantizedBundle
    prepared: Prepared
    weights: Mapping[str, Tensor]
    floats: Mapping[str, Tensor]

    def run(self, heard: _Clips, progress: Progress) -> Diagnosis:
        full = TorchSide(ForcedRun(self.prepared), {})
        fake = TorchSide(ForcedRun(self._rounded()), self.weights, self.floats)
        rounding, runtime = Drift(), Drift()
        logits: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        with temporary_folder() as folder, progress.stage("compare layers", len(heard.clips)) as advance:
            bundle = _OnnxSide(self, folder)
            for clip, said, forced in zip(heard.clips, heard.said, heard.forced, strict=True):
                expected, outputs = full.outputs(forced)
                faked, fake_outputs = fake.outputs(forced)
                got, onnx_outputs = bundle.outputs(clip, said)
                rounding.add(outputs, fake_outputs)
                runtime.add(fake_outputs, onnx_outputs)
                logits.append((expected.numpy(), faked.numpy(), got))
                advance(1)
        position = first_difference(logits[: heard.chosen.alone])
        tried = heard.chosen.alone
        kl, shifts = self._alone(
            (full, fake), heard.forced[:tried], [expected for expected, _, _ in logits[:tried]], position, progress
        )
        layers = tuple(
            LayerDiagnosis(
                name=layer.name,
                op=layer.op,
                bits=layer.bits,
                bytes=layer.bytes,
                rounding_db=rounding.db(layer.name),
                runtime_db=runtime.db(layer.name),
                kl=kl.get(layer.name),
                margin_shift=shifts.get(layer.name),
            )
            for layer in self.bundle.manifest.layers
        )
        return self._diagnosis(heard, logits, layers, position)

    def _diagnosis(
        self,
        heard: _Clips,
        logits: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
        layers: tuple[LayerDiagnosis, ...],
        position: Position | None,
    ) -> Diagnosis:
        count = sum(len(expected) for expected, _, _ in logits)
        rounding_kl = sum(float(divergence_of(full, fake).sum()) for full, fake, _ in logits) / count
        config = self.bundle.manifest.config
        found = {m.name: m.record() for m in measures(heard.compared, _thresholds(config))}
        bundle_kl, shown = found[KL].value, (found[AGREEMENT], found[KL])
        token = None
        if position is not None:
            clip, said = heard.clips[position.clip], heard.said[position.clip]
            token = explain(position, self.prepared.speech, (clip_name(clip), said), layers)
        rounds = config["activations"] != "float"
        return Diagnosis(
            model=self.prepared.speech.name,
            judged=heard.chosen.judged,
            clips=len(heard.clips),
            positions=sum(c.positions for c in heard.compared),
            rounding_kl=round(rounding_kl, 6),
            bundle_kl=bundle_kl,
            agreement=found[AGREEMENT].value,
            measures=shown,
            layers=layers,
            token=token,
            advice=advise(self.bundle.manifest, layers, rounding_kl, bundle_kl, shown),
            notes=("rounded activations count as the runtime's error here",) if rounds else (),
        )

    def _rounded(self) -> Prepared:
        """The graphs with biases, norms and tables as the files store them."""
        return replace(self.prepared, program=run_passes(self.prepared.program, (RoundFloats(),)))

    def _alone(
        self,
        sides: tuple[TorchSide, TorchSide],
        clips: Sequence[ForcedClip],
        expected: Sequence[np.ndarray],
        position: Position | None,
        progress: Progress,
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Nats a position of every layer alone, and how far it moves the margin of the differing token."""
        kl: dict[str, float] = {}
        shifts: dict[str, float] = {}
        (full, fake), count = sides, sum(map(len, expected))
        with progress.stage("quantize single layers", len(self.weights)) as advance:
            for layer, logits in full.alone(clips, fake, advance):
                pairs = zip(expected, logits, strict=True)
                kl[layer.name] = round(sum(float(divergence_of(a, b.numpy()).sum()) for a, b in pairs) / count, 8)
                if position is not None:
                    shifts[layer.name] = round(position.margin_of(logits[position.clip].numpy()) - position.margin, 4)
        return kl, shifts


class _OnnxSide:
    """The bundle, as its users run it, with visible products."""

    def __init__(self, comparison: _Comparison, folder: Path) -> None:
        bundle, speech = comparison.bundle, comparison.prepared.speech
        blocks = {layer.name: len(layer.blocks) for layer in bundle.manifest.layers}
        settings = OrtSettings(entries=bundle.manifest.session_options)
        paths = model_files(bundle, comparison.prepared.program.graphs)
        self._runners = {}
        for graph, path in paths.items():
            products = show_products(path, folder / f"{graph}.onnx", blocks)
            self._runners[graph] = ShowingRunner(folder / f"{graph}.onnx", settings, products)
        self._runtime = runtime_of(speech, self._runners, model_bytes=0)

    def outputs(self, clip: Clip, said: Transcript) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Logits and what the layers compute."""
        with torch.no_grad():
            logits = self._runtime.logits(clip.samples, said.tokens, said.language)
        return logits, {name: value for runner in self._runners.values() for name, value in runner.seen.items()}
