"""The ledger of a sweep: an Optuna study in which each trial is a point, and each of its `job/N` attributes a run.

Whoever runs a job writes its beginning and its end here, so they outlive the driver; the driver writes the end of jobs
that could not. Each driver of a shared study knows its own trials by the attribute `driver`.
"""

from __future__ import annotations

import functools
import os
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from sentexp.errors import SentexpError
from sentexp.redact import without_passwords
from sentexp.sweep.plan import Point

Entry = dict[str, Any]
"""Of a job: number, folder, seed, state (waiting, running, finished, failed, pruned); once it has begun: host, pid,
process_start, began; at its end: values, metrics, history, seconds, error, run_id."""

PASSWORD = "SENTEXP_STORAGE_PASSWORD"
"""Variable that holds the password to a database. It is part of no sweep, so whoever opens the ledger must have it."""

ENDED = ("finished", "failed", "pruned")
DONE = ("finished", "pruned")


class SweepStorage:
    """Trials are named by their number in the study."""

    def __init__(self, storage: BaseStorage, study: optuna.Study) -> None:
        self.study = study
        self._storage = storage
        self._study_id = storage.get_study_id_from_name(study.study_name)

    def add(
        self,
        attributes: Mapping[str, Any],
        parameters: Mapping[str, Any],
        distributions: Mapping[str, BaseDistribution],
    ) -> int:
        """A new trial, all of it in one write. Returns its number."""
        template = optuna.trial.create_trial(
            state=TrialState.RUNNING,
            params=dict(parameters),
            distributions=dict(distributions),
            user_attrs=dict(attributes),
        )
        return self._storage.get_trial_number_from_id(self._storage.create_new_trial(self._study_id, template))

    def set(self, number: int, key: str, value: Any) -> None:
        self._storage.set_trial_user_attr(self._id(number), key, value)

    def trial(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._id(number))

    def trials(self, driver: str) -> list[FrozenTrial]:
        """Of one driver, in order; not to be changed."""
        trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        return [trial for trial in trials if trial.user_attrs.get("driver") == driver]

    def live(self, number: int) -> optuna.Trial:
        """The trial as one reports to it."""
        return optuna.Trial(self.study, self._id(number))

    def write(self, number: int, index: int, entry: Entry) -> None:
        """An entry of the job `index` of a trial; with that of its last job, the trial ends."""
        self.set(number, f"job/{index}", entry)
        if entry["state"] in ENDED:
            self._end_if_all_have(number)

    def drop(self, number: int) -> None:
        """Ends a trial that another takes the place of."""
        self.study.tell(number, state=TrialState.FAIL, skip_if_finished=True)

    def _end_if_all_have(self, number: int) -> None:
        found = entries(self.trial(number)).values()
        if not all(entry["state"] in ENDED for entry in found):
            return
        values = [entry["values"] for entry in found if entry["state"] == "finished"]
        # jobs that end at the same moment may both come here
        tell = functools.partial(self.study.tell, number, skip_if_finished=True)
        if any(entry["state"] == "pruned" for entry in found):
            tell(state=TrialState.PRUNED)
        elif values:
            tell([fmean(column) for column in zip(*values, strict=True)])
        else:
            tell(state=TrialState.FAIL)

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)


def entries(trial: FrozenTrial) -> dict[int, Entry]:
    """Of all jobs of a trial, by their index."""
    found = {key: value for key, value in trial.user_attrs.items() if key.startswith("job/")}
    return {int(key.removeprefix("job/")): found[key] for key in sorted(found, key=lambda key: int(key[4:]))}


def newest(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """Without those that a later trial has taken the place of."""
    trials = list(trials)
    replaced = {trial.user_attrs.get("retry_of") for trial in trials}
    return [trial for trial in trials if trial.number not in replaced]


def point_of(trial: FrozenTrial) -> Point:
    return tuple(trial.user_attrs["overrides"])


def open_storage(
    storage: str,
    name: str,
    *,
    directions: Sequence[str] | None = None,
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
) -> SweepStorage:
    """`storage` is a journal file or a database URL. With `directions` the study is created where it is missing.

    Raises SentexpError if the storage cannot be used, or holds a study of that name with other directions.
    """
    # why: without one, Optuna would take TPE, which reads the whole study for each trial
    shown = without_passwords(storage)
    sampler = sampler or optuna.samplers.RandomSampler()
    try:
        opened = _storage(storage, os.getpid())
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
    except KeyError as error:
        raise SentexpError(f"sweep.study_name={name}: no such study in {shown}") from error
    except (OSError, ValueError, ImportError, SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        where_from = f" (a password is read from {PASSWORD}, which is not set)" if _may_want_password(storage) else ""
        raise SentexpError(f"sweep.storage={shown}: {str(error).splitlines()[0]}{where_from}") from error
    recorded = tuple(direction.name.lower() for direction in study.directions)
    if directions is not None and recorded != tuple(directions):
        raise SentexpError(f"sweep.study_name={name}: its direction is {','.join(recorded)} in {shown}")
    return SweepStorage(opened, study)


def _may_want_password(storage: str) -> bool:
    return "://" in storage and not storage.startswith("sqlite") and PASSWORD not in os.environ


@functools.lru_cache(maxsize=4)
def _storage(address: str, _process: int) -> BaseStorage:
    """One for each process: to open a long journal means to read it."""
    if address.startswith("sqlite:///"):
        # why the lock: drivers that fill a fresh file at the same moment break it
        with FileLock(f"{address.removeprefix('sqlite:///')}.lock"):
            return RDBStorage(address, engine_kwargs={"connect_args": {"timeout": 60}})
    if "://" in address:
        url, password = make_url(address), os.environ.get(PASSWORD)
        return RDBStorage((url if password is None else url.set(password=password)).render_as_string(False))
    Path(address).parent.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(address, lock_obj=_JournalLock(address)))


class _JournalLock(JournalFileOpenLock):
    """A lock that a killed process lets go of at once, and that mends the line which that process had begun."""

    def __init__(self, journal: str) -> None:
        super().__init__(journal)
        self._journal = journal
        self._lock = FileLock(f"{journal}.lock", thread_local=False)

    def acquire(self) -> bool:
        self._lock.acquire()
        with open(self._journal, "ab+") as file:
            size = file.tell()
            if size:
                file.seek(size - 1)
                if file.read(1) != b"\n":
                    file.seek(0)
                    file.truncate(file.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self._lock.release()


def this_process() -> Entry:
    return {"host": socket.gethostname(), "pid": os.getpid(), "process_start": process_start(os.getpid())}


def process_start(pid: int) -> str | None:
    """When the process began, in words that only it has on this machine; None if there is none of that number."""
    try:  # the 22nd field; the second is a name in brackets that may hold anything
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    except (OSError, IndexError):
        if os.path.isdir("/proc/self"):
            return None
    return (
        subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True).stdout.strip() or None
    )
