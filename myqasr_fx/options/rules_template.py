"""A rules file to start from, which changes nothing until some of its comments are uncommented."""

from __future__ import annotations

from collections.abc import Iterable

from passes.graph.layers import Layer

_HEAD = """\
# Rules for {model}: myqasr quantize MODEL --audio RECORDINGS --budget BYTES --rules FILE
# Lines that begin with #: set something; take the mark away. Other lines are notes. All options: docs/cli.md.

[options]
#: min_bits = 3          # no layer is narrower, 1 to 8
#: max_bits = 8          # no layer is wider, 1 to 8, 16 or 32
#: format = "affine"     # evenly spaced levels only: affine, trellis or auto
#: rounding = "gptq"     # how codes are chosen: rtn, gptq or refined
#: optimize = "speed"    # 8-bit integer kernels for layers that read whole recordings: size, balanced or speed

# Exceptions for single layers: the first entry that matches a layer's name counts; * and ? as in a shell.

#: [[layers]]
#: match = "{example}"
#: bits = 6              # one width, 1 to 8
#: granularity = "group:32"  # weights that share a scale: tensor, channel or group:N

#: [[layers]]
#: match = "{pattern}"
#: keep = 16             # in float, at 16 or 32 bits; in place of bits

# The layers that hold weights, with rows x inputs:
"""


def rules_template(model: str, layers: Iterable[Layer]) -> str:
    """The file for a model.

    Args:
        model: Name to tell.
        layers: Of its canonical graphs.
    """
    held = [layer for layer in layers if layer.weight is not None]
    example = max(held, key=lambda layer: layer.num_weights).name
    shown = "".join(character if character.isprintable() else "?" for character in model)
    head = _HEAD.format(model=shown, example=example, pattern=f"*{held[-1].name.rpartition('.')[2]}")
    width = max(len(layer.name) for layer in held)
    return head + "".join(f"#   {layer.name:<{width}}  {layer.rows:>6} x {layer.cols}\n" for layer in held)
