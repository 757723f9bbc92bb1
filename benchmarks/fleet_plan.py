r"""A million users: machines, hours and bytes, by going through the work of every user once, with what goes wrong.

    python benchmarks/fleet_plan.py --users 1000000 --machines 10 20 50

Takes the last undisturbed run of each model in ``benchmarks/results/fleet.csv``: seconds of a core a user and how far
users differ, how long a worker takes to begin, and the bytes of a bundle and of recordings. Everything else is an
assumption, given as an option. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from fleet import Row
from rows_file import read_rows

from myqasr_fx.fleet.on_ray import TRIES


@dataclass(frozen=True, slots=True)
class World:
    """What is assumed.

    Args:
        cores: Of a machine, a worker each.
        machine_hours: Mean hours between losses of one machine.
        back: Seconds until a lost machine is replaced.
        deaths: Share of users over whom a worker dies by chance.
        deadly: Share of users over whom every worker dies.
        slow: Share of machines that take twice as long.
        network: Bytes a second between a machine and the store of recordings and bundles.
    """

    cores: int
    machine_hours: float
    back: float
    deaths: float
    deadly: float
    slow: float
    network: float


@dataclass(frozen=True, slots=True)
class Plan:
    """What came of it.

    Args:
        hours: Until the last bundle.
        ideal: Hours if nothing went wrong and every core was busy to the end.
        retries: Tasks that were done again.
        machine_losses: Machines that were lost.
        given_up: Users whose every try failed.
        longest: Seconds of the last tenth of a per cent of users, as a share of the whole.
    """

    hours: float
    ideal: float
    retries: int
    machine_losses: int
    given_up: int
    longest: float


def simulate(row: Row, users: int, machines: int, world: World, seed: int = 0) -> Plan:
    """Goes through the queue: the next user goes to the worker that is free first.

    A worker that is lost in the middle of a user gives the user back to the end of the queue; what was done is lost.
    """
    random, workers = np.random.default_rng(seed), machines * world.cores
    spread = math.log(max(row.slowest / row.median, 1.0)) / max(NormalDist().inv_cdf(1 - 1 / max(row.made, 2)), 1e-9)
    work = row.cpu * random.lognormal(0.0, spread, users) + (row.stored + row.recordings) / world.network
    speed = np.where(random.random(machines) < world.slow, 2.0, 1.0).repeat(world.cores)
    losses = [list(_losses(random, world)) for _ in range(machines)]
    lost, retries, given_up = set[tuple[int, float]](), 0, 0
    start = max(row.begun - row.median, 0.0)
    free = [(start, worker) for worker in range(workers)]
    queue, ends = [(user, 0) for user in range(users)], list[float]()
    for user, tried in queue:  # grows by what is done again
        now, worker = heapq.heappop(free)
        end, machine = now + work[user] * speed[worker], worker // world.cores
        down = next((loss for loss in losses[machine] if now < loss <= end), None)
        if down is not None:
            lost.add((machine, down))
            heapq.heappush(free, (down + world.back + start, worker))
        elif _dies(random, user, users, world):
            down = now + (end - now) * random.random()
            heapq.heappush(free, (down + start, worker))
            tried += 1
        if down is None:
            heapq.heappush(free, (end, worker))
            ends.append(end)
        elif tried < TRIES:
            retries += 1
            queue.append((user, tried))
        else:
            given_up += 1
    ends.sort()
    tail = (ends[-1] - ends[int(0.999 * (len(ends) - 1))]) / ends[-1]
    return Plan(ends[-1] / 3600, float(work.sum()) / workers / 3600, retries, len(lost), given_up, tail)


def table(rows: Sequence[Row], users: int, machines: Sequence[int], world: World) -> list[str]:
    """Lines of a Markdown table."""
    names = (
        *("model", "machines", "hours", "core hours", "lost time", "machines lost", "done again", "given up"),
        *("bundles, TB", "model files, TB", "recordings read, TB"),
    )
    lines = []
    for row in rows:
        for count in machines:
            plan = simulate(row, users, count, world)
            over = f"{plan.hours / plan.ideal - 1:.1%}"
            cells = [row.model, str(count), f"{plan.hours:.1f}", f"{plan.hours * count * world.cores:,.0f}", over]
            cells += [f"{number:,}" for number in (plan.machine_losses, plan.retries, plan.given_up)]
            cells += [f"{size * users / 1e12:.2f}" for size in (row.stored, row.bytes, row.recordings)]
            lines.append(f"| {' | '.join(cells)} |")
    return [f"| {' | '.join(names)} |", f"{'| --- ' * len(names)}|", *lines]


def _losses(random: np.random.Generator, world: World, most: int = 64) -> np.ndarray:
    return np.cumsum(random.exponential(world.machine_hours * 3600, most))


def _dies(random: np.random.Generator, user: int, users: int, world: World) -> bool:
    """Users whose recordings kill every worker are the first ones; others do it by chance."""
    return user < world.deadly * users or random.random() < world.deaths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--machines", type=int, nargs="*", default=[10, 20, 50])
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--machine-hours", type=float, default=500.0, help="between losses of one machine")
    parser.add_argument("--back", type=float, default=600.0, help="seconds until a machine is replaced")
    parser.add_argument("--deaths", type=float, default=1e-4, help="share of users over whom a worker dies")
    parser.add_argument("--deadly", type=float, default=1e-5, help="share of users over whom all workers die")
    parser.add_argument("--slow", type=float, default=0.05, help="share of machines that take twice as long")
    parser.add_argument("--network", type=float, default=20e6, help="bytes a second of a worker")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results/fleet.csv"))
    options = parser.parse_args()
    world = World(
        *(options.cores, options.machine_hours, options.back),
        *(options.deaths, options.deadly, options.slow, options.network),
    )
    measured = {row.model: row for row in read_rows(Row, options.results) if row.killed == 0}
    print(*table(list(measured.values()), options.users, options.machines, world), sep="\n")


if __name__ == "__main__":
    main()
