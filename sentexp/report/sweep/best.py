"""The best configuration of a sweep as a preset that needs nothing but itself."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sentexp.config import conf_dir
from sentexp.report.sweep.points import describe
from sentexp.report.sweep.tables import mean_and_deviation
from sentexp.sweep.results import JobRecord, Point, SweepResults

log = logging.getLogger(__name__)

NOT_THE_EXPERIMENT = ("sweep", "tracking", "cache_dir", "experiment")
"""Left out: where and how it is run, and the preset whose values are all written out."""


def write_best(record: SweepResults) -> Path | None:
    """Writes experiment/best.yaml into the sweep's folder, for `--config-dir SWEEP experiment=best`.

    It chooses every group's option and sets every value to what the best point's first finished job ran with, as Hydra
    recorded it in the job's folder. An option that does not come with sentexp is written beside it. Returns None, and
    says why if there is a best point, where there is nothing to write from; an older file is then removed.
    """
    path = record.folder / "experiment" / "best.yaml"
    path.unlink(missing_ok=True)
    best = record.best()
    if best is None:
        return None
    job = next(job for job in best.jobs if job.values is not None)
    try:
        config, choices = _ran_with(record.folder / job.folder / ".hydra")
    except (OSError, OmegaConfBaseException) as error:
        log.warning("experiment/best.yaml: not written, for what job %d ran with cannot be read: %s", job.number, error)
        return None
    path.parent.mkdir(exist_ok=True)
    for group, option in choices.items():
        if not (conf_dir() / group / f"{option}.yaml").is_file():
            own = record.folder / group / f"{option}.yaml"
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(_yaml(config[group]), encoding="utf-8")
    defaults = [{f"override /{group}": option} for group, option in choices.items()]
    preset = _yaml({"defaults": [*defaults, "_self_"], **config})
    path.write_text("# @package _global_\n" + _heading(record, best, job) + preset, encoding="utf-8")
    return path


def _ran_with(folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """The resolved configuration of a job and the option of each of its groups, from what Hydra wrote into `folder`."""
    loaded = OmegaConf.load(folder / "config.yaml")
    config: dict[str, Any] = OmegaConf.to_container(loaded, resolve=True)  # type: ignore[assignment]
    config = {key: value for key, value in config.items() if key not in NOT_THE_EXPERIMENT}
    runtime = OmegaConf.load(folder / "hydra.yaml")
    assert isinstance(runtime, DictConfig)
    choices = runtime.hydra.runtime.choices
    return config, {group: option for group, option in choices.items() if option and group in config}


def _heading(record: SweepResults, best: Point, job: JobRecord) -> str:
    figures = ", ".join(f"{name} {mean_and_deviation(best, index)}" for index, name in enumerate(record.metrics))
    seeds = f" (mean over {best.n} seeds; this is seed {job.seed})" if job.seed is not None else ""
    lines = [
        f"The best point of the sweep {record.name}, job {job.number}: {describe(best, record.swept)}",
        f"{figures}{seeds}",
        shlex.join(["python", "-m", "sentexp", "--config-dir", str(record.folder), "experiment=best"]),
    ]
    return "".join(f"# {' '.join(line.split())}\n" for line in lines)


def _yaml(values: dict[str, Any]) -> str:
    return OmegaConf.to_yaml(OmegaConf.create(_literal(values)))


def _literal(value: Any) -> Any:
    """The same with texts that OmegaConf reads as they are: after resolving, `${` is no reference."""
    if isinstance(value, str):
        return value.replace("${", "\\${")
    if isinstance(value, dict):
        return {key: _literal(inner) for key, inner in value.items()}
    return [_literal(inner) for inner in value] if isinstance(value, list) else value
