"""The commands together, and how their failures end: one line on standard error and an exit code.

0: done; 1: an error that nobody foresaw; 2: bad input; 3: done, and what was found is bad news; 130: interrupted;
141: whoever read the output left.
"""

from __future__ import annotations

import atexit
import gc
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, NoReturn

import typer

from myqasr_fx.cli.answer import answering
from myqasr_fx.cli.apply import apply
from myqasr_fx.cli.daily_help import DailyHelp, PlainGroupHelp, PlainHelp
from myqasr_fx.cli.demo import demo
from myqasr_fx.cli.diagnose import diagnose
from myqasr_fx.cli.evaluate import evaluate
from myqasr_fx.cli.fault_file import write_fault
from myqasr_fx.cli.fleet import fleet
from myqasr_fx.cli.init import init
from myqasr_fx.cli.inspect import inspect
from myqasr_fx.cli.lint import lint
from myqasr_fx.cli.listen import listen
from myqasr_fx.cli.models import models
from myqasr_fx.cli.notices import notice
from myqasr_fx.cli.personalize import personalize
from myqasr_fx.cli.push import push
from myqasr_fx.cli.quantize import quantize
from myqasr_fx.cli.report import report
from myqasr_fx.cli.streams import drop_output, flush_output, prepare_streams
from myqasr_fx.cli.transcribe import transcribe
from myqasr_fx.cli.visible import shortened, visible
from myqasr_fx.errors import MyqasrError, OptionError
from myqasr_fx.process.freed_memory import keep_freed_memory

INTERRUPTED = 130

CLOSED_PIPE = 141
"""As of programs that SIGPIPE ends."""

LONGEST_LINE = 280
"""Characters of a line about an error, without our name before it."""

COMMANDS = (
    quantize,
    fleet,
    apply,
    transcribe,
    listen,
    evaluate,
    personalize,
    inspect,
    report,
    diagnose,
    lint,
    init,
    push,
    models,
    demo,
)

OF_MANY_OPTIONS = (quantize, transcribe)
"""Those whose help leaves some for ``--help-all``."""


def build() -> typer.Typer:
    """The command line."""
    app = typer.Typer(
        cls=PlainGroupHelp,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help="Compiles a speech recognition model to an ONNX bundle that fits a byte budget, tuned to your speech.",
    )
    app.callback()(_options)
    for command in COMMANDS:
        app.command(cls=DailyHelp if command in OF_MANY_OPTIONS else PlainHelp)(answering(command))
    return app


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits.

    Args:
        arguments: Without the program's name; those of the process when None.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    keep_freed_memory()
    prepare_streams()
    if not debug:
        _quiet_libraries()
    try:
        _check_place()
        _check_values(given)
        code = build()(given, prog_name="myqasr", standalone_mode=False)
        flush_output()  # of help and version
        if code == INTERRUPTED:  # typer makes that of Ctrl-C
            raise KeyboardInterrupt
    except BaseException as error:
        if debug and not isinstance(error, SystemExit):
            traceback.print_exc()
        code = _report(error, given)
    atexit.register(gc.freeze)  # or Python looks through all objects once more, those of torch for a second
    sys.exit(code or 0)


def _check_place() -> None:
    """Refuses a current folder that is gone: libraries end the process over it."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise OptionError("the current folder exists no more", hint="cd to another one") from error


def _check_values(arguments: Sequence[str]) -> None:
    """Refuses empty arguments, which as paths would mean the current folder."""
    options = arguments.index("--") if "--" in arguments else len(arguments)
    for number, argument in enumerate(arguments, 1):
        valueless = argument.startswith("--") and argument.find("=") == len(argument) - 1
        if not argument or (valueless and number <= options):
            where = f"argument {number}" if not argument else argument.removesuffix("=")
            raise OptionError(f"{where} is empty", hint="give a value, or check the variable that it comes from")


def _report(error: BaseException, arguments: Sequence[str]) -> int:
    """Prints one line about ``error``; returns the exit code."""
    if BrokenPipeError in (type(error), isinstance(error, SystemExit) and type(error.__context__)):
        drop_output(sys.stdout)  # whoever read it has enough; typer and rich make SystemExit(1) of that
        return CLOSED_PIPE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return _line("interrupted", INTERRUPTED)
    if isinstance(error, typer.TyperException):
        return _line(_of_usage(error, arguments), 2)
    if isinstance(error, MyqasrError):
        return _line(str(error), 2)
    if isinstance(error, ModuleNotFoundError) and (missing := _requirement(error)):
        hint = "install the package with its requirements, not with those of the runtime alone"
        return _line(f"this command needs {missing}, which is not installed ({hint})", 2)
    if isinstance(error, OSError) and error.strerror:  # of help; those of the commands are explained where they are
        drop_output(sys.stdout)
        return _line(f"standard output: {error.strerror} (send it elsewhere)", 2)
    place = write_fault(error, arguments)
    hint = "run again with --debug to see where" if place is None else f"please report it with {place}"
    return _line(f"unexpected {type(error).__name__}: {str(error) or 'no message'}; {hint}", 1)


def _of_usage(error: typer.TyperException, arguments: Sequence[str]) -> str:
    """What is wrong with ``arguments``, and where to read on."""
    text = getattr(error, "format_message", lambda: str(error))().rstrip(".") or "no command given"
    text = text.replace("Value error, ", "", 1)  # pydantic's, before the words of whoever refused
    unknown = getattr(error, "option_name", None)
    for word in arguments:
        if unknown and word.startswith(unknown) and os.path.lexists(word):
            return f"{text}; for the file of that name give ./{word}, or -- before it"
    context = getattr(error, "ctx", None)
    see = f"see `{context.command_path if context else 'myqasr'} --help`"
    return f"{text} ({see})" if text.endswith("?") else f"{text}; {see}"


def _requirement(error: ModuleNotFoundError) -> str | None:
    """The package that is missing; None where it is a module of ours."""
    package = (error.name or "").partition(".")[0]
    return package if package not in ("", "myqasr_fx", "passes") else None


def _line(text: str, code: int) -> int:
    notice("myqasr: " + shortened(visible(" ".join(text.split())), LONGEST_LINE))
    return code


def _quiet_libraries() -> None:
    """Keeps the libraries' remarks for developers out of the users' way; --debug shows them."""
    warnings.simplefilter("ignore")
    for name, value in (("TRANSFORMERS_VERBOSITY", "error"), ("HF_HUB_DISABLE_PROGRESS_BARS", "1")):
        os.environ.setdefault(name, value)
    for name in ("torchao", "torch.utils._pytree"):  # transformers loads torchao where it is installed
        logging.getLogger(name).setLevel(logging.ERROR)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(version("myqasr-fx"))
        raise typer.Exit


def _options(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options before the command's name."""
