"""Workers on Ray: bundles as by one process, whoever dies."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
import torch

from myqasr_fx.errors import OptionError
from myqasr_fx.fleet.ledger import LEDGER, UserRow
from myqasr_fx.fleet.one_user import Order, Task
from myqasr_fx.fleet.quantize_many import run_fleet
from myqasr_fx.fleet.users import find_users
from myqasr_fx.fleet.worker import Setting, Worker
from myqasr_fx.fleet.workers import Workers, asked_workers
from myqasr_fx.models.load import load_model
from myqasr_fx.models.speech_model import SpeechModel
from myqasr_fx.options.resolve import resolve_config
from myqasr_fx.process import threads
from myqasr_fx.process.limits import Limits
from myqasr_fx.process.progress import Silent, Told

CONFIG = resolve_config(uniform_bits=3, recipe="paper-file", rounding="gptq")
LIMITS = Limits(spare_bytes=1 << 14)


def busy_workers() -> Iterator[int]:
    """Processes that do a task."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if place.read_bytes().startswith(b"ray::Worker.do"):
                yield int(place.parent.name)
        except OSError:
            continue


@pytest.mark.slow
def test_a_killed_worker_costs_nobody_a_bundle_and_workers_end_with_the_fleet(
    save_model: Callable[..., Path],
    users: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "_of_sessions", 1)  # as many as a worker has
    asked = torch.get_num_threads()
    for name in ("dan", "eva"):
        shutil.copytree(users / "ann", users / name)
    killed = list[int]()

    def disturb(stage: str, done: int, steps: int) -> None:
        if stage == "users" and done == 1 and not killed:
            until = time.monotonic() + 20
            while not killed and time.monotonic() < until:
                killed.extend(list(busy_workers())[:1])
            os.kill(killed[0], signal.SIGKILL)
        if stage == "users" and done == steps:
            raise KeyboardInterrupt

    def made(out: str, workers: Workers | None, progress: Silent) -> tuple[UserRow, ...]:
        return run_fleet(str(model), find_users(users), tmp_path / out, CONFIG, progress, LIMITS, workers)

    model = save_model("smallest")
    try:
        torch.set_num_threads(2)
        with pytest.raises(KeyboardInterrupt) as stopped:
            made("many", asked_workers(2, None), Told(disturb))
        assert stopped.traceback  # which holds on to the rows
        assert not ray.is_initialized()
        lines = [json.loads(line) for line in (tmp_path / "many" / LEDGER).read_text(encoding="utf-8").splitlines()]
        torch.set_num_threads(1)
        rows = made("many", None, Silent())  # of the ledger, but for the failure, which is tried again
        alone = made("one", None, Silent())
    finally:
        torch.set_num_threads(asked)
    assert killed
    assert [(row.user, row.error is None) for row in rows] == [
        *((name, True) for name in ("ann", "bob")),
        ("cid", False),
        *((name, True) for name in ("dan", "eva")),
    ]
    assert [(row.user, row.bytes, row.recordings, row.error) for row in rows] == [
        (row.user, row.bytes, row.recordings, row.error) for row in alone
    ]
    for name in ("ann", "bob", "dan", "eva"):
        for path in (tmp_path / "one" / name).iterdir():
            if path.name != "run.json":
                assert path.read_bytes() == (tmp_path / "many" / name / path.name).read_bytes(), path
    assert sorted(line["user"] for line in lines[1:]) == ["ann", "bob", "cid", "dan", "eva"]
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["ann", "bob", "dan", "eva", LEDGER]
    told = capfd.readouterr()
    assert not told.out and "raylet" not in told.err


def test_a_worker_tells_a_budget_that_nobody_can_have(save_model: Callable[..., Path], tmp_path: Path) -> None:
    model = save_model("smallest")
    (tmp_path / LEDGER).touch()
    order = Order(tmp_path, resolve_config(20_000), LIMITS)
    setting = Setting(str(model), load_model(str(model)).fingerprint, order, torch.get_num_threads())
    said = Worker(setting).do(Task("ann", ()))
    logging.disable(logging.NOTSET)
    assert isinstance(said, str) and "a budget of 20,000 bytes is infeasible: the smallest feasible size is" in said


def test_what_the_options_mean() -> None:
    assert asked_workers(None, None) is None
    assert asked_workers(2, None) == Workers("local", 2)
    assert asked_workers(None, "auto") == Workers("auto", None)
    with pytest.raises(OptionError, match="workers 0: expected at least 1"):
        asked_workers(0, None)


def test_a_loaded_model_is_not_sent(
    make_speech_model: Callable[[str], SpeechModel], users: Path, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match="name or folder of the model"):
        run_fleet(make_speech_model("smallest"), find_users(users), tmp_path / "o", CONFIG, Silent(), workers=Workers())


@pytest.mark.parametrize(
    ("address", "said"),
    [("127.0.0.1:1", "no answer: .*refused"), ("127.0.0.1:99999", "no answer"), ("x y", "ray x y: ")],
)
def test_a_cluster_that_does_not_answer_is_told_at_once(
    address: str, said: str, save_model: Callable[..., Path], users: Path, tmp_path: Path
) -> None:
    model = str(save_model("smallest"))
    with pytest.raises(OptionError, match=said):
        run_fleet(model, find_users(users), tmp_path / "out", CONFIG, Silent(), LIMITS, Workers(address))
