"""What a sweep is asked to do, by the command line or by the folder of an earlier one; checked before it runs."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from sentexp.errors import SentexpError
from sentexp.redact import without_passwords
from sentexp.sweep.manifest import Manifest, differences, find, merged, merged_hydra
from sentexp.sweep.plan import Plan, Point
from sentexp.sweep.settings import Settings


@dataclass(frozen=True)
class SweepRequest:
    folder: Path
    config: DictConfig
    """Hydra's, as launchers take it; its sweep folder is `folder`."""
    settings: Settings
    plan: Plan
    manifest: Manifest
    resumed: bool


def asked(arguments: Sequence[str], config: DictConfig, loader: ConfigLoader) -> SweepRequest:
    """Raises SentexpError for wrong settings, and on resume for what differs from the recorded sweep."""
    settings = Settings.of(config.sweep)
    if settings.resume is not None:
        return _resumed(settings.resume, arguments, config, loader)
    folder = Path(config.hydra.sweep.dir).absolute()
    if (folder / "sweep.yaml").exists():
        raise SentexpError(f"hydra.sweep.dir={folder}: holds a sweep; expected another one, or sweep.resume={folder}")
    plan = Plan.of(arguments, settings.space, loader)
    return SweepRequest(
        folder, _in(folder, config), settings, plan, _manifest(folder, arguments, config, settings, plan), False
    )


def _resumed(resume: str, arguments: Sequence[str], config: DictConfig, loader: ConfigLoader) -> SweepRequest:
    folder = find(resume, Path("multirun"), "sweep.resume=")
    manifest = Manifest.read(folder)
    if Path(manifest.cwd) != Path.cwd():
        raise SentexpError(f"sweep.resume={resume}: was started in {manifest.cwd}; expected to be resumed there")
    hydra_arguments = merged_hydra(manifest.hydra_arguments, OmegaConf.to_container(config.hydra.overrides.hydra))  # type: ignore[arg-type]
    arguments = merged(manifest.arguments, arguments)
    now = loader.load_configuration(
        config_name=config.hydra.job.config_name,
        overrides=[*hydra_arguments, *arguments],
        run_mode=RunMode.MULTIRUN,
    )
    settings = Settings.of(now.sweep)
    plan = Plan.of(arguments, settings.space, loader)
    # what varies is not in the composed configuration, so it is compared as text
    then = {**manifest.config, **_varying(Plan.of(manifest.arguments, manifest.config["sweep"]["space"], loader))}
    changed = differences(then, {**_plain(now), **_varying(plan)})
    if changed:
        raise SentexpError(f"sweep.resume={resume}: the configuration has changed: {'; '.join(changed)}")
    return SweepRequest(folder, _in(folder, now), settings, plan, manifest, True)


def check(asked: SweepRequest, loader: ConfigLoader, checker: str | None) -> None:
    """Composes and checks a run with each value that is listed, so that a typo ends the sweep before its first run.

    A value that is fine beside some values of other keys passes: a combination that cannot work is a failed run.
    """
    refuse: Callable[[DictConfig], object] | None = get_method(checker) if checker is not None else None
    seen: dict[Point, Exception | None] = {}

    def mistake(point: Point) -> Exception | None:
        if point not in seen:
            try:
                composed = loader.load_sweep_config(asked.config, asked.plan.overrides_of(point))
                with open_dict(composed):
                    composed.pop("hydra")
                if refuse is not None:
                    refuse(composed)
                seen[point] = None
            except Exception as error:
                seen[point] = error
        return seen[point]

    for beside_first, beside_last in asked.plan.to_check():
        error = mistake(beside_first)
        if error is not None and mistake(beside_last) is not None:
            raise error


def _manifest(folder: Path, arguments: Sequence[str], config: DictConfig, settings: Settings, plan: Plan) -> Manifest:
    name = settings.study_name or "/".join(folder.parts[-2:])
    choices = dict(config.hydra.runtime.choices)
    return Manifest(
        id=uuid.uuid4().hex,
        name=name,
        arguments=list(arguments),
        hydra_arguments=list(config.hydra.overrides.hydra),
        cwd=os.getcwd(),
        config=_plain(config),
        choices={group: option for group, option in choices.items() if option and not group.startswith("hydra/")},
        launcher=str(choices.get("hydra/launcher", "basic")),
        metrics=list(settings.metrics),
        directions=list(settings.directions),
        swept=list(plan.swept),
        seeds=settings.seeds,
        storage=_absolute(settings.storage),
        study=name,
    )


def _plain(config: DictConfig) -> dict[str, Any]:
    without_hydra = config.copy()
    with open_dict(without_hydra):
        without_hydra.pop("hydra", None)
    plain: dict[str, Any] = OmegaConf.to_container(without_hydra, resolve=True)  # type: ignore[assignment]
    return without_passwords(plain)  # the environment may have brought one into an address


def _varying(plan: Plan) -> dict[str, str]:
    return {key: str(axis.get_value_string()) for key, axis in plan.axes.items()}


def _absolute(storage: str | None) -> str | None:
    if storage is None or ("://" in storage and not storage.startswith("sqlite:///")):
        return storage
    scheme, separator, path = storage.rpartition(":///")
    return f"{scheme}{separator}{Path(path).expanduser().absolute()}"


def _in(folder: Path, config: DictConfig) -> DictConfig:
    """The configuration with its sweep folder written out, so that it means the same in every process and job."""
    config = config.copy()
    escaped = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    with read_write(config.hydra):
        config.hydra.sweep.dir = str(folder)
        others = [text for text in config.hydra.overrides.hydra if not text.startswith("hydra.sweep.dir=")]
        config.hydra.overrides.hydra = [*others, f"hydra.sweep.dir='{escaped}'"]
    return config
