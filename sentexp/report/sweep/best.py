"""The best point of a sweep as a preset that depends on no other file."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sentexp.config_files import conf_dir, keeping_references, literal_yaml
from sentexp.report.sweep.points import describe_point
from sentexp.report.sweep.tables import format_mean_and_deviation
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.results import PointResult, SweepResults

log = logging.getLogger(__name__)

LEFT_OUT = ("sweep", "tracking", "cache_dir", "experiment")
"""Sections that the preset leaves out: where and how it is run, and a preset whose values are all written out."""


def write_best(results: SweepResults) -> Path | None:
    """Write experiment/best.yaml into the sweep's folder, for `--config-dir SWEEP experiment=best`.

    It chooses the option of every group and sets every value, as the first finished job of the best point had them;
    Hydra recorded them in the job's folder. Options of the user's own are written beside it.

    Returns None if there is no best point, or, with a warning, if its job's configuration cannot be read. An older file
    is then removed.
    """
    path = results.folder / "experiment" / "best.yaml"
    path.unlink(missing_ok=True)
    best = results.best()
    if best is None:
        return None
    job = next(job for job in best.jobs if job.values is not None)
    try:
        config, choices = _ran_with(results.folder / job.folder / ".hydra")
    except (OSError, OmegaConfBaseException) as error:
        log.warning("experiment/best.yaml: not written, for what job %d ran with cannot be read: %s", job.number, error)
        return None
    path.parent.mkdir(exist_ok=True)
    for group, option in choices.items():
        if not (conf_dir() / group / f"{option}.yaml").is_file():
            own = results.folder / group / f"{option}.yaml"
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(literal_yaml(config[group]), encoding="utf-8")
    defaults = [{f"override /{group}": option} for group, option in choices.items()]
    preset = literal_yaml({"defaults": [*defaults, "_self_"], **config})
    path.write_text("# @package _global_\n" + _heading(results, best, job) + preset, encoding="utf-8")
    return path


def _ran_with(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Read a job's configuration and the option of each of its groups from Hydra's files in `folder`.

    It is resolved, apart from references to environment variables.
    """
    loaded = OmegaConf.load(folder / "config.yaml")
    config: dict[str, Any] = OmegaConf.to_container(loaded, resolve=True)  # type: ignore[assignment]
    # what the environment said may be of this machine alone, or a secret
    config = keeping_references(config, OmegaConf.to_container(loaded))
    config = {key: value for key, value in config.items() if key not in LEFT_OUT}
    runtime = OmegaConf.load(folder / "hydra.yaml")
    assert isinstance(runtime, DictConfig)
    choices = runtime.hydra.runtime.choices
    return config, {group: option for group, option in choices.items() if option and group in config}


def _heading(results: SweepResults, best: PointResult, job: JobRecord) -> str:
    shown = [f"{name} {format_mean_and_deviation(best, index)}" for index, name in enumerate(results.metrics)]
    seeds = f" (mean over {best.n} seeds; this is seed {job.seed})" if job.seed is not None else ""
    lines = [
        f"The best point of the sweep {results.name}, job {job.number}: {describe_point(best, results.swept)}",
        f"{', '.join(shown)}{seeds}",
        shlex.join(["python", "-m", "sentexp", "--config-dir", str(results.folder), "experiment=best"]),
    ]
    return "".join(f"# {' '.join(line.split())}\n" for line in lines)
