"""``myqasr demo``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from rich.console import Group
from rich.text import Text
from typer import Option

from myqasr_fx.bundle.temporary_folder import temporary_folder
from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.demo_view import demo_view
from myqasr_fx.cli.next_steps import after_demo
from myqasr_fx.cli.options import Force
from myqasr_fx.cli.views import bundle_data
from myqasr_fx.cli.visible import visible
from myqasr_fx.errors import OptionError
from myqasr_fx.options.units import format_size
from myqasr_fx.process.progress import RichProgress

_PANEL = "In the browser"
KEPT = Path("myqasr-demo")
"""Where the bundle goes unless a folder is given; the bundle of an earlier demonstration there is replaced."""

Keep = Annotated[
    Path | None,
    Option(
        "--out",
        help="Folder for the bundle; without it, a bundle in the default one is replaced.",
        show_default=str(KEPT),
    ),
]
Web = Annotated[
    Path | None,
    Option("--web", help="Write a page that runs the model in a browser into this folder.", rich_help_panel=_PANEL),
]
NodeModules = Annotated[
    Path | None,
    Option("--js", help="Where `npm install @huggingface/transformers` was run.", rich_help_panel=_PANEL),
]
Given = Annotated[
    Path | None,
    Option(
        "--bundle",
        help="Show this bundle, of --layout transformers.js, instead of the built-in model.",
        rich_help_panel=_PANEL,
    ),
]


def demo(
    *,
    out: Keep = None,
    force: Force = False,
    web: Web = None,
    js: NodeModules = None,
    bundle: Given = None,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Quantize a built-in model and compare what it hears with full precision, and with others of its size."""
    if web is not None:
        return _write_page(web, js, bundle, out, force)
    if js is not None or bundle is not None:
        raise OptionError("--js and --bundle belong to --web", hint="add --web DIR")
    from myqasr_fx.cli.demo_run import BUDGET, MODEL, run_demo

    result = run_demo(out or KEPT, RichProgress(), force=force or out is None)
    data = {
        "recordings": tuple(path.name for path in result.recordings),
        "calibrated": result.calibrated,
        "words": result.words,
        **{name: asdict(reading) for name, reading in result.readings.items()},
        "bundle": bundle_data(result.bundle),
    }
    steps = after_demo(result.bundle.path, result.recordings[0], MODEL, BUDGET)
    return Answer(data, Group(demo_view(result), steps))


def _write_page(web: Path, js: Path | None, given: Path | None, out: Path | None, force: bool) -> Answer:
    from myqasr_fx.bundle.bundle import QuantizedBundle
    from myqasr_fx.web import page

    if js is None:
        hint = f"run `npm install --ignore-scripts {page.TRANSFORMERS}` and add --js node_modules"
        raise OptionError("the page needs transformers.js, which this package does not bring", hint=hint)
    if given is not None and out is not None:
        raise OptionError("--bundle and --out exclude each other: nothing is quantized")
    page.find_packages(js)
    page.check_out(web, force)
    with temporary_folder("myqasr-demo-") as folder:
        if given is None:
            from myqasr_fx.cli.demo_run import make_web_bundle

            bundle = make_web_bundle(out or folder / "bundle", RichProgress(), force=force)
        else:
            bundle = QuantizedBundle.open(given)
        written = page.write_page(bundle, js, web, force=force)
    serve = f"python -m http.server --bind 127.0.0.1 --directory {web}"
    data = {
        "page": str(web),
        "bytes": written.bytes,
        "model_bytes": bundle.manifest.model_bytes,
        "versions": written.versions,
        "serve": serve,
    }
    sizes = f"{format_size(written.bytes)}, {format_size(bundle.manifest.model_bytes)} of them the model"
    return Answer(
        data, Text(f"{visible(str(web))}: {sizes}\nshow it with: {visible(serve)}\nand open http://127.0.0.1:8000")
    )
