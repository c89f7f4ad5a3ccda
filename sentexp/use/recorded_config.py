"""The configuration that a trained model is judged by: its run's own, with other data if they are asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from sentexp.config import check
from sentexp.config_files import conf_dir, literal_yaml
from sentexp.errors import SentexpError
from sentexp.explain import mistakes_explained
from sentexp.foreign import foreign, refuse, refuse_foreign
from sentexp.machine.temporary import temporary_folder
from sentexp.schema import Config, schema_of

OF_JUDGING = r"data([.@]|$)|evaluation(\.|$)|trainer\.(device|precision)$"
"""Regular expression of the keys that say by what and where a model is judged."""

RECORDED = "of_the_run"
"""Name under which Hydra is given what the run recorded."""


def is_of_judging(override: str) -> bool:
    """Return True if a word of the command line sets a key that says by what and where a model is judged."""
    key, equals, _ = override.partition("=")
    return bool(equals) and re.match(OF_JUDGING, key.lstrip("+")) is not None


def composed_over(
    recorded: Mapping[str, Any], overrides: Sequence[str] = (), folder: Path | None = None, *, trust: bool = False
) -> Config:
    """Compose the sections data, evaluation and trainer that a run has recorded, changed by `overrides`.

    With data=OPTION among them, nothing of the run's own data is left. `folder` has further options, as --config-dir.
    A key that was added since the run has its default.

    Raises SentexpError for a key that would change the model, as `sentexp.compose` for others, where the run has
    recorded no data and `overrides` name none, and without `trust` if what was recorded names code outside of this
    package.
    """
    for override in overrides:
        if not is_of_judging(override):
            expected = "expected keys of data or evaluation, trainer.device or trainer.precision"
            raise SentexpError(f"{override}: the model stays as it was trained; {expected}")
    chosen = any(override.startswith("data=") for override in overrides)
    if not chosen and not isinstance(recorded.get("data"), Mapping):
        raise SentexpError("data: the run has recorded none; expected data=..., as for training")
    sections = ["evaluation", "trainer"] if chosen else ["data", "evaluation", "trainer"]
    if not trust:
        refuse_foreign(recorded, sections)
    words = [] if folder is None else ["--config-dir", str(folder)]
    with (
        temporary_folder() as place,
        mistakes_explained([*words, *overrides]),
        initialize_config_dir(str(conf_dir()), version_base="1.3", job_name="sentexp"),
    ):
        given = [] if chosen else [_write(place, "data", _data(recorded))]
        settings = {section: recorded[section] for section in ("seed", "trainer", "evaluation") if section in recorded}
        given.append(_write(place, "experiment", settings))
        searched = ",".join(f"'file://{one.absolute()}'" for one in (folder, place) if one is not None)
        composed = compose("config", overrides=[f"hydra.searchpath=[{searched}]", *given, *overrides])
        if not trust:
            _refuse_what_nobody_asked_for(composed, sections, overrides)
        try:
            return check(composed)
        except SentexpError as error:
            if str(error).startswith("data.") and not any(map(str(error).startswith, overrides)) and not chosen:
                raise SentexpError(f"{error} (the run's own data; data=... names others)") from error
            raise


def _write(place: Path, group: str, values: Mapping[str, Any]) -> str:
    """Write values as an option of a group, and return the override that chooses it."""
    (place / group).mkdir()
    package = "# @package _global_\n" if group == "experiment" else ""
    (place / group / f"{RECORDED}.yaml").write_text(package + literal_yaml(values), encoding="utf-8")
    return f"{group}={RECORDED}"


def _data(recorded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the run's section data, above the option that it was made of, where that is a built-in one."""
    # Hydra would read a list of defaults as further files to compose, which may be anywhere
    values = {key: value for key, value in recorded["data"].items() if key != "defaults"}
    target = values.get("_target_")
    if schema_of("data", target) is None:
        return values
    return {**values, "defaults": [str(target).split(".")[-2], "_self_"]}  # hub for sentexp.data.hub.load


def _refuse_what_nobody_asked_for(composed: DictConfig, sections: Sequence[str], overrides: Sequence[str]) -> None:
    """Raise SentexpError if what was composed names code outside of this package that no override names."""
    asked = [override.lstrip("+").partition("=")[0] for override in overrides]
    values: Any = OmegaConf.to_container(composed, resolve=False)
    for key, path in foreign(values, sections):
        if not any(f"{key}.".startswith(f"{one}.") for one in asked):
            refuse(key, path)
