"""Names of Whisper's weights: the Hugging Face parameter and the CTranslate2 variable it is a part of.

CTranslate2 stacks query, key and value of self-attention (``linear_0``), and key and value of cross-attention
(``linear_1``, after the query in ``linear_0``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from transformers import WhisperConfig


@dataclass(frozen=True, slots=True)
class StackedPart:
    """One of ``of`` equal runs of rows of a stacked weight."""

    index: int = 0
    of: int = 1


_WHOLE = StackedPart()

WeightName = tuple[str, str, StackedPart]
"""Parameter of the network, variable of the file, and the part of the variable that the parameter takes."""


def weight_names(config: WhisperConfig) -> Iterator[WeightName]:
    """Where each parameter of the network comes from."""
    for name in ("conv1", "conv2"):
        yield from _affine(f"model.encoder.{name}", f"encoder/{name}")
    for side, layers in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        root = f"model.{side}"
        yield f"{root}.embed_positions.weight", f"{side}/position_encodings/encodings", _WHOLE
        yield from _norm(f"{root}.layer_norm", f"{side}/layer_norm")
        for layer in range(layers):
            yield from _layer(f"{root}.layers.{layer}", f"{side}/layer_{layer}", side == "decoder")
    yield "model.decoder.embed_tokens.weight", "decoder/embeddings/weight", _WHOLE


def _layer(target: str, source: str, has_cross_attention: bool) -> Iterator[WeightName]:
    attention = f"{source}/self_attention"
    for index, name in enumerate(("q_proj", "k_proj", "v_proj")):
        part = StackedPart(index, 3)
        yield from _affine(f"{target}.self_attn.{name}", f"{attention}/linear_0", part, name != "k_proj")
    yield from _affine(f"{target}.self_attn.out_proj", f"{attention}/linear_1")
    yield from _norm(f"{target}.self_attn_layer_norm", f"{attention}/layer_norm")
    if has_cross_attention:
        attention = f"{source}/attention"
        yield from _affine(f"{target}.encoder_attn.q_proj", f"{attention}/linear_0")
        yield from _affine(f"{target}.encoder_attn.k_proj", f"{attention}/linear_1", StackedPart(0, 2), False)
        yield from _affine(f"{target}.encoder_attn.v_proj", f"{attention}/linear_1", StackedPart(1, 2))
        yield from _affine(f"{target}.encoder_attn.out_proj", f"{attention}/linear_2")
        yield from _norm(f"{target}.encoder_attn_layer_norm", f"{attention}/layer_norm")
    for index in (0, 1):
        yield from _affine(f"{target}.fc{index + 1}", f"{source}/ffn/linear_{index}")
    yield from _norm(f"{target}.final_layer_norm", f"{source}/ffn/layer_norm")


def _affine(target: str, source: str, part: StackedPart = _WHOLE, bias: bool = True) -> Iterator[WeightName]:
    yield f"{target}.weight", f"{source}/weight", part
    if bias:  # keys have none: the file stores zeros for them
        yield f"{target}.bias", f"{source}/bias", part


def _norm(target: str, source: str) -> Iterator[WeightName]:
    yield f"{target}.weight", f"{source}/gamma", _WHOLE
    yield f"{target}.bias", f"{source}/beta", _WHOLE
