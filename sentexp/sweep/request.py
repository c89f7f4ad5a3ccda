"""What a sweep is to do, from the command line or from the folder of an earlier sweep; checked before it runs."""

from __future__ import annotations

import os
import shlex
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_method
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from sentexp.config import choices_of, typed_section
from sentexp.config_files import keeping_references
from sentexp.errors import SentexpError
from sentexp.explain import explain, missing_key
from sentexp.foreign import may_run_code, of_hydra_changed
from sentexp.redact import SECRET_NAME, without_passwords
from sentexp.schema import SweepConfig
from sentexp.servers import SentPassword, sent_passwords
from sentexp.sweep import trust
from sentexp.sweep.manifest import Manifest, differences, find, merged, merged_hydra
from sentexp.sweep.options import typed_for_hydra
from sentexp.sweep.passwords import in_environment, refuse_forgotten
from sentexp.sweep.plan import Plan
from sentexp.sweep.point import Point
from sentexp.tracking.environment import program


@dataclass(frozen=True)
class SweepRequest:
    folder: Path
    config: DictConfig
    """Hydra's, as launchers take it; its sweep folder is `folder`."""
    settings: SweepConfig
    plan: Plan
    manifest: Manifest
    resumed: bool
    """True if an earlier sweep goes on."""
    needs_trust: bool = False
    """True if whoever resumes it must trust it, for it names code outside of this package."""

    @property
    def is_foreign(self) -> bool:
        """True if the folder may be anyone's: what it names is not to be run."""
        return self.resumed and not self.settings.trust

    def resume_command(self) -> str:
        """Return the command line that goes on with this sweep."""
        trusting = ["sweep.trust=true"] if self.needs_trust else []
        servers = {f"{sent.key}={sent.address}": None for sent in _sent_passwords(self.manifest, self.config)}
        words = [*(() if trusting else servers), *trusting]
        return shlex.join([program(), "-m", *self.added_folders(), f"sweep.resume={self.folder}", *words])

    def added_folders(self) -> list[str]:
        """Return the words of the command line that add the user's folder of options."""
        sources = self.config.hydra.runtime.config_sources
        return [part for one in sources if one.provider == "command-line" for part in ("--config-dir", one.path)]


def sweep_request(arguments: Sequence[str], config: DictConfig, loader: ConfigLoader) -> SweepRequest:
    """Return what the `arguments` after `-m` ask for; `config` is what Hydra composed for the sweep.

    Raises SentexpError for wrong settings, and on resume for what differs from the recorded sweep.
    """
    section = config.sweep
    if OmegaConf.select(section, "resume") is not None:  # the sampler that a storage needs is recorded
        section = OmegaConf.merge(section, {"storage": None})
    settings = typed_section(section, SweepConfig, "sweep.")
    arguments, config = _without_typed_passwords(arguments, config, loader)
    if settings.resume is not None:
        return _resumed(settings.resume, arguments, config, loader, trusted=settings.trust)
    folder = Path(config.hydra.sweep.dir).absolute()
    if folder == Path.cwd():
        raise SentexpError(
            f"hydra.sweep.dir={config.hydra.sweep.dir}: the current folder; expected one of the sweep's own"
        )
    if (folder / "sweep.yaml").exists():
        raise SentexpError(f"hydra.sweep.dir={folder}: holds a sweep; expected another one, or sweep.resume={folder}")
    plan = Plan.of(arguments, settings.space, config, loader)
    manifest = _manifest(folder, arguments, config, settings, plan)
    return SweepRequest(folder, _with_folder(config, folder), settings, plan, manifest, resumed=False)


def _without_typed_passwords(
    arguments: Sequence[str], config: DictConfig, loader: ConfigLoader
) -> tuple[Sequence[str], DictConfig]:
    """Return the same arguments and configuration with references in the place of values that hold a password."""
    hidden, typed = in_environment(arguments), typed_for_hydra(config)
    hidden_of_hydra = in_environment(typed)
    if [*hidden, *hidden_of_hydra] == [*arguments, *typed]:
        return arguments, config
    composed = loader.load_configuration(
        config.hydra.job.config_name, [*hidden_of_hydra, *hidden], run_mode=RunMode.MULTIRUN
    )
    OmegaConf.copy_cache(from_config=config, to_config=composed)  # the time that is in the folder's name
    HydraConfig.instance().set_config(composed)  # for it goes to other processes
    return hidden, composed


