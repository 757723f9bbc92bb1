"""The capture-to-observed road on real architectures, tiny and random: layers found, values kept."""

from __future__ import annotations

import pytest
import torch
from torch.utils import _pytree as pytree
from transformers import AutoConfig, AutoModelForCTC, WhisperConfig, WhisperForConditionalGeneration

from myqasr_fx.capture import capture_ctc, capture_whisper
from passes.base import Fact, Program
from passes.canonical.canonicalize import Canonicalize
from passes.canonical.decompose_attention import DecomposeAttention
from passes.graph.layers import find_layers
from passes.graph.ops import LayerKind
from passes.manager.manager import PassManager
from passes.observe.insert_observers import InsertObservers, read_statistics
from passes.observe.remove_observers import RemoveObservers

CTC = ("wav2vec2", "hubert", "wavlm", "wav2vec2-conformer", "data2vec-audio")


def ctc(kind: str) -> Program:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        vocab_size=12,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(8, 8),
        conv_stride=(5, 2),
        conv_kernel=(10, 3),
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
    )
    return capture_ctc(AutoModelForCTC.from_config(config).requires_grad_(False).eval())


def whisper() -> Program:
    torch.manual_seed(0)
    ids = dict.fromkeys(("decoder_start_token_id", "eos_token_id", "pad_token_id", "bos_token_id"), 1)
    config = WhisperConfig(
        vocab_size=50,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_mel_bins=8,
        max_source_positions=20,
        max_target_positions=16,
        **ids,
    )
    return capture_whisper(WhisperForConditionalGeneration(config).requires_grad_(False).eval())


def example(module: torch.fx.GraphModule, size: int) -> list[torch.Tensor]:
    """Random inputs; every symbolic dimension that is not the batch is ``size``, the encoder's frames a few more."""
    torch.manual_seed(size)
    args = []
    for node in module.graph.find_nodes(op="placeholder"):
        value = node.meta["val"]
        length = size + 4 * (node.target == "encoder_hidden_states")
        shape = [d if isinstance(d, int) else 2 if i == 0 else length for i, d in enumerate(value.shape)]
        tokens = not value.is_floating_point()
        args.append(torch.randint(0, 9, shape) if tokens else torch.randn(shape))
    return args


def run(program: Program, size: int) -> list[torch.Tensor]:
    results = []
    for module in program.graphs.values():
        args, spec = example(module, size), module._in_spec
        positional, keywords = pytree.tree_unflatten(args, spec)
        results += pytree.tree_leaves(module(*positional, **keywords))
    return results


@pytest.mark.parametrize("kind", ["whisper", *CTC])
def test_values_layers_and_observers(kind: str) -> None:
    program = whisper() if kind == "whisper" else ctc(kind)
    size = 7 if kind == "whisper" else 900
    expected = run(program, size)
    result = PassManager((Canonicalize(), DecomposeAttention(), InsertObservers()))(program)
    assert [timing.modified for timing in result.timings] == [True, True, True]
    torch.testing.assert_close(run(program, size), expected, atol=1e-5, rtol=1e-4)
    statistics = read_statistics(program)
    layers = find_layers(program)
    assert {layer for layer, _ in statistics} == {layer.name for layer in layers}
    rest = PassManager((RemoveObservers(), Canonicalize(), DecomposeAttention()), initial=result.facts)(program)
    assert [timing.modified for timing in rest.timings] == [True, False, False] and Fact.OBSERVED not in rest.facts
    products = [layer.name for layer in layers if layer.kind is LayerKind.MATMUL]
    assert sum(name.endswith(".qk_matmul") for name in products) == (3 if kind == "whisper" else 1)
    assert not any(name.startswith("qk") for name in products)


def test_whisper_ties_its_embedding_and_keeps_positions_out() -> None:
    program = whisper()
    Canonicalize()(program)
    layers = {layer.name: layer for layer in find_layers(program)}
    tied = layers["model.decoder.embed_tokens"]
    assert (tied.kind, len(tied.uses)) == (LayerKind.LINEAR, 2) and "proj_out" not in layers
    assert not [name for name in layers if "position" in name]
    assert len(layers) == 2 + 6 + 1 + 10
