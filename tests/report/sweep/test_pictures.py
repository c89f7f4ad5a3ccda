from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import made_up_sweeps as made_up
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sentexp.report.sweep.by_parameter import metric_by_parameter
from sentexp.report.sweep.curves import curve_metric, sweep_curves
from sentexp.report.sweep.history import optimisation_history
from sentexp.report.sweep.importance import parameter_importance
from sentexp.report.sweep.parallel import parallel_coordinates
from sentexp.report.sweep.pareto import on_front, pareto_front
from sentexp.sweep.results import SweepResults

Picture = Callable[[SweepResults], Figure]


def words(figure: Figure) -> str:
    return "\n".join(str(artist.get_text()) for artist in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def line(figure: Figure, label: str) -> list[float]:
    lines = [line for axes in figure.axes for line in axes.lines if str(line.get_label()).startswith(label)]
    return list(lines[0].get_ydata())


def test_history_shows_the_best_so_far_and_marks_pruned_and_failed(tmp_path: Path) -> None:
    results = made_up.search(tmp_path)
    figure = optimisation_history(results)
    best = line(figure, "best so far")
    assert best == sorted(best)
    assert best[-1] == results.best().values[0]  # type: ignore[union-attr,index]
    assert "pruned (4)" in words(figure)
    assert "failed (2)" in words(figure)


def test_the_best_so_far_goes_down_where_less_is_better(tmp_path: Path) -> None:
    figure = optimisation_history(made_up.two_objectives(tmp_path))
    best = [list(axes.lines[1].get_ydata()) for axes in figure.axes[:2]]
    assert best[0] == sorted(best[0])
    assert best[1] == sorted(best[1], reverse=True)


def test_history_over_seeds_is_that_of_the_means(tmp_path: Path) -> None:
    figure = optimisation_history(made_up.seeds(tmp_path))
    assert line(figure, "best mean so far") == pytest.approx([0.75, 0.8, 0.8, 0.8])
    assert len(line(figure, "a job")) == 6


def test_parallel_coordinates_draw_a_line_for_each_point_within_the_picture(tmp_path: Path) -> None:
    results = made_up.search(tmp_path)
    (axes,) = parallel_coordinates(results).axes
    (lines,) = (found for found in axes.collections if isinstance(found, LineCollection))
    heights = np.array([path.vertices for path in lines.get_paths()])[:, :, 1]
    assert heights.shape == (24, 4)  # points with a result; three keys and the metric
    assert heights.min() >= 0
    assert heights.max() <= 1
    assert "24 points (6 without a result left out)" in axes.get_title("left")


def test_importance_finds_the_key_that_matters(tmp_path: Path) -> None:
    (axes,) = parameter_importance(made_up.search(tmp_path, count=60)).axes
    assert [label.get_text() for label in axes.get_yticklabels()][-1] == "optimizer.lr"
    assert sum(bar.get_width() for bar in axes.patches) == pytest.approx(1)
    assert axes.patches[-1].get_width() > 0.9


def test_importance_tells_what_an_option_explains_from_its_keys(tmp_path: Path) -> None:
    (axes,) = parameter_importance(made_up.left_out(tmp_path)).axes
    assert [label.get_text() for label in axes.get_yticklabels()][-1] == "model"
    assert axes.patches[-1].get_width() > 0.9


def test_the_metric_is_drawn_over_a_key_at_the_points_that_set_it(tmp_path: Path) -> None:
    results = made_up.left_out(tmp_path)
    axes = metric_by_parameter(results).axes[list(results.swept).index("model.hidden_size")]
    assert axes.get_xlabel() == "model.hidden_size"
    marks = [x for container in axes.containers for x in container[0].get_xdata() if np.isfinite(x)]
    assert len(marks) == sum("model.hidden_size" in point.point.values for point in results.points())


def test_importance_says_when_it_is_a_guess(tmp_path: Path) -> None:
    assert "too few for more than a rough guess" in words(parameter_importance(made_up.grid(tmp_path)))
    assert "rough" not in words(parameter_importance(made_up.search(tmp_path, count=60)))


def test_learning_curves_end_where_jobs_were_pruned_and_the_best_is_highlighted(tmp_path: Path) -> None:
    figure = sweep_curves(made_up.search(tmp_path))
    (axes,) = figure.axes
    lengths = [{len(path) for path in found.get_paths()} for found in axes.collections]
    assert lengths == [{6}, {6}, {2}]  # finished, failed, pruned
    assert len(line(figure, "best: lr=")) == 6
    for part in ("finished (24)", "failed (2)", "pruned (4)"):
        assert part in words(figure)


@pytest.mark.parametrize(
    ("metric", "shown"),
    [
        ("best/valid_accuracy", "valid/accuracy"),
        ("best/valid_loss", "valid/loss"),
        ("test/accuracy", "valid/accuracy"),
        ("valid/loss", "valid/loss"),
        ("seconds", "seconds"),
        ("f1", "valid/accuracy"),
    ],
)
def test_curves_are_of_the_metric_behind_that_of_the_sweep(metric: str, shown: str) -> None:
    entry = dict.fromkeys(("epoch", "train/loss", "valid/loss", "valid/accuracy", "seconds"), 1.0)
    assert curve_metric(metric, [entry]) == shown
    assert curve_metric(metric, [{"epoch": 1.0, "reward": 2.0}]) == "reward"
    assert curve_metric(metric, [{"epoch": 1.0}]) is None


def test_the_metric_by_parameter_has_a_square_for_each_key_that_varies(tmp_path: Path) -> None:
    figure = metric_by_parameter(made_up.search(tmp_path))
    assert [axes.get_xlabel() for axes in figure.axes] == ["optimizer.lr", "model.output_dropout", "model"]
    assert figure.axes[0].get_xscale() == "log"
    assert figure.axes[1].get_xscale() == "linear"


def test_the_metric_by_parameter_shows_deviations_over_seeds(tmp_path: Path) -> None:
    figure = metric_by_parameter(made_up.seeds(tmp_path))
    bars = [bar for axes in figure.axes for container in axes.containers for bar in container[2]]
    reaches = [np.ptp(segment[:, 1]) / 2 for bar in bars for segment in bar.get_segments() if len(segment)]
    assert max(reaches) == pytest.approx(0.0707, abs=1e-3)
    assert "standard deviation over seeds" in words(figure)


def test_the_front_holds_what_nothing_beats() -> None:
    values = np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 9.0], [0.0, 9.0], [2.0, 5.0]])
    assert on_front(values, ["maximize", "minimize"]).tolist() == [False, True, True, False, True]
    assert on_front(values, ["minimize", "minimize"]).tolist() == [True, False, False, True, False]


