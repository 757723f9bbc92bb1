r"""Runs one experiment of the paper; an interrupted run goes on at the cell where it stopped.

    python benchmarks/paper/run.py speaker --data digits/manifest.jsonl --model w2v2-digits

Writes the raw rows, the widths, matrices and heat maps to ``results/NAME`` (``results/NAME-quick`` with ``--quick``);
``tables.py`` then puts the tables into the README. ``--data`` is a JSONL manifest or the folder of a published corpus;
``--calibrate`` and ``--test`` replace the experiment's filters where another corpus has other fields.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments import EXPERIMENTS, chosen

from myqasr_fx.cli.personalize_view import sentence
from myqasr_fx.corpora import read_corpus
from myqasr_fx.evaluate import parse_filters
from myqasr_fx.models.load import load_model
from myqasr_fx.personalize.condition import conditions
from myqasr_fx.personalize.experiment import Experiment, run
from myqasr_fx.personalize.groups import GroupSplit, make_groups
from myqasr_fx.personalize.metric import has_texts
from myqasr_fx.personalize.result import Result, write_result
from myqasr_fx.process.freed_memory import keep_freed_memory
from myqasr_fx.process.progress import RichProgress

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=EXPERIMENTS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model")
    parser.add_argument("--calibrate", nargs="+", metavar="KEY=VALUE")
    parser.add_argument("--test", nargs="+", metavar="KEY=VALUE")
    parser.add_argument("--quick", action="store_true", help="few recordings, one draw: minutes instead of hours")
    parser.add_argument("--seeds", type=int, help="stop after so many draws; later runs add the others")
    parser.add_argument("--own-only", action="store_true", help="no test of a calibration on other groups")
    options = parser.parse_args()
    keep_freed_memory()
    plan = chosen(options.name, options.quick)
    sides = [
        parse_filters(given) if given else dict(planned)
        for given, planned in ((options.calibrate, plan.calibrate), (options.test, plan.test))
    ]
    split = GroupSplit(plan.by, max(plan.clips), plan.seeds, sides[0], sides[1], plan.test_clips, plan.groups)
    groups = make_groups(options.data, read_corpus(options.data), split)
    ways = conditions(plan.recipes, plan.budgets, None)
    seeds = options.seeds or plan.seeds
    texts = has_texts(plan.metric)
    cross = plan.matrix and plan.cross and not options.own_only
    experiment = Experiment(groups, ways, plan.clips, seeds, plan.matrix, cross, plan.diacritics, texts)
    out = RESULTS / (f"{options.name}-quick" if options.quick else options.name)
    rows = run(experiment, load_model(options.model or plan.model), out, RichProgress())
    result = Result.of(rows, plan.metric)
    write_result(result, out, plots=plan.kind == "matrix")
    for verdict in (*result.verdicts, *(result.beside.verdicts if result.beside else ())):
        print(sentence(verdict))


if __name__ == "__main__":
    main()
