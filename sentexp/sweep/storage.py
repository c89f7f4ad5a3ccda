"""The study of a sweep: an Optuna study with one trial per point, where each attribute `job/N` of a trial is one job.

Whoever runs a job records its beginning and its end here, so that they outlive the driver; the driver records the end
of jobs that died before they could. Drivers that share a study know their own trials by the attribute `driver`.
"""

from __future__ import annotations

import functools
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from sentexp.errors import SentexpError, one_line
from sentexp.locks import held
from sentexp.private_interfaces import trial_in_progress
from sentexp.redact import without_passwords
from sentexp.servers import STORAGE_PASSWORD
from sentexp.sweep.field_types import fits
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.journal_lock import JournalLock
from sentexp.sweep.point import Point

SQLITE = "sqlite:///"
"""What the address of a file of SQLite's begins with."""


class SweepStorage:
    """A study and the storage that it lies in. A trial is named by its number in the study."""

    def __init__(self, storage: BaseStorage, study: optuna.Study) -> None:
        self.study = study
        self._storage = storage
        self._study_id = storage.get_study_id_from_name(study.study_name)

    def add(
        self,
        driver: str,
        point: Point,
        jobs: Iterable[JobRecord],
        parameters: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
        **attributes: Any,
    ) -> int:
        """Add a trial, all of it in one write. Return its number."""
        template = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=dict(parameters),
            distributions=dict(distributions),
            user_attrs={**attributes, **_attributes(driver, point, jobs)},
        )
        return self._storage.get_trial_number_from_id(self._storage.create_new_trial(self._study_id, template))

    def claim(self, number: int, driver: str, point: Point, jobs: Iterable[JobRecord]) -> None:
        """Make a trial that `study.ask` has just returned one of this driver's."""
        for key, value in _attributes(driver, point, jobs).items():
            self._set(number, key, value)

    def check(self, driver: str) -> None:
        """Raise SentexpError if the trials of a driver are not as this class writes them: the study may be anyone's."""
        try:
            for trial in self.trials(driver):
                for problem in _problems(trial, len(self.study.directions)):
                    raise SentexpError(f"trial {trial.number}: {problem}")
        except Exception as error:  # Optuna checks little of what it reads
            reason = f"damaged ({one_line(error)}); expected a study as a sweep writes it"
            raise SentexpError(f"sweep.study_name={self.study.study_name}: {reason}") from error

    def trial(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._id(number))

    def trials(self, driver: str) -> list[FrozenTrial]:
        """Return the trials of one driver, in order; they must not be changed."""
        trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        return [trial for trial in trials if trial.user_attrs.get("driver") == driver]

    def newest_trials(self, driver: str) -> list[FrozenTrial]:
        """Return the trials of one driver without those that a retry has superseded."""
        return newest(self.trials(driver))

    def live(self, number: int) -> optuna.Trial:
        """Return the trial as the object that metrics are reported to."""
        return trial_in_progress(self.study, self._id(number))

    def job(self, trial: int, index: int) -> JobRecord:
        """Return a job's record as it is now."""
        return next(job for job in jobs_of(self.trial(trial)) if job.index == index)

    def write(self, job: JobRecord) -> None:
        """Store a job's record. If all jobs of its trial have ended now, the trial ends too."""
        assert job.trial is not None
        self._set(job.trial, f"job/{job.index}", job.to_dict())
        if job.has_ended:
            self._end_if_all_have(job.trial)

    def fail(self, number: int) -> None:
        """End a trial that a retry has superseded or that nobody runs."""
        self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def _end_if_all_have(self, number: int) -> None:
        jobs = jobs_of(self.trial(number))
        if not all(job.has_ended for job in jobs):
            return
        values = [job.values for job in jobs if job.values is not None]
        # jobs that end at the same moment may both come here
        tell = functools.partial(self.study.tell, number, skip_if_finished=True)
        if any(job.state == "pruned" for job in jobs):
            tell(state=TrialState.PRUNED)
        elif values:
            tell([fmean(column) for column in zip(*values, strict=True)])
        else:
            tell(state=TrialState.FAIL)

    def _set(self, number: int, key: str, value: Any) -> None:
        self._storage.set_trial_user_attr(self._id(number), key, value)

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)


def _attributes(driver: str, point: Point, jobs: Iterable[JobRecord]) -> dict[str, Any]:
    # the driver comes last: with it, the trial counts as the driver's
    records = {f"job/{job.index}": job.to_dict() for job in jobs}
    return {"overrides": list(point.overrides), **records, "driver": driver}


def jobs_of(trial: FrozenTrial) -> list[JobRecord]:
    """Return the records of a trial's jobs, by their index."""
    point = point_of(trial)
    stored = {int(key[4:]): value for key, value in trial.user_attrs.items() if key.startswith("job/")}
    return [
        JobRecord.from_dict(stored[index], point=point, trial=trial.number, index=index) for index in sorted(stored)
    ]


def point_of(trial: FrozenTrial) -> Point:
    return Point(tuple(trial.user_attrs["overrides"]))


