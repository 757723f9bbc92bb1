"""``myqasr personalize``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from myqasr_fx.cli.answer import Answer, DebugFlag, JsonFlag
from myqasr_fx.cli.personalize_view import personalize_view
from myqasr_fx.errors import OptionError
from myqasr_fx.process.progress import RichProgress

if TYPE_CHECKING:
    from myqasr_fx.personalize.groups import Group, GroupSplit
    from myqasr_fx.personalize.metric import Metric

Model = Annotated[str, Argument(metavar="MODEL", help="A folder, a built-in name or a hub id.", show_default=False)]
Data = Annotated[Path, Option("--data", help="JSONL manifest, or a corpus folder.", show_default=False)]
By = Annotated[str, Option("--by", help="Whose field makes the groups: gender, lang, speaker, dataset or another.")]
Budgets = Annotated[
    str,
    Option(
        "--budgets",
        help="24MB, avg=3 (bits a weight), bits=4 (one width) or none (linear allocation); several with commas.",
    ),
]
Clips = Annotated[str, Option("--clips", help="Calibration clips in every cell; several numbers with commas.")]
Out = Annotated[Path, Option("--out", help="Folder of the result; a run that was interrupted goes on.")]
Recipes = Annotated[
    list[str] | None,
    Option("--recipe", help="Recipe, with options after a colon: paper:order=shuffled; may repeat. [default: default]"),
]
Control = Annotated[bool, Option("--control/--no-control", help="Also calibrate on everybody else and on noise.")]
Seeds = Annotated[int, Option("--seeds", help="Draws of calibration clips.")]
Calibrate = Annotated[
    list[str] | None, Option("--calibrate", help="Lines that may calibrate, split=calib; may repeat.")
]
Test = Annotated[list[str] | None, Option("--test", help="Lines that may test, split=test; may repeat.")]
TestClips = Annotated[int | None, Option("--test-clips", help="Most test recordings of a group.")]
Groups = Annotated[str | None, Option("--groups", help="Groups to take, with commas. [default: all]")]
ActivationBits = Annotated[
    int | None, Option("--activation-bits", help="Width of quantized activations, 4 to 8. [default: the recipe's]")
]
MetricName = Annotated[
    str,
    Option(
        "--metric",
        help="wer; accuracy: utterances without an error; divergence or agreement with full precision, without texts.",
    ),
]
Cross = Annotated[bool, Option("--cross/--own-only", help="Test every calibration on every group, or on its own.")]
Diacritics = Annotated[bool, Option("--diacritics/--no-diacritics", help="Whether accents count.")]
Plot = Annotated[bool, Option("--plot/--no-plot", help="Draw heat maps; needs the extra `plot`.")]


def personalize(
    model: Model,
    *,
    data: Data,
    by: By,
    budgets: Budgets,
    clips: Clips,
    out: Out,
    recipe: Recipes = None,
    control: Control = True,
    seeds: Seeds = 1,
    calibrate: Calibrate = None,
    test: Test = None,
    test_clips: TestClips = None,
    groups: Groups = None,
    activation_bits: ActivationBits = None,
    metric: MetricName = "wer",
    cross: Cross = True,
    diacritics: Diacritics = True,
    plot: Plot = True,
    as_json: JsonFlag = False,
    debug: DebugFlag = False,
) -> Answer:
    """Measure whether calibrating on one's own recordings helps: every group calibrated, every group tested."""
    from myqasr_fx.evaluate import parse_filters
    from myqasr_fx.models.load import load_model
    from myqasr_fx.options.recipes import DEFAULT_EFFORT, EFFORTS
    from myqasr_fx.personalize.condition import conditions
    from myqasr_fx.personalize.experiment import Experiment, run
    from myqasr_fx.personalize.groups import GroupSplit
    from myqasr_fx.personalize.heat_map import check_plots
    from myqasr_fx.personalize.metric import has_texts
    from myqasr_fx.personalize.result import Result, write_result

    score = _metric(metric)
    if plot:
        check_plots()
    numbers = _numbers(clips)
    ways = conditions(recipe or (EFFORTS[DEFAULT_EFFORT],), budgets.split(","), activation_bits)
    only = tuple(filter(None, (groups or "").split(",")))
    sides = parse_filters(calibrate or ()), parse_filters(test or ())
    split = GroupSplit(by, max(numbers), seeds, sides[0], sides[1], test_clips, only)
    texts = has_texts(score)
    experiment = Experiment(_groups(data, split), ways, numbers, seeds, control, cross, diacritics, texts)
    rows = run(experiment, load_model(model), out, RichProgress())
    result = Result.of(rows, score)
    written = write_result(result, out, plot)
    data_out = {"model": model, "data": str(data), "by": by, **result.as_dict(), "files": [str(p) for p in written]}
    return Answer(data_out, personalize_view(result, out))


def _groups(data: Path, split: GroupSplit) -> tuple[Group, ...]:
    from myqasr_fx.corpora import read_corpus
    from myqasr_fx.personalize.groups import make_groups

    return make_groups(data, read_corpus(data), split)


def _metric(name: str) -> Metric:
    from myqasr_fx.personalize.metric import METRICS, is_metric

    if is_metric(name):
        return name
    raise OptionError(f"metric {name!r}: expected {', '.join(METRICS)}")


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 1:
        raise OptionError(f"clips {text!r}: expected whole numbers of at least 1, such as 8 or 1,2,4")
    return numbers
