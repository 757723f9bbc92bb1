"""Faults in JSON: values that are not what a reader expects, and text that is no JSON."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

from fault_bytes import damaged

NUMBERS: tuple[Any, ...] = (
    *(0, 1, 2, 3, 7, 8, -1, -(1 << 31), 1 << 16, 1 << 31, 1 << 63, 1 << 64, 10**30, 10**400),
    *(0.0, -0.0, 0.5, 2.5, 1e-30, 1e9, 1e30, -1e308, float("nan"), float("inf"), float("-inf")),
)
TEXTS = (
    *("", " ", "x", "0", "1e9", "null", "whisper", "../../etc/passwd", "/etc/passwd", "C:\\x", "~nouser", "a\0b"),
    *("\x1b[2J\x1b[31m", "\x9b31m", "line\nmyqasr: forged", "\u202egnp.exe", "\u2028", "\ufeff", "é" * 300, "\ud800"),
    *("</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "{{ 7*7 }}", "%s%n", "a" * 20_000),
)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [None], ["x"], [[]], [1e9], {"": {}}, {"a": [1, "b"]}, [0] * 5000)
NESTED = 100
BRACKETS = 200_000

Change = Callable[[Any, Any, Random], str]


def hostile(random: Random) -> Any:
    """A value that is seldom expected."""
    return copy.deepcopy(random.choice(random.choice((NUMBERS, NUMBERS, TEXTS, OTHERS))))


def mutated_json(content: bytes, random: Random) -> tuple[bytes, str]:
    """``content``, a JSON document, with one to three faults; and what they are, in words."""
    if random.random() < 0.12:
        return _damaged_text(content, random)
    value = json.loads(content)
    faults = []
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        value, fault = mutated_value(value, random)
        faults.append(fault)
    if random.random() < 0.5:
        return json.dumps(value).encode(), "; ".join(faults)
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass"), "; ".join(faults)


def mutated_value(value: Any, random: Random) -> tuple[Any, str]:
    """``value`` with one fault somewhere inside, and what it is; the value itself may change."""
    root = {"": value}
    holder: Any = root
    key: Any = ""
    place = ""
    while isinstance(holder[key], dict | list) and holder[key] and random.random() < 0.93:
        holder = holder[key]
        key = random.choice(list(holder)) if isinstance(holder, dict) else random.randrange(len(holder))
        place = f"{place}.{str(key)[:40]}" if isinstance(holder, dict) else f"{place}[{key}]"
    return_fault = _change(holder, key, random) if holder is not root else _replace(holder, key, random)
    return root[""], f"{place.lstrip('.') or 'all of it'} {return_fault}"


def _change(holder: Any, key: Any, random: Random) -> str:
    changes: list[Change] = [_replace, _replace, _replace, _remove, _tweak, _nest]
    changes += [_rename, _add] if isinstance(holder, dict) else [_repeat]
    return random.choice(changes)(holder, key, random)


def _replace(holder: Any, key: Any, random: Random) -> str:
    holder[key] = hostile(random)
    return f"is {_short(holder[key])}"


def _remove(holder: Any, key: Any, random: Random) -> str:
    del holder[key]
    return "is missing"


def _tweak(holder: Any, key: Any, random: Random) -> str:
    """What the value is, a little off."""
    value = holder[key]
    if isinstance(value, bool) or value is None:
        holder[key] = 1
    elif isinstance(value, int | float):
        holder[key] = random.choice((value + 1, value - 1, -value, value * 2, value * 1000, float(value), str(value)))
    elif isinstance(value, str):
        holder[key] = random.choice((value.upper(), value[:-1], value * 2, f" {value}", [value], value + "\n"))
    elif isinstance(value, list):
        holder[key] = random.choice((value * 2, value[:-1], value[::-1], dict(enumerate(value)), [value]))
    else:
        holder[key] = random.choice((list(value), [value], {f"x{name}": each for name, each in value.items()}))
    return f"is {_short(holder[key])}"


def _nest(holder: Any, key: Any, random: Random) -> str:
    for _ in range(NESTED):
        holder[key] = [holder[key]] if random.random() < 0.5 else {"a": holder[key]}
    return f"is nested {NESTED} deep"


def _rename(holder: Any, key: Any, random: Random) -> str:
    name = random.choice((*TEXTS, f"{key}_", str(key).upper()))
    holder[name] = holder.pop(key)
    return f"is called {_short(name)}"


def _add(holder: Any, key: Any, random: Random) -> str:
    name = random.choice((*TEXTS[:12], "auto_map", "quantization_config", "_attn_implementation", "extra"))
    holder[name] = hostile(random)
    return f"has {_short(name)} beside it, {_short(holder[name])}"


def _repeat(holder: Any, key: Any, random: Random) -> str:
    count = random.choice((2, 3, 2000))
    holder[key:key] = [holder[key]] * count
    return f"is there {count} times more"


def _damaged_text(content: bytes, random: Random) -> tuple[bytes, str]:
    choice = random.randrange(6)
    if choice == 0:
        return b"[" * BRACKETS, f"is {BRACKETS} brackets"
    if choice == 1:
        return b'{"a":' * BRACKETS + b"1" + b"}" * BRACKETS, f"is {BRACKETS} objects in each other"
    if choice == 2:
        return b"\xef\xbb\xbf" + content, "begins with a byte order mark"
    if choice == 3:
        return content.decode("utf-8", "replace").encode("utf-16"), "is UTF-16"
    if choice == 4:
        return content + content, "is there twice"
    return damaged(content, random)


def _short(value: Any) -> str:
    text = ascii(value) if not isinstance(value, int) or value.bit_length() < 200 else "a huge integer"
    return text if len(text) <= 60 else f"{text[:50]}... ({len(text)} characters)"