def _problems(trial: FrozenTrial, metrics: int) -> Iterator[str]:
    """Yield what is wrong with a trial; `metrics` is their number. Raises ValueError for what Optuna itself refuses."""
    optuna.trial.create_trial(
        state=trial.state, values=trial.values, params=trial.params, distributions=trial.distributions
    )
    attributes = trial.user_attrs
    kinds = {"overrides": list[str], "retry_of": int | None, "tries": int | None}
    for name, kind in kinds.items():
        if not fits(attributes.get(name), kind):
            yield f"{name} is {attributes.get(name)!r}"
    yield from (f"{one!r} is no override" for one in attributes["overrides"] if not _is_override(one))
    for job in jobs_of(trial):
        problem = job.problem()
        if problem is not None:
            yield f"job {job.index}: {problem}"
        elif job.values is not None and len(job.values) != metrics:
            yield f"job {job.index}: {len(job.values)} values for {metrics} metrics"


@functools.lru_cache(maxsize=10_000)  # of all points, most have their values in common
def _is_override(text: str) -> bool:
    try:
        OverridesParser.create().parse_override(text)
    except HydraException:
        return False
    return True


def newest(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Return the trials that no other among them is a retry of."""
    trials = list(trials)
    superseded = {trial.user_attrs.get("retry_of") for trial in trials}
    return [trial for trial in trials if trial.number not in superseded]


def open_storage(
    storage: str,
    name: str,
    *,
    directions: Sequence[str] | None = None,
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
) -> SweepStorage:
    """Open the study `name` in a journal file or at a database URL; with `directions`, create it if it is missing.

    Raises SentexpError if the storage cannot be used, or holds a study of that name with other directions.
    """
    shown = without_passwords(storage)
    refuse_other_files(storage)
    path, _ = _file_of(storage)
    if directions is None and path is not None and not path.is_file():  # reading would make one
        raise SentexpError(f"sweep.storage={shown}: no such file; expected the study of a sweep")
    # without a sampler, Optuna would take TPE, which reads the whole study for each trial
    sampler = sampler or optuna.samplers.RandomSampler()
    try:
        opened = _opened(storage, os.getpid())
        if directions is None:
            study = optuna.load_study(study_name=name, storage=opened, sampler=sampler, pruner=pruner)
        else:
            study = optuna.create_study(
                study_name=name,
                storage=opened,
                sampler=sampler,
                pruner=pruner,
                directions=[StudyDirection[direction.upper()] for direction in directions],
                load_if_exists=True,
            )
    except KeyError as error:  # of a journal, all has been read by now
        raise SentexpError(f"sweep.study_name={name}: no such study in {shown}") from error
    except (OSError, ValueError, ImportError, SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        reason = f"{str(error).splitlines()[0]}{_password_hint(storage)}"
        raise SentexpError(f"sweep.storage={shown}: {reason}") from error
    recorded = tuple(direction.name.lower() for direction in study.directions)
    if directions is not None and recorded != tuple(directions):
        raise SentexpError(f"sweep.study_name={name}: its direction is {','.join(recorded)} in {shown}")
    return SweepStorage(opened, study)


def _password_hint(storage: str) -> str:
    if "://" not in storage or storage.startswith("sqlite") or STORAGE_PASSWORD in os.environ:
        return ""
    return f" (a password is read from {STORAGE_PASSWORD}, which is not set)"


FIRST_BYTES = {"journal of Optuna's": b'{"op_code"', "database of SQLite's": b"SQLite format 3"}
"""How the files begin in which a study can lie. The process that writes one may be killed half-way."""


def refuse_other_files(storage: str) -> None:
    """Raise SentexpError if `storage` names a file that holds something else.

    It must stay as it is; the lock of a journal would cut what looks like half a line, and append to it.
    """
    path, kind = _file_of(storage)
    if path is None or not path.is_file():
        return
    with path.open("rb") as file:
        begins = file.read(len(FIRST_BYTES[kind]))
    if not FIRST_BYTES[kind].startswith(begins):
        raise SentexpError(f"sweep.storage={storage}: a file that is no {kind}; expected one, or a new file")


def _file_of(storage: str) -> tuple[Path | None, str]:
    """Return the file that a storage is, if it is one, and the kind of file."""
    journal, sqlite = FIRST_BYTES
    if storage.startswith(SQLITE):
        return Path(storage.removeprefix(SQLITE)), sqlite
    return (None if "://" in storage else Path(storage)), journal


@functools.lru_cache(maxsize=4)
def _opened(address: str, _process: int) -> BaseStorage:
    """Open a storage once per process: to open a long journal means to read it."""
    if address.startswith(SQLITE):
        # locked, for drivers that fill a fresh file at the same moment break it
        with held(Path(f"{address.removeprefix(SQLITE)}.lock")):
            return RDBStorage(address, engine_kwargs={"connect_args": {"timeout": 60}})
    if "://" in address:
        url, password = make_url(address), os.environ.get(STORAGE_PASSWORD)
        return RDBStorage((url if password is None else url.set(password=password)).render_as_string(False))
    Path(address).parent.mkdir(parents=True, exist_ok=True)
    try:
        storage = JournalStorage(JournalFileBackend(address, lock_obj=JournalLock(address)))
        _read_last_line(address)
        return storage
    except OSError:
        raise
    except Exception as error:  # of what it reads, Optuna checks little
        expected = "expected a journal of Optuna's"
        raise SentexpError(f"sweep.storage={address}: damaged ({one_line(error)}); {expected}") from error


def _read_last_line(journal: str) -> None:
    """Raise ValueError if the last line is whole and no JSON: Optuna passes over it until another one follows."""
    with open(journal, "rb") as file:
        for line in deque(file, 1):
            if line.endswith(b"\n"):
                json.loads(line)