def _resumed(
    resume: str, arguments: Sequence[str], config: DictConfig, loader: ConfigLoader, *, trusted: bool
) -> SweepRequest:
    folder = find(resume, Path("multirun"), "sweep.resume=")
    manifest = Manifest.read(folder)
    if Path(manifest.cwd) != Path.cwd():
        raise SentexpError(f"sweep.resume={resume}: was started in {manifest.cwd}; expected to be resumed there")
    typed = [*typed_for_hydra(config), *arguments]
    hydra_arguments = merged_hydra(manifest.hydra_arguments, typed_for_hydra(config))
    arguments = merged(manifest.arguments, arguments)
    refuse_forgotten([*hydra_arguments, *arguments], resume)
    if not trusted:  # this early: the search path is imported from
        trust.refuse((one for one in may_run_code([*hydra_arguments, *arguments]) if one not in typed), resume)
    now = loader.load_configuration(
        config_name=config.hydra.job.config_name,
        overrides=[*hydra_arguments, *arguments],
        run_mode=RunMode.MULTIRUN,
    )
    settings = typed_section(now.sweep, SweepConfig, "sweep.")
    if not trusted:
        plain = loader.load_configuration(config.hydra.job.config_name, hydra_arguments, run_mode=RunMode.MULTIRUN)
        trust.refuse(of_hydra_changed(_as_written(now.hydra), _as_written(plain.hydra)), resume)
        trust.refuse(trust.code_in(_recorded(now)), resume)
        _refuse_other_servers(manifest, now, settings, typed, resume)
    plan = Plan.of(arguments, settings.space, now, loader)
    # what varies is not in the composed configuration, so it is compared as text
    space = manifest.config.get("sweep", {}).get("space", {})
    then = {**manifest.config, **_varying(Plan.of(manifest.arguments, space, now, loader))}
    changed = differences(then, {**_recorded(now), **_varying(plan)}, arguments)
    if changed:
        raise SentexpError(f"sweep.resume={resume}: the configuration has changed: {'; '.join(changed)}")
    settings.trust, settings.resume = trusted, resume
    return SweepRequest(folder, _with_folder(now, folder), settings, plan, manifest, resumed=True)


def _refuse_other_servers(
    manifest: Manifest, now: DictConfig, settings: SweepConfig, typed: Sequence[str], resume: str
) -> None:
    """Raise SentexpError for a server that a folder names, and that would be sent the user's password."""
    keys = {override.partition("=")[0].lstrip("+") for override in typed}
    if without_passwords(_absolute(settings.storage)) != without_passwords(manifest.storage):
        keys -= {"sweep.storage"}
    for sent in _sent_passwords(manifest, now):
        if sent.key not in keys:
            line = sent.refusal(f"{sent.key}=... typed again, or sweep.trust=true")
            raise SentexpError(f"sweep.resume={resume}: {line}")


def _sent_passwords(manifest: Manifest, config: DictConfig) -> list[SentPassword]:
    """Return the passwords of the environment that are sent to servers which a sweep names."""
    uri = OmegaConf.select(config, "tracking.uri")
    return [
        *sent_passwords("sweep.storage", manifest.storage),
        *sent_passwords("tracking.uri", None if uri is None else str(uri)),
    ]


def seeds_of(request: SweepRequest) -> list[int | None]:
    """Return the seed of each job of a point; None leaves the seed as it is configured.

    Raises SentexpError if sweep.seeds cannot be combined with the seed of the sweep.
    """
    count = request.settings.seeds
    if count == 1:
        return [None]
    if "seed" in request.plan.axes:
        raise SentexpError(f"sweep.seeds={count}: repeats every point with seeds of its own; expected seed=... once")
    first = OmegaConf.select(request.config, "seed")
    if first is None:
        raise SentexpError(f"sweep.seeds={count}: the configuration has no key `seed`")
    return [first + index for index in range(count)]


def check_points(request: SweepRequest, loader: ConfigLoader, checker: str | None) -> SweepRequest:
    """Compose a job with each value that is listed, so that a typo ends the sweep before its first job.

    `checker` is the dotted path of a function that raises for a wrong configuration. A value that is accepted together
    with some values of the other keys passes: a combination that cannot work makes a failed job. Returns the request
    with what was learnt of the code that it names.
    """
    check = _function(checker) if checker is not None else None
    seen: dict[Point, Exception | None] = {}
    code = may_run_code(request.manifest.hydra_arguments)

    def mistake(point: Point) -> Exception | None:
        if point in seen:
            return seen[point]
        named: list[str] = []
        subdir: str | None = None
        seen[point] = None
        try:
            composed = loader.load_sweep_config(request.config, request.plan.overrides_of(point))
            named = of_hydra_changed(_as_written(composed.hydra), _as_written(request.config.hydra))
            subdir = _first_subdir(composed) if request.is_foreign else None
            with open_dict(composed):
                composed.pop("hydra")
            named += trust.code_in(_values_of(composed))
            if check is not None and not (named and request.is_foreign):
                check(composed)
        except Exception as error:
            seen[point] = error
        if request.is_foreign:
            trust.refuse(named, str(request.settings.resume))
        if subdir is not None:
            trust.refuse_elsewhere(request.folder / subdir, request.folder, str(request.settings.resume))
        code.extend(named)
        return seen[point]

    for beside_first, beside_last in request.plan.points_to_check():
        error = mistake(beside_first)
        if error is not None and mistake(beside_last) is not None:
            if missing_key(error) is not None:  # sweep.space may have the key, or the options that lack it
                raise SentexpError(explain(error, [*request.added_folders(), *request.plan.lines])) from error
            raise error
    return replace(request, needs_trust=bool(code))


