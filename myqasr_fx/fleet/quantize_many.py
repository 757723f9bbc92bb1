"""The road for many users: one after the other in this process, or several at a time in others."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import torch

from myqasr_fx import pipeline
from myqasr_fx.bundle.sole_run import sole_run
from myqasr_fx.errors import OptionError, OutputError
from myqasr_fx.fit.codes_alone import check_codes_alone
from myqasr_fx.fit.request import captured
from myqasr_fx.fleet.ledger import LEDGER, Ledger, UserRow
from myqasr_fx.fleet.on_ray import rows_on_ray
from myqasr_fx.fleet.one_user import Maker, Order, Task, check_possible
from myqasr_fx.fleet.users import Users, check_names, told_users
from myqasr_fx.fleet.worker import Setting
from myqasr_fx.fleet.workers import Workers, asked_workers
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Progress, Silent, TellStep, as_progress

TellUser = Callable[[UserRow, bool], None]
"""Told a user's row, and whether it was made in this run."""

_NOT_OF_FILES = ("cache", "dump_ir")
"""Options that change no bundle."""


def quantize_many(
    model: str | Path | SpeechModel,
    users: Mapping[str, str | Path | Sequence[str | Path]],
    budget: str | int | None = None,
    *,
    out: str | Path,
    workers: int | None = None,
    ray: str | None = None,
    progress: Progress | TellStep | None = None,
    **options: object,
) -> tuple[UserRow, ...]:
    """Quantizes a model for every user, one bundle each in ``out/USER``; goes on where an earlier run stopped.

    A user whose recordings cannot be used does not stop the others: its row says why.

    Args:
        model: Folder, built-in name, hub id or a loaded model.
        users: Name to a file or folder of recordings, or several.
        budget: Of each bundle, as in :func:`~myqasr_fx.api.quantize`.
        out: Folder of the bundles and of ``fleet.jsonl``.
        workers: Processes that share the work, on Ray; None works in this one.
        ray: Address of a Ray cluster, ``auto`` for that of this machine; processes of this machine when None.
        progress: Who is told where the work stands.
        options: As in :func:`~myqasr_fx.api.quantize`.

    Returns:
        A row a user, in their order, those of earlier runs included.

    Raises:
        MyqasrError: The model or the options cannot be used, or ``out`` is that of another fleet.
    """
    config = resolve_config(budget, **options)  # type: ignore[arg-type]  # resolve_config checks names and values
    told = as_progress(progress) or Silent()
    named = str(model) if isinstance(model, Path) else model
    return run_fleet(named, told_users(users), Path(out), config, told, workers=asked_workers(workers, ray))


def run_fleet(
    model: str | SpeechModel,
    users: Users,
    out: Path,
    config: QuantizeConfig,
    progress: Progress,
    limits: Limits | None = None,
    workers: Workers | None = None,
    tell: TellUser = lambda row, fresh: None,
) -> tuple[UserRow, ...]:
    """The same with resolved options.

    Args:
        model: As in :func:`quantize_many`.
        users: The same.
        out: The same.
        config: Resolved options.
        progress: The same.
        limits: Bounds of the work; the usual ones when None.
        workers: Who does it; this process when None.
        tell: Called with every row as it comes.

    Raises:
        OutputError: Another run writes to ``out``.
        MyqasrError: The same.
    """
    check_names(users)
    config.check_exportable()
    speech = _loaded(model, config, progress)
    config = pipeline.for_model(config, speech)
    prepared = _prepared(speech, config, out, progress) if workers is None else None
    order = Order(out.absolute(), config, limits or Limits())
    setting = None if workers is None else _setting(model, speech, order)
    ledger, found = _ledger(speech, config, out), dict[str, UserRow]()
    with sole_run(out), _taken_back(out, unless=ledger.path.exists(), found=found), ExitStack() as stack:
        done = ledger.resume()
        tasks = [Task(user, _absolute(recordings), done.get(user)) for user, recordings in users.items()]
        if prepared is not None:
            rows = _rows_here(tasks, Maker(prepared, order))
        elif workers is not None and setting is not None:
            rows = rows_on_ray(tasks, setting, workers)
        stack.enter_context(closing(rows))
        advance = stack.enter_context(progress.stage("users", len(users)))
        for row in rows:
            if fresh := row.error is not None or row != done.get(row.user):  # what failed was tried again
                ledger.append(row)
            found[row.user] = row
            tell(row, fresh)
            advance(1)
    return tuple(found[user] for user in users)


def _rows_here(tasks: Sequence[Task], maker: Maker) -> Generator[UserRow, None, None]:
    for task in tasks:
        yield maker.row(task)


def _loaded(model: str | SpeechModel, config: QuantizeConfig, progress: Progress) -> SpeechModel:
    if not isinstance(model, str):
        return model
    check_codes_alone(model, config.budget, config.narrowest)
    with progress.stage("load model"):
        return load_model(model, config.language)


def _ledger(speech: SpeechModel, config: QuantizeConfig, out: Path) -> Ledger:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: {error.strerror}", hint="choose another --out") from error
    made = {name: value for name, value in config.as_dict().items() if name not in _NOT_OF_FILES}
    return Ledger(out / LEDGER, {"fingerprint": speech.fingerprint, "options": made})


@contextmanager
def _taken_back(out: Path, unless: bool, found: Mapping[str, UserRow]) -> Iterator[None]:
    """Removes a new ledger, and its folder where nothing else is in it, when nobody's work could begin."""
    try:
        yield
    except OptionError:
        if not unless and not found:
            with suppress(OSError):
                (out / LEDGER).unlink()
                out.rmdir()
        raise


def _prepared(speech: SpeechModel, config: QuantizeConfig, out: Path, progress: Progress) -> Prepared:
    """The model's graphs, where the options can be met on them: what no user can have is said once, before all work.

    Raises:
        MyqasrError: They cannot.
    """
    with progress.stage("capture graphs"):
        prepared = captured(speech, config)
    check_possible(prepared, Order(out, config))
    return prepared


def _setting(model: str | SpeechModel, speech: SpeechModel, order: Order) -> Setting:
    if not isinstance(model, str):
        hint = "give the name or folder of the model, or no workers"
        raise OptionError("a loaded model cannot be sent to workers", hint=hint)
    place = str(Path(model).absolute()) if Path(model).is_dir() else model
    folders = {name: getattr(order.config, name) for name in ("cache", "delta")}
    config = replace(order.config, **{name: folder and folder.absolute() for name, folder in folders.items()})
    order = replace(order, config=config)
    return Setting(place, speech.fingerprint, order, torch.get_num_threads())


def _absolute(recordings: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(Path(path).absolute() for path in recordings)
