"""The pictures of a data set's report."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from sentexp.inspection.inspect import Inspection
from sentexp.inspection.splits import percent
from sentexp.report.style import COLOURS, VERMILION, new_figure, picture_text, styled

BINS = 40
WIDEST = 0.99
"""Share of the training reviews whose lengths are shown; the longest ones would leave no room for the others."""
MOST_LABELS = 30


@styled
def lengths(inspection: Inspection) -> Figure:
    """Draw the share of each split's reviews per bin of lengths, and where they are cut."""
    figure, (axes,) = new_figure(8.4, 4)
    last = max(2, inspection.splits["train"].quantile(WIDEST))
    edges = np.unique(np.linspace(0, last + 1, BINS + 1).astype(int))
    for colour, (split, facts) in zip(COLOURS, inspection.splits.items(), strict=False):
        counts, _ = np.histogram(facts.lengths, edges)
        axes.stairs(100 * counts / len(facts.lengths), edges, color=colour, linewidth=1.6, label=split)
    if inspection.bound is not None and inspection.bound <= last:
        axes.axvline(inspection.bound, color=VERMILION, linestyle=":", label=f"cut at {inspection.bound:,}")
    axes.set_title("Lengths of the reviews")
    axes.set_xlabel(f"tokens (up to {last:,}, which {percent(WIDEST)} of the training reviews have at most)")
    axes.set_ylabel("share of the split (%)")
    axes.legend(loc="best")
    return figure


@styled
def labels(inspection: Inspection) -> Figure:
    """Draw the share of each label in each split with labels, the most frequent label first."""
    names = inspection.reviews.labels
    splits = {split: facts for split, facts in inspection.splits.items() if facts.labelled}
    order = np.argsort(-splits["train"].counts, kind="stable")[:MOST_LABELS]
    figure, (axes,) = new_figure(8.4, 1.6 + 0.45 * len(order))
    height = 0.8 / len(splits)
    for place, (split, facts) in enumerate(splits.items()):
        shares = 100 * facts.counts[order] / facts.counts.sum()
        axes.barh(np.arange(len(order)) + place * height, shares, height, color=COLOURS[place], label=split)
    axes.set_yticks(np.arange(len(order)) + height, [picture_text(names[label]) for label in order])
    axes.invert_yaxis()
    all_shown = len(order) == len(names)
    axes.set_title("Labels" if all_shown else f"Labels, the {len(order)} most frequent of {len(names):,}")
    axes.set_xlabel("share of the split (%)")
    axes.legend(loc="best")
    return figure
