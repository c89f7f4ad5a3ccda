"""Which run is to go on, with what it was asked for, and what may differ from it."""

from __future__ import annotations

import dataclasses
import json
import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentexp import checkpoint_files
from sentexp.checkpoint_files import CheckpointFile
from sentexp.errors import SentexpError
from sentexp.foreign import may_run_code, refusal, texts_in
from sentexp.redact import flatten, lacks_password
from sentexp.schema import PATHS, TrainerConfig
from sentexp.servers import SentPassword, sent_passwords

log = logging.getLogger(__name__)

KEY, TRUST = "trainer.resume", "trainer.trust"

MAY_CHANGE = (
    "cache_dir", "evaluation", "shapes", "sweep", "tracking", "trainer.checkpoint_every", "trainer.checkpoint_minutes",
    "trainer.early_stopping", "trainer.log_every", "trainer.on_oom", "trainer.threads",
)  # fmt: skip
"""Sections and keys that say nothing of the steps to come. A path may change as well: the reviews are compared."""

MACHINE = ("device", "precision", "processes")
"""Keys of trainer that stand for what was found on the machine where the training began."""

OF_NO_LENGTH = ("sentexp.training.schedules.constant", "sentexp.training.schedules.plateau")
"""Schedules whose rates do not depend on how many epochs there will be; with a warm-up they do."""


@dataclass(frozen=True)
class Stopped:
    """A run that was stopped, as its newest checkpoint tells."""

    output: Path
    """Its output folder."""
    checkpoint: CheckpointFile
    changed: dict[str, str]
    """Keys that have another value now, with both values."""

    @property
    def facts(self) -> dict[str, Any]:
        return self.checkpoint.facts

    def check(self, text: Mapping[str, str], versions: Mapping[str, Any]) -> None:
        """Raise SentexpError if one of the things that the run is made of has another digest than it had.

        Other `versions` of libraries are only told.
        """
        for what, digest in text.items():
            if self.facts["text"].get(what) != digest:
                raise SentexpError(
                    f"{KEY}={self.output}: the {what} is not the one that this training began with; expected the same "
                    "reviews and the same versions of what reads them, or a new run"
                )
        then = self.facts["versions"]
        others = [f"{name} {then.get(name)} then, {now} now" for name, now in versions.items() if then.get(name) != now]
        if others:
            log.warning("resume: %s; figures may differ in their last digits", ", ".join(others))

    def trainer(self, trainer: TrainerConfig) -> TrainerConfig:
        """Return `trainer` with what `auto` stood for when the training began; see MACHINE."""
        then, found = self.facts["machine"], {}
        for key in MACHINE:
            asked = getattr(trainer, key)
            if asked == "auto":
                found[key] = then[key]
            elif asked.partition(":")[0] != then[key]:  # of a GPU the number does not matter
                raise SentexpError(
                    f"trainer.{key}={asked}: this training began with {then[key]}; expected the same, or auto"
                )
        return dataclasses.replace(trainer, **found)


def stopped(output: Path, config: Mapping[str, Any]) -> Stopped:
    """Return the run that was stopped in `output`, to go on with `config`, all of its values.

    Raises SentexpError if there is no checkpoint, and for a configuration that would make it another training.
    """
    checkpoint = checkpoint_files.newest(output)
    changed = dict(_differences(checkpoint.facts["config"], config))
    refused = {key: both for key, both in changed.items() if not _may_change(key, config)}
    if refused:
        listed = ", ".join(f"{key}: {both}" for key, both in refused.items())
        hint = ""
        if "trainer.epochs" in refused:
            hint = "; with this schedule the rates depend on the number of epochs"
        raise SentexpError(
            f"{KEY}={output}: it would be another training: {listed}{hint}; expected the same values, or a new run"
        )
    return Stopped(output, checkpoint, changed)


