"""The road for one user after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from myqasr_fx import pipeline
from myqasr_fx.bundle.bundle import QuantizedBundle
from myqasr_fx.errors import MyqasrError, OutputError
from myqasr_fx.fit.request import captured
from myqasr_fx.fleet.ledger import LEDGER, Ledger, UserRow
from myqasr_fx.fleet.users import Users, check_names, digest_of
from myqasr_fx.models.load import load_model
from myqasr_fx.models.prepared import Prepared
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.config import QuantizeConfig
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Progress, Silent, TellStep, as_progress

_NOT_OF_FILES = ("cache", "dump_ir")
"""Options that change no bundle."""


def quantize_many(
    model: str | SpeechModel,
    users: Users,
    budget: str | int | None = None,
    *,
    out: str | Path,
    progress: Progress | TellStep | None = None,
    **options: object,
) -> tuple[UserRow, ...]:
    """Quantizes a model for every user, one bundle each in ``out/USER``; goes on where an earlier run stopped.

    A user whose recordings cannot be used does not stop the others: its row says why.

    Args:
        model: Folder, built-in name, hub id or a loaded model.
        users: Name to files and folders of recordings.
        budget: Of each bundle, as in :func:`~myqasr_fx.api.quantize`.
        out: Folder of the bundles and of ``fleet.jsonl``.
        progress: Who is told where the work stands.
        options: As in :func:`~myqasr_fx.api.quantize`.

    Returns:
        A row a user, in their order, those of earlier runs included.

    Raises:
        MyqasrError: The model or the options cannot be used, or ``out`` is that of another fleet.
    """
    config = resolve_config(budget, **options)  # type: ignore[arg-type]  # resolve_config checks names and values
    return run_fleet(model, users, Path(out), config, as_progress(progress) or Silent())


def run_fleet(
    model: str | SpeechModel,
    users: Users,
    out: Path,
    config: QuantizeConfig,
    progress: Progress,
    limits: Limits | None = None,
) -> tuple[UserRow, ...]:
    """The same with resolved options.

    Args:
        model: As in :func:`quantize_many`.
        users: The same.
        out: The same.
        config: Resolved options.
        progress: The same.
        limits: Bounds of the work; the usual ones when None.

    Raises:
        MyqasrError: The same.
    """
    check_names(users)
    config.check_exportable()
    with progress.stage("load model"):
        speech = load_model(model, config.language) if isinstance(model, str) else model
    config = pipeline.for_model(config, speech)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: {error.strerror}", hint="choose another --out") from error
    made = {name: value for name, value in config.as_dict().items() if name not in _NOT_OF_FILES}
    ledger = Ledger(out / LEDGER, {"fingerprint": speech.fingerprint, "options": made})
    done = ledger.resume()
    with progress.stage("capture graphs"):
        prepared = captured(speech, config)
    rows = []
    with progress.stage("users", len(users)) as advance:
        for row in _rows(prepared, users, (out, config, limits), done):
            if row is not done.get(row.user):
                ledger.append(row)
            rows.append(row)
            advance(1)
    return tuple(rows)


def _rows(
    prepared: Prepared, users: Users, how: tuple[Path, QuantizeConfig, Limits | None], done: dict[str, UserRow]
) -> Iterator[UserRow]:
    out, config, limits = how
    for user, recordings in users.items():
        start, row = time.perf_counter(), UserRow(user, "", 0.0)
        try:
            row = replace(row, recordings=digest_of(recordings))
            if (known := done.get(user)) and known.recordings == row.recordings and _is_there(out / user, known):
                yield known
                continue
            bundle = pipeline.quantize(prepared, recordings, out=out / user, config=config, force=True, limits=limits)
            row = _told(row, bundle)
        except MyqasrError as error:
            row = replace(row, error=str(error))
        yield replace(row, seconds=round(time.perf_counter() - start, 1))


def _told(row: UserRow, bundle: QuantizedBundle) -> UserRow:
    row, verdict = replace(row, bytes=bundle.manifest.model_bytes), bundle.manifest.acceptance
    if verdict is None:
        return row
    return replace(row, verdict=verdict.verdict, agreement=verdict.agreement, kl=verdict.kl)


def _is_there(folder: Path, row: UserRow) -> bool:
    """The bundle of a row lies where it should, whole."""
    if row.error is not None:
        return False  # what failed is tried again
    try:
        return QuantizedBundle.open(folder).manifest.model_bytes == row.bytes
    except MyqasrError:
        return False
