"""Faults in a file of rules: bytes, values that no option takes, and others that an option takes or nearly so."""

from __future__ import annotations

from pathlib import Path
from random import Random

from fault_base import QUANTIZE
from fault_bytes import damaged
from fault_case import Case
from fault_folder import link_tree
from fault_models import only_read

_SIZES = (QUANTIZE, ("--budget", "90KB"), ("--avg-bits", "11"))
"""That the model can be brought to."""

_HOSTILE = (
    *("0", "-1", "2.5", "1e30", "inf", "nan", "9" * 400, "9" * 5000, "true", '""', '"x"', "[]", "{}", '["a", 1]'),
    *('"\\u001b[2J"', '"*"', '"group:0"', '"group:-1"', '"group:9999999999"', '"group:x"', "[" * 20_000, "=", "0x10"),
    *("{a=" * 5_000, '"[[[["', '"' + "a" * 20_000 + '"', '"' + "*a" * 200 + '"', "1_0", "07:32:00", '"""\n"""'),
    "1979-05-27",
)
_OPTIONS = {
    "rounding": ('"rtn"', '"gptq"', '"refined"', '"RTN"'),
    "min_bits": ("1", "3", "8", "16", "9"),
    "max_bits": ("3", "4", "8", "32", "2"),
    "granularity": ('"tensor"', '"channel"', '"group:32"', '"group:64"', '"group:7"', '"group:1"'),
    "calibration": ('"min_max"', '"mse"', '"percentile"', '"hessian"'),
    "activations": ('"float"', '"int8"', '"int4"'),
    "activation_bits": ("4", "8", "3"),
    "optimize": ('"size"', '"speed"', '"balanced"', '"both"'),
    "opset": ("21", "23", "25", "20", "26"),
    "seed": ("0", "1", "4294967296", "-1"),
    "holdout": ("0", "0.5", "0.99", "1", "0.001"),
    "symmetric": ("true", "false", "1"),
    "sequential": ("true", "false"),
    "format": ('"affine"', '"trellis"', '"auto"'),
    "allocation": ('"uniform"', '"linear"', '"optimal"', '"uniformity"', '"best"'),
    "order": ('"descending"', '"ascending"', '"shuffled"'),
    "sensitivity": ('"median"', '"none"'),
    "language": ('"en"', '"english"', '"xx"', '""'),
    "max_clips": ("1", "2", "100000", "0"),
    "fill": ("true", "false"),
    "max_spread": ("0", "1", "-1"),
    "no_speech_threshold": ("0", "0.5", "1", "2"),
    "max_kl": ("0", "0.0", "10", "-0.1"),
    "min_agreement": ("0", "1", "1.1"),
    "max_loops": ("0", "1", "2"),
    "layout": ('"transformers"', '"transformers.js"', '"sherpa-onnx"', '"x"'),
    "budget_kind": ('"file"', '"paper"', '"disk"'),
    "recipe": ('"paper-file"', '"paper"', '"best"'),
    "budget": ('"90KB"',),
    "cache": ('"cache"',),
    "rules": ('"in/rules.toml"',),
    "uniform_bits": ("4",),
    "nonsense": ("1",),
}
"""What there is, what there is not, and what a file of rules may not hold."""

_LAYER = {
    "match": ('"*"', '"lm_head"', '"nowhere.*"', '"*.attention.*"', '"[a"', '""'),
    "bits": ("1", "2", "3", "4", "5", "8", "9"),
    "keep": ("16", "32", "8"),
    "granularity": _OPTIONS["granularity"],
    "rounding": _OPTIONS["rounding"],
}


def rules(base: Path, scratch: Path, random: Random) -> Case:
    """A file of rules with a fault, or with other choices than the healthy one; most are read and no more."""
    link_tree(base / "ctc", scratch / "in" / "model")
    (scratch / "in" / "f0.wav").hardlink_to(base / "audio" / "f0.wav")
    text = (base / "rules.toml").read_text(encoding="utf-8")
    choice = random.random()
    if choice < 0.15:
        content, fault = damaged(text.encode(), random)
    else:
        tables = [_entries(table) for table in text.split("\n\n")]
        count, hostile = (1, True) if choice < 0.35 else (random.choice((1, 1, 2)), False)
        fault = "; ".join(_set(random.choice(tables), random, hostile) for _ in range(count))
        content = "\n\n".join(map(_text, tables)).encode()
    (scratch / "in" / "rules.toml").write_bytes(content)
    if random.random() < 0.6:
        return only_read(scratch, fault, ("quantize", "in/model", "--rules", "in/rules.toml"))
    size = random.choice(_SIZES)
    command = ("quantize", "in/model", "in/f0.wav", "--rules", "in/rules.toml", *size, "--dry-run", "--json")
    return Case(fault, command)


def _entries(table: str) -> dict[str, str]:
    """Key to value of a table of the healthy file; its head stands under no key."""
    head, *lines = table.strip().split("\n")
    return {"": head} | dict(line.split(" = ", 1) for line in lines)


def _set(table: dict[str, str], random: Random, hostile: bool) -> str:
    """Gives one key of a table another value."""
    known = _OPTIONS if table[""] == "[options]" else _LAYER
    key = random.choice(list(known))
    table[key] = random.choice(_HOSTILE if hostile else known[key])
    return f"{key} = {table[key][:40]}"


def _text(table: dict[str, str]) -> str:
    return "\n".join((table[""], *(f"{key} = {value}" for key, value in table.items() if key)))
