"""The report of a sweep as files in one folder."""

from __future__ import annotations

from pathlib import Path

from sentexp.report.spreadsheet import write_csv
from sentexp.report.style import save
from sentexp.report.sweep.best import write_best
from sentexp.report.sweep.by_parameter import metric_by_parameter
from sentexp.report.sweep.curves import sweep_curves
from sentexp.report.sweep.history import optimisation_history
from sentexp.report.sweep.importance import parameter_importance
from sentexp.report.sweep.page import jobs_page
from sentexp.report.sweep.parallel import parallel_coordinates
from sentexp.report.sweep.pareto import pareto_front
from sentexp.report.sweep.tables import jobs_table, points_table
from sentexp.sweep.results import SweepResults


def write_sweep_report(results: SweepResults, folder: Path) -> list[Path]:
    """Write the report into `folder`, and return the paths of its files:

    - jobs.csv: one row per job; jobs.html: the same as a page, with the points and the pictures
    - points.csv: one row per point, with mean and standard deviation over its seeds
    - optimisation_history.png, parallel_coordinates.png, parameter_importance.png, learning_curves.png,
      metric_by_parameter.png, and with several metrics pareto_front.png
    - experiment/best.yaml, in the sweep's folder, if there is a best point

    The sweep may still be running.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(jobs_table(results), folder / "jobs.csv", float_format=None)
    write_csv(points_table(results), folder / "points.csv", float_format=None)
    written = [folder / "jobs.csv", folder / "points.csv", folder / "jobs.html"]
    pictures = {
        "optimisation_history": optimisation_history,
        "parallel_coordinates": parallel_coordinates,
        "parameter_importance": parameter_importance,
        "learning_curves": sweep_curves,
        "metric_by_parameter": metric_by_parameter,
    }
    if len(results.metrics) > 1:
        pictures["pareto_front"] = pareto_front
    for name, picture in pictures.items():
        save(picture(results), folder / f"{name}.png")
        written.append(folder / f"{name}.png")
    files = {name: folder / f"{name}.png" for name in pictures}
    (folder / "jobs.html").write_text(jobs_page(results, files), encoding="utf-8")
    best = write_best(results)
    return sorted([*written, best] if best is not None else written)
