"""The paper's experiments, each as one value: what is compared, on whom, how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from myqasr_fx.personalize.metric import Metric

PAPER = ("paper", "paper-cosine", "paper-hessian")
_TWIN = ("paper:activation_ranges=twin", "paper-cosine:activation_ranges=twin")
_REFERENCE = ("reference", "reference:activation_ranges=twin")
"""The choices of the paper's published code that files can hold, and all of them."""

_ABLATED = ("paper:allocation=uniform", "paper:order=shuffled", "paper:order=descending")
INT8 = "paper-file:activations=int8,granularity=channel,order=descending"
"""Every choice that is not the paper's is spelled out."""
LANGUAGES = ("kerstin", "AllisonSmith", "AllisonSmith_es", "JuneWallack", "CarloFlora", "IvrvoiceRU", "nathalie")
"""One voice each: German, English, Spanish, French, Italian, Russian, Dutch."""

ENGLISH = ("AllisonSmith", "kathleen", "4088")
"""Three voices of one language: what they lose on each other is the voice's and the domain's doing."""

TEN = ("4088", "4406", "5652", "8226", "1407", "2208", "2236", "2327", "2438", "2740")
"""Four speakers of LibriSpeech train-clean-100, six of speechocean762."""


@dataclass(frozen=True, slots=True)
class PaperExperiment:
    """One experiment.

    Args:
        model: Name or folder; ``--model`` overrides it.
        by: Field whose values are the groups.
        recipes: As ``myqasr personalize --recipe``.
        budgets: As ``myqasr personalize --budgets``.
        clips: Numbers of calibration clips.
        seeds: Draws of calibration clips.
        calibrate: Fields of the recordings that may calibrate.
        test: Fields of the recordings that may test.
        groups: Which groups; all when empty.
        test_clips: Most test recordings of a group.
        matrix: Controls and every calibration on every test; else each calibration on its own test alone.
        cross: With ``matrix``, whether every calibration is tested on every group, or controls on each group alone.
        diacritics: Let accents count; the Spanish and French texts lack some.
        kind: Which tables and plot show it.
        metric: As ``myqasr personalize --metric``.
    """

    model: str
    by: str
    recipes: tuple[str, ...]
    budgets: tuple[str, ...]
    clips: tuple[int, ...]
    seeds: int = 3
    calibrate: Mapping[str, str] = field(default_factory=dict)
    test: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    test_clips: int | None = None
    matrix: bool = True
    cross: bool = True
    diacritics: bool = True
    kind: Literal["matrix", "curve", "clips"] = "matrix"
    metric: Metric = "wer"


_GENDER = PaperExperiment(
    "whisper-tiny.en",
    "gender",
    (*PAPER, *_ABLATED),
    ("avg=8", "avg=7", "avg=6.5", "avg=6", "avg=5.5", "avg=5"),
    (8,),
    seeds=1,
    calibrate={"dataset": "librispeech_train_clean_100"},
    test={"dataset": "librispeech_test_other"},
    matrix=False,
    kind="curve",
)
_BASE = replace(_GENDER, model="whisper-base", test_clips=10)
"""Orders differ between whole numbers of bits alone, scales everywhere, so that they are two experiments."""

_DIGITS = PaperExperiment(
    "w2v2-digits",
    "speaker",
    ("paper", "paper-cosine", INT8),
    ("avg=3",),
    (8,),
    calibrate={"split": "calib"},
    test={"split": "test"},
)

_LANGUAGE = PaperExperiment(
    "whisper-base",
    "speaker",
    (INT8,),
    ("avg=5",),
    (16,),  # 4088 has 26 recordings
    seeds=1,
    groups=(*LANGUAGES, *ENGLISH[1:]),
    test_clips=16,
    diacritics=False,
)

EXPERIMENTS: Mapping[str, PaperExperiment] = {
    "gender": _GENDER,
    "gender-base": replace(_BASE, recipes=PAPER, budgets=("avg=7", "avg=6", "avg=5")),
    "gender-base-orders": replace(_BASE, recipes=("paper", *_ABLATED), budgets=("avg=5.5", "avg=6.5")),
    "gender-matrix": replace(
        _GENDER, recipes=(INT8,), budgets=("avg=5",), clips=(16,), seeds=3, matrix=True, kind="matrix"
    ),
    "language": _LANGUAGE,
    "language-divergence": replace(_LANGUAGE, test_clips=10, cross=False, metric="divergence"),
    "curve": replace(
        _DIGITS,
        recipes=(*PAPER, *_ABLATED, *_TWIN, *_REFERENCE),
        budgets=("avg=6", "avg=5", "avg=4", "avg=3.5", "avg=3", "avg=2.5"),
        seeds=1,
        groups=("george", "lucas", "theo"),
        matrix=False,
        kind="curve",
    ),
    "speaker": _DIGITS,
    "speaker-whisper": PaperExperiment(
        "whisper-tiny.en", "speaker", (INT8,), ("avg=5",), (8,), groups=TEN, test_clips=10
    ),
    "clips": replace(_DIGITS, recipes=("paper-cosine", INT8), clips=(1, 2, 4, 8, 16), matrix=False, kind="clips"),
    "clips-whisper": replace(
        _GENDER,
        recipes=(INT8,),
        budgets=("avg=5",),
        clips=(1, 2, 4, 8, 16, 32),
        seeds=3,
        test_clips=10,
        kind="clips",
        metric="divergence",
    ),
}

DIGITS = frozenset({"curve", "speaker", "clips"})
"""Experiments on connected digits; all others hear sentences."""

_FEW = {"seeds": 1, "test_clips": 6}
_FIVE = {**_FEW, "clips": (4,), "test_clips": 2, "groups": (*LANGUAGES[:2], LANGUAGES[3], *ENGLISH[1:])}
QUICK: Mapping[str, Mapping[str, object]] = {
    "gender": {**_FEW, "recipes": PAPER[:2], "budgets": ("avg=6", "avg=5"), "clips": (4,)},
    "gender-base": {**_FEW, "recipes": PAPER[:2], "budgets": ("avg=6",), "clips": (2,)},
    "gender-base-orders": {**_FEW, "budgets": ("avg=5.5",), "test_clips": 2, "clips": (2,)},
    "gender-matrix": {**_FEW, "clips": (4,)},
    "language": _FIVE,
    "language-divergence": _FIVE,
    "curve": {"recipes": ("paper", "paper-cosine", "paper:allocation=uniform"), "test_clips": 10},
    "speaker": {"seeds": 1, "test_clips": 10},
    "speaker-whisper": {**_FEW, "clips": (4,), "test_clips": 4, "groups": (*TEN[:3], *TEN[4:7])},
    "clips": {"test_clips": 10, "clips": (1, 4, 16)},
    "clips-whisper": {**_FEW, "seeds": 2, "clips": (1, 8)},
}
"""What ``--quick`` changes."""


def chosen(name: str, quick: bool) -> PaperExperiment:
    """The experiment, or its short form."""
    return replace(EXPERIMENTS[name], **QUICK[name]) if quick else EXPERIMENTS[name]  # type: ignore[arg-type]