def recorded_overrides(overrides: Sequence[str]) -> list[str]:
    """Return the overrides of the run that `trainer.resume=FOLDER` among `overrides` names, and then these.

    Of a key that stands in both, that of `overrides` is kept; the run's own trainer.resume and trainer.trust are left
    out, as they were said of another folder. Without trainer.resume they are returned as they are.
    Raises SentexpError if the folder has no checkpoint, and without trainer.trust=true among `overrides` where one of
    the recorded ones names code outside of this package, or a server that would be sent a password of the user's: the
    folder may be anyone's.
    """
    folder = resumed(overrides)
    if folder is None:
        return list(overrides)
    before = checkpoint_files.newest(Path(folder)).facts["overrides"]
    if not isinstance(before, list) or not all(isinstance(one, str) for one in before):
        raise SentexpError(f"{KEY}={folder}: its checkpoint does not say how the run was made; expected a new run")
    left_out = {*map(key_of, overrides), KEY, TRUST}
    kept = [override for override in before if key_of(override) not in left_out]
    named = [] if f"{TRUST}=true" in overrides else [*may_run_code(kept), *filter(_names_code, kept)]
    for override in named:
        raise SentexpError(f"{KEY}={folder}: {refusal(override, f'{TRUST}=true', 'run')}")
    for override in kept:
        if lacks_password(override):
            raise SentexpError(f"{key_of(override)}: its password is not kept; expected it beside {KEY}")
    for sent in () if f"{TRUST}=true" in overrides else _sent_passwords(kept):
        line = sent.refusal(f"{sent.key}=... beside it, or {TRUST}=true")
        raise SentexpError(f"{KEY}={folder}: {line}")
    return [*kept, *overrides]


def resumed(overrides: Sequence[str]) -> str | None:
    """Return what trainer.resume names among overrides; None without it."""
    values = [override.partition("=")[2] for override in overrides if key_of(override) == KEY]
    text = values[-1] if values else "null"
    if text[:1] == text[-1:] == "'":
        text = text[1:-1].replace("\\'", "'")
    return None if text in ("null", "") else text


def key_of(override: str) -> str:
    """Return the key, or the group, of an override, such as model.dropout of `+model.dropout=0.1`."""
    return override.partition("=")[0].lstrip("+~").partition("@")[0]


def _names_code(override: str) -> bool:
    """Return True for an override that can name code, such as a `_target_` or the path of a metric or a tokenizer."""
    key = key_of(override)
    return (
        "_target_" in override
        or any(part.startswith("_") for part in key.split("."))
        or key in ("evaluation", "tokenizer.path")
        or key.startswith("evaluation.metrics")
    )


def _sent_passwords(overrides: Sequence[str]) -> list[SentPassword]:
    """Return the passwords of the environment that are sent to servers which overrides name."""
    of_tracking = [one for one in overrides if key_of(one).partition(".")[0] == "tracking"]
    return [sent for one in of_tracking for text in texts_in(one) for sent in sent_passwords("tracking.uri", text)]


def resume_command(output: Path, overrides: Sequence[str], config_dir: str | None) -> str:
    """Return the command by which the run of these overrides goes on; it names what is not taken from its folder."""
    words = ["sentexp", *(["--config-dir", config_dir] if config_dir is not None else []), f"{KEY}={output}"]
    if may_run_code(overrides) or any(map(_names_code, overrides)):
        words.append(f"{TRUST}=true")
    else:
        words += dict.fromkeys(f"{sent.key}={sent.address}" for sent in _sent_passwords(overrides))
    return shlex.join(words)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    then, today = flatten(before), flatten(json.loads(json.dumps(now)))  # as a file of JSON gives values back
    for key in sorted({*then, *today}):
        if then.get(key) != today.get(key) and key not in (KEY, TRUST):
            yield key, f"{then.get(key, 'nothing')} then, {today.get(key, 'nothing')} now"


def _may_change(key: str, config: Mapping[str, Any]) -> bool:
    if key == "trainer.epochs":
        schedule = config["schedule"]
        return schedule.get("_target_") in OF_NO_LENGTH and not schedule.get("warmup")
    # these stand for what they have become; see Stopped.trainer
    if key in PATHS or key in [f"trainer.{name}" for name in MACHINE]:
        return True
    return any(key == one or key.startswith(f"{one}.") for one in MAY_CHANGE)
