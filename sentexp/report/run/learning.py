"""Learning curves: loss and accuracy per epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sentexp.report.style import BLUE, GREY, VERMILION, new_figure, styled, write_instead


@styled
def learning_curves(history: Sequence[Mapping[str, float]], best_epoch: int | None = None) -> Figure:
    """Draw loss and accuracy, from one entry per epoch: see `FitResult.history`. The best epoch is marked."""
    figure, (loss, accuracy) = new_figure(10, 4.2, columns=2)
    if not history:
        write_instead(loss, "no epoch was finished")
        accuracy.set_axis_off()
        return figure
    epochs = [int(entry["epoch"]) for entry in history]
    for axes, metric, label in ((loss, "loss", "loss (nats per review)"), (accuracy, "accuracy", "accuracy (%)")):
        scale = 100 if metric == "accuracy" else 1
        for split, colour, marker in (("train", BLUE, "o"), ("valid", VERMILION, "s")):
            if f"{split}/{metric}" not in history[0]:
                continue  # trained without validation reviews
            values = [scale * entry[f"{split}/{metric}"] for entry in history]
            name = {"train": "training", "valid": "validation"}[split]
            axes.plot(epochs, values, marker=marker, markersize=5, color=colour, label=name)
        if best_epoch in epochs and f"valid/{metric}" in history[0]:
            best = scale * history[epochs.index(best_epoch)][f"valid/{metric}"]
            axes.axvline(best_epoch, color=GREY, linestyle=":", linewidth=1.4, zorder=0)
            unit = " %" if metric == "accuracy" else ""
            axes.plot(
                [best_epoch], [best], "o", markersize=13, markerfacecolor="none", markeredgecolor=VERMILION,
                markeredgewidth=1.8, linestyle="none",
                label=f"best epoch, {best_epoch}: {best:.{3 if scale == 1 else 1}f}{unit}",
            )  # fmt: skip
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.legend(loc="best")
    loss.set_title("Loss by epoch")
    accuracy.set_title("Accuracy by epoch")
    return figure
