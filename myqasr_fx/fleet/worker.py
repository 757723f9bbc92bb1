"""One process of many that make bundles: it loads and captures the model once."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass

from myqasr_fx.errors import MyqasrError
from myqasr_fx.fit.request import captured
from myqasr_fx.fleet.ledger import LEDGER, UserRow
from myqasr_fx.fleet.one_user import Maker, Order, Task, check_possible
from myqasr_fx.models.load import load_model
from myqasr_fx.process.freed_memory import keep_freed_memory
from myqasr_fx.process.threads import take_threads


@dataclass(frozen=True, slots=True)
class Setting:
    """What a worker is told once.

    Args:
        model: Folder, built-in name or hub id.
        fingerprint: Of the model that it has to find there.
        order: What all users get.
        threads: Of every operator.
    """

    model: str
    fingerprint: str
    order: Order
    threads: int


class Worker:
    """Does tasks.

    Args:
        setting: Of the fleet.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._maker: Maker | None = None
        _quiet()
        keep_freed_memory()
        take_threads(setting.threads)

    def do(self, task: Task) -> UserRow | str:
        """The row of a user; a text where this worker can do nothing for anybody, which says why."""
        if self._maker is None:
            try:
                self._maker = self._ready()
            except MyqasrError as error:
                return str(error)
        return self._maker.row(task)

    def _ready(self) -> Maker:
        setting, order = self._setting, self._setting.order
        if not (order.out / LEDGER).is_file():
            raise MyqasrError(f"{order.out}: is another folder here", hint="give one that all machines share")
        speech = load_model(setting.model, order.config.language)
        if speech.fingerprint != setting.fingerprint:
            raise MyqasrError(f"model {setting.model}: is another one here", hint="give all machines the same")
        prepared = captured(speech, order.config)
        check_possible(prepared, order)
        return Maker(prepared, order)


def _quiet() -> None:
    """Remarks of libraries would stand between the lines of the one who started this process."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
