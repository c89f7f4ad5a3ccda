"""The look of the pictures: dark on white, in colours that colour-blind readers can tell apart (Okabe & Ito, 2008)."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222",
)  # fmt: skip
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""In the order in which curves take them."""
GREY = "#888888"

P = ParamSpec("P")

RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so pictures are the same everywhere
    "font.size": 11,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": BLACK,
    "axes.labelcolor": BLACK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E2E2E2",
    "grid.linewidth": 0.8,
    "text.color": BLACK,
    "xtick.color": BLACK,
    "ytick.color": BLACK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "white",
    "lines.linewidth": 2.0,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
}
"""Matplotlib's settings for every picture."""


def styled(picture: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make RC apply while `picture` draws; matplotlib's own settings stay as they were."""

    @functools.wraps(picture)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(RC):
            return picture(*args, **kwargs)

    return drawn


def new_figure(
    width: float,
    height: float,
    rows: int = 1,
    columns: int = 1,
    heights: Sequence[float] | None = None,
    sharex: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Return a figure, its size in inches, and its axes, row by row; pyplot and its global state are not used."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)  # type: ignore[union-attr,call-arg]
    grid = figure.subplots(rows, columns, squeeze=False, height_ratios=heights, sharex=sharex)
    return figure, list(np.ravel(grid))


def save(figure: Figure, path: Path) -> None:
    """Write the figure as a picture of 120 dots per inch."""
    with matplotlib.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")  # a label in a script that the font lacks
        figure.savefig(path, dpi=120)


def picture_text(text: str, longest: int = 24) -> str:
    """Prepare a user's text for a picture: one line of at most `longest` characters, in which `$` starts no formula."""
    text = " ".join(text.split())
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return text.replace("$", r"\$")


def shorten_middle(text: str, longest: int) -> str:
    """Prepare a key or a value for a picture. They differ at their ends, so too long a text loses its middle."""
    if len(text) > longest:
        tail = longest // 2
        text = f"{text[: longest - tail - 1]}…{text[-tail:]}"
    return picture_text(text, longest)


def count_axis(axes: Axes) -> None:
    """Give the y axis a few ticks at whole numbers of reviews."""
    axes.set_ylabel("reviews")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=4))
    axes.yaxis.set_major_formatter("{x:,.0f}")


def write_instead(axes: Axes, text: str) -> None:
    """Write `text` in place of a picture that the data does not allow."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", wrap=True, transform=axes.transAxes)