def _function(checker: str) -> Callable[[DictConfig], object]:
    try:
        return get_method(str(checker))
    except (ImportError, ValueError) as error:
        expected = "expected the dotted path of one, or null"
        raise SentexpError(f"hydra.sweeper.check={checker}: no such function; {expected}") from error


def _values_of(composed: DictConfig) -> dict[str, Any]:
    values: dict[str, Any] = OmegaConf.to_container(composed, resolve=True)  # type: ignore[assignment]
    return values


def _first_subdir(composed: DictConfig) -> str:
    """Return the folder of a job inside of the sweep's, as if it were the first."""
    with read_write(composed.hydra), open_dict(composed.hydra):
        composed.hydra.job.num, composed.hydra.job.id = 0, "0"
    return str(composed.hydra.sweep.subdir)


def _as_written(section: DictConfig) -> dict[str, Any]:
    """Return plain values with the references among them."""
    values: dict[str, Any] = OmegaConf.to_container(section, resolve=False)  # type: ignore[assignment]
    return values


def check_folders(request: SweepRequest, loader: ConfigLoader) -> None:
    """Raise SentexpError if two jobs would write into one folder, as far as examples of the points can tell."""
    sweep: Any = OmegaConf.to_container(request.config.hydra.sweep, resolve=False)
    if any(reference in str(sweep["subdir"]) for reference in ("hydra.job.num", "hydra.job.id")):
        return
    jobs = {
        (point, seed) for points in request.plan.points_to_check() for point in points for seed in seeds_of(request)
    }
    taken: dict[str, str] = {}
    for point, seed in sorted(jobs, key=str):
        job = [*request.plan.overrides_of(point), *([] if seed is None else [f"seed={seed}"])]
        try:
            composed = loader.load_sweep_config(request.config, job)
        except Exception:  # it fails on its own: `check_points` has let it pass
            continue
        try:
            folder = str(OmegaConf.select(composed, "hydra.sweep.subdir"))
        except OmegaConfBaseException as error:
            raise SentexpError(f"hydra.sweep.subdir={sweep['subdir']}: {str(error).splitlines()[0]}") from error
        told = f"{point}{'' if seed is None else f' seed={seed}'}".strip()
        if folder in taken:
            raise SentexpError(
                f"hydra.sweep.subdir={sweep['subdir']}: the jobs {taken[folder]} and {told} would share the folder "
                f"{folder}; expected a folder per job, such as ${{hydra.job.num}}"
            )
        taken[folder] = told


def _manifest(
    folder: Path, arguments: Sequence[str], config: DictConfig, settings: SweepConfig, plan: Plan
) -> Manifest:
    name = settings.study_name or "/".join(folder.parts[-2:])
    return Manifest(
        id=uuid.uuid4().hex,
        name=name,
        arguments=list(arguments),
        hydra_arguments=typed_for_hydra(config),
        cwd=os.getcwd(),
        config=_recorded(config),
        choices=choices_of(config.hydra),
        launcher=str(config.hydra.runtime.choices.get("hydra/launcher", "basic")),
        metrics=list(settings.metrics),
        directions=list(settings.directions),
        swept=list(plan.swept),
        seeds=settings.seeds,
        storage=_absolute(settings.storage),
        study=name,
    )


def _recorded(config: DictConfig) -> dict[str, Any]:
    """Return the configuration as plain values, without Hydra's section."""
    without_hydra = config.copy()
    with open_dict(without_hydra):
        without_hydra.pop("hydra", None)
    resolved, raw = _values_of(without_hydra), OmegaConf.to_container(without_hydra)
    # the environment may have brought one into an address
    return without_passwords(keeping_references(resolved, raw, SECRET_NAME, str))


def _varying(plan: Plan) -> dict[str, str]:
    return {key: str(axis.get_value_string()) for key, axis in plan.axes.items()}


def _absolute(storage: str | None) -> str | None:
    """Return a journal file or SQLite URL with its path written out; a sweep's processes need not share a folder."""
    if storage is None or ("://" in storage and not storage.startswith("sqlite:///")):
        return storage
    scheme, separator, path = storage.rpartition(":///")
    return f"{scheme}{separator}{Path(path).expanduser().absolute()}"


def _with_folder(config: DictConfig, folder: Path) -> DictConfig:
    """Return the configuration with its sweep folder written out, so that every process and job means the same one."""
    config = config.copy()
    escaped = str(folder).replace("\\", "\\\\").replace("'", "\\'")
    with read_write(config.hydra):
        config.hydra.sweep.dir = str(folder)
        others = [text for text in typed_for_hydra(config) if not text.startswith("hydra.sweep.dir=")]
        config.hydra.overrides.hydra = [*others, f"hydra.sweep.dir='{escaped}'"]
    return config
