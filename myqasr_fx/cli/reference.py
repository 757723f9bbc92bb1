"""docs/cli.md, made from the help of every command; ``python -m myqasr_fx.cli.reference`` writes it to stdout."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator

import typer
from typer.core import TyperGroup
from typer.main import get_command

from myqasr_fx.cli.app import build
from myqasr_fx.options.choices import available

_WIDTH = 100
_NAMES = 30
"""Columns of an option's name; its text stands behind it, or below it when the name is longer."""

_HEAD = """\
# The command line

The same texts as `myqasr COMMAND --help`, of `quantize` and `transcribe` as `--help-all`, made by
`python -m myqasr_fx.cli.reference`; a test keeps the page current.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | an error that nobody foresaw; `--debug` shows where |
| 2 | bad input, said in one line on standard error; of `lint` with several files, one of them cannot be read or run |
| 3 | done, and what was found is bad news: a rejected bundle, weights that are dequantized on every run |
| 130 | interrupted; nothing half-written stays. `listen` of a microphone ends by Ctrl-C, with 0 |
| 129, 143 | the same for SIGHUP and SIGTERM |
| 141 | whoever read standard output left, such as `head`; nothing is said |

Results go to standard output, as a table or, with `--json`, as one JSON object; progress goes to standard error, and so
does an error, after which standard output stays empty.
"""

_RULES = """\
## Rules files

What `--rules FILE` reads: options under the names that `myqasr.json` has in `config`, and exceptions for single layers.
A bundle, or its `myqasr.json`, serves as well: its options are taken, its budget is not.

```toml
[options]
rounding = "gptq"
min_bits = 3

[[layers]]                              # the first entry that matches a layer's name counts; * and ? as in a shell
match = "model.decoder.embed_tokens"
bits = 6                                # one width, 1 to 8
granularity = "group:32"                # tensor, channel or group:N
rounding = "rtn"

[[layers]]
match = "*.encoder_attn.out_proj"
keep = 16                               # a layer that stays in float, at 16 or 32 bits; in place of bits
```

Options given on the command line override the file, and the file overrides the recipe.
"""

_VALUES = """\
## Names

What the options that name a method take; [paper.md](paper.md) tells what they are. Distances take a width, such as
`kl@4`.

| option | names |
| --- | --- |
"""
_NAMED = ("recipe", "sensitivity", "allocation", "calibration", "rounding", "layout")


def reference() -> str:
    """The page."""
    root = typer.Context(get_command(build()), info_name="myqasr")
    parts = [_HEAD, _section(root), *map(_section, _below(root))]
    rows = (f"| `--{option}` | {', '.join(f'`{name}`' for name in available(option))} |\n" for option in _NAMED)
    return "\n".join([*parts, _RULES, _VALUES + "".join(rows)])


def _section(context: typer.Context) -> str:
    command = context.command
    usage = textwrap.fill(" ".join(command.get_usage(context).split()), _WIDTH, subsequent_indent=" " * 7)
    lines = [usage, "", *textwrap.wrap(command.help or "", _WIDTH)]
    for panel, rows in _panels(context).items():
        lines += ["", f"{panel}:", *(line for row in rows for line in _lines(*row))]
    return "\n".join([f"## {context.command_path}", "", "```text", *lines, "```", ""])


def _panels(context: typer.Context) -> dict[str, list[tuple[str, str]]]:
    """Heading to names and texts, in the order of the help: arguments, options without a heading, the rest."""
    found: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            usual = "Arguments" if parameter.param_type_name == "argument" else "Options"
            panel = getattr(parameter, "rich_help_panel", None) or usual
            name, text = record
            found.setdefault(panel, []).append((name, text.replace("\\[", "[")))  # escaped for rich alone
    found["Commands"] = [(str(below.info_name), below.command.help or "") for below in _below(context)]
    return {panel: rows for panel, rows in found.items() if rows}


def _below(context: typer.Context) -> Iterator[typer.Context]:
    """The commands of a group."""
    if isinstance(context.command, TyperGroup):
        for name, command in context.command.commands.items():
            yield typer.Context(command, info_name=name, parent=context)


def _lines(name: str, text: str) -> Iterator[str]:
    """A name and its text, which is wrapped in a column of its own."""
    wrapped = textwrap.wrap(text, _WIDTH - _NAMES) or [""]
    head = f"  {name}"
    if len(head) >= _NAMES:
        yield head
        head = ""
    for line in wrapped:
        yield f"{head:<{_NAMES}}{line}".rstrip()
        head = ""


if __name__ == "__main__":
    sys.stdout.write(reference())