def test_the_front_is_drawn_for_each_pair_of_objectives(tmp_path: Path) -> None:
    assert len(pareto_front(made_up.two_objectives(tmp_path)).axes) == 1
    figure = pareto_front(made_up.three_objectives(tmp_path))
    assert len(figure.axes) == 3
    assert "test/loss (minimize)" in words(figure)


@pytest.mark.parametrize(
    ("picture", "shape", "said"),
    [
        (optimisation_history, made_up.nothing_finished, "no job has finished yet\n(1 pruned, 1 failed, 1 running"),
        (optimisation_history, made_up.no_job, "no job has finished yet\n(no job)"),
        (parallel_coordinates, made_up.one_job, "needs points that differ in a value"),
        (parallel_coordinates, made_up.nothing_finished, "no job has finished yet"),
        (metric_by_parameter, made_up.nothing_swept, "needs points that differ in a value"),
        (parameter_importance, made_up.one_job, "needs points that differ in a value"),
        (parameter_importance, made_up.seeds, "needs 4 points with a result at least; there are 3"),
        (parameter_importance, made_up.all_equal, "every point has the same best/valid_accuracy"),
        (sweep_curves, made_up.no_job, "no job has recorded an epoch"),
        (pareto_front, made_up.no_job, "no job has finished yet"),
    ],
)
def test_a_picture_says_why_there_is_none(
    picture: Picture, shape: Callable[[Path], SweepResults], said: str, tmp_path: Path
) -> None:
    results = shape(tmp_path)
    if picture is pareto_front:
        results = made_up.sweep(tmp_path, results.swept, results.jobs, ("a", "b"), ("maximize", "minimize"))
    assert said in words(picture(results))
