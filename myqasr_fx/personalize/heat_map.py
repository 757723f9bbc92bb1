"""A matrix as the paper prints it: one square a cell, its number inside."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from myqasr_fx.bundle.output_file import write_file
from myqasr_fx.errors import OptionError
from myqasr_fx.personalize.matrix import Matrix
from myqasr_fx.personalize.metric import METRICS, Metric

PACKAGE = "matplotlib"


def check_plots() -> None:
    """Refuses to start where no plot can be drawn.

    Raises:
        OptionError: The package that draws is not installed.
    """
    try:
        import matplotlib  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise OptionError(f"{PACKAGE} is not installed", hint="pip install 'myqasr-fx[plot]', or --no-plot") from error


def draw_heat_map(matrix: Matrix, metric: Metric, title: str, path: Path) -> None:
    """Writes a PNG; rows are calibration targets, columns test targets, numbers in the metric's unit.

    Args:
        matrix: What to draw.
        metric: Decides which end of the colours is good.
        title: Above it.
        path: File.
    """
    from matplotlib.figure import Figure

    meaning = METRICS[metric]
    values = [
        [
            meaning.factor * s.value if (s := matrix.scores.get((row, column))) else float("nan")
            for column in matrix.tests
        ]
        for row in matrix.calibrations
    ]
    finite = sorted(value for line in values for value in line if value == value)
    # A model that repeats itself can have a rate of several hundred percent, which would bleach everything else.
    top = finite[-1] if meaning.unit != "%" else min(finite[-1], 100.0)
    size = (3.6 + 0.9 * len(matrix.tests), 2.0 + 0.5 * len(matrix.calibrations))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    colours = "viridis" if meaning.high_is_good else "viridis_r"
    image = axes.imshow(values, cmap=colours, aspect="auto", vmin=finite[0], vmax=max(top, finite[0] + 1e-6))
    axes.set_xticks(range(len(matrix.tests)), matrix.tests, rotation=45, ha="right")
    axes.set_yticks(range(len(matrix.calibrations)), matrix.calibrations)
    axes.set(xlabel="tested on", ylabel="calibrated on", title=title)
    for y, line in enumerate(values):
        for x, value in enumerate(line):
            if value == value:
                red, green, blue, _ = image.to_rgba(np.array(value))
                dark = 0.3 * red + 0.6 * green + 0.1 * blue < 0.5
                axes.text(
                    x, y, f"{value:.{meaning.digits}f}", ha="center", va="center", color="white" if dark else "black"
                )
    figure.colorbar(image, label=f"{'WER' if metric == 'wer' else meaning.title}, {meaning.unit}")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=120)
    write_file(path, drawn.getvalue(), force=True)
