"""Which trials are still to be run, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from sentexp.config import conf_dir, typed_section
from sentexp.errors import SentexpError
from sentexp.schema import SweepConfig
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.plan import Plan
from sentexp.sweep.storage import SweepStorage, jobs_of, open_storage
from sentexp.sweep.trial_queue import TrialQueue


@pytest.fixture(autouse=True, scope="module")
def hydra() -> Iterator[None]:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        yield


@pytest.fixture
def storage(tmp_path: Path) -> SweepStorage:
    return open_storage(str(tmp_path / "study.journal"), "s", directions=["maximize"])


def queue(storage: SweepStorage, *arguments: str) -> TrialQueue:
    """Return the queue of one more start of the driver."""
    config = compose("config", [text for text in arguments if text.startswith("sweep.")], return_hydra_config=True)
    plan = Plan.of(arguments, {}, config, GlobalHydra.instance().config_loader())
    settings = typed_section(config.sweep, SweepConfig, "sweep.")
    request: Any = SimpleNamespace(settings=settings, plan=plan, config=config, manifest=SimpleNamespace(id="me"))
    return TrialQueue(request, storage, None)


def end(storage: SweepStorage, job: JobRecord, state: str) -> None:
    values = (1.0,) if state == "finished" else None
    storage.write(replace(job, state=state, values=values, began=1.0))


def test_trials_that_were_tried_least_often_come_first(storage: SweepStorage) -> None:
    arguments = ["seed=1,2,3,4,5"]
    missing = queue(storage, *arguments).missing()
    states = ["failed", "running", "finished", "waiting"]
    for state, (job,) in zip(states, missing, strict=False):
        if state != "waiting":
            end(storage, job, state)
    again = queue(storage, *arguments)
    assert (again.total, again.first) == (5, 4)
    jobs = [job for jobs in again.missing() for job in jobs]
    # never begun, never created, interrupted, failed
    expected = [(3, "seed=4"), (4, "seed=5"), (1, "seed=2"), (5, "seed=1")]
    assert [(job.number, str(job.point)) for job in jobs] == expected
    assert [jobs_of(trial)[0].number for trial in storage.newest_trials("me")] == [2, 3, 4, 1, 5]


def test_a_retry_takes_over_the_jobs_that_ended_well(storage: SweepStorage) -> None:
    arguments = ["model.num_layers=2,3", "sweep.seeds=2"]
    first, _ = queue(storage, *arguments).missing()
    end(storage, first[0], "finished")
    end(storage, first[1], "failed")
    again = queue(storage, *arguments)
    *_, (retried,) = again.missing()
    assert (retried.number, retried.index, retried.seed) == (4, 1, 1)
    kept, new = jobs_of(storage.trial(retried.trial))
    assert (kept.number, kept.values) == (0, (1.0,))
    assert new == retried
    assert storage.trial(retried.trial).params == {"model.num_layers": 2}
    assert again.overrides_of(retried) == [
        "model.num_layers=2", "seed=1", f"++hydra.job.env_set.SENTEXP_SWEEP_JOB='{retried.trial}/1/2'",
    ]  # fmt: skip


def test_a_job_that_was_interrupted_keeps_its_number_and_folder(storage: SweepStorage) -> None:
    arguments = ["model.num_layers=2,3", "sweep.seeds=3"]
    first, _ = queue(storage, *arguments).missing()
    for job, state in zip(first, ("failed", "running", "waiting"), strict=True):
        storage.write(replace(job, state=state, began=1.0, folder=f"at {job.number}"))
    again = queue(storage, *arguments)
    never, interrupted = again.missing()
    assert [(job.number, job.folder, job.restarts) for job in never] == [(3, "3", 0), (4, "4", 0), (5, "5", 0)]
    assert [(job.number, job.folder, job.restarts) for job in interrupted] == [
        (6, "6", 0),
        (1, "at 1", 1),
        (2, "at 2", 1),
    ]
    assert [job.seed for job in interrupted] == [0, 1, 2]
    storage.write(replace(interrupted[1], state="running", began=2.0))
    _, interrupted = queue(storage, *arguments).missing()
    assert [(job.number, job.restarts) for job in interrupted] == [(6, 0), (1, 2), (2, 1)]


def test_a_search_draws_what_is_left_of_its_trials(storage: SweepStorage) -> None:
    arguments = ["model.dropout=interval(0,0.5)", "sweep.sampler=random", "sweep.n_trials=3"]
    (first,) = next(queue(storage, *arguments).missing())
    end(storage, first, "finished")
    left = queue(storage, *arguments)
    points = {job.point for jobs in left.missing() for job in jobs}
    assert len(points) == 2
    assert first.point not in points


def test_a_point_that_leaves_a_key_out_is_run_once_and_retried(storage: SweepStorage) -> None:
    arguments = ["model.hidden_size=tag(lstm,choice(16,32))", "model=lstm,bag_of_words", "sweep.seeds=2"]
    first = queue(storage, *arguments)
    assert first.total == 6
    jobs = [job for jobs in first.missing() for job in jobs]
    points = ["model.hidden_size=16 model=lstm", "model=bag_of_words", "model.hidden_size=32 model=lstm"]
    assert [str(job.point) for job in jobs] == [point for point in points for _ in range(2)]
    assert first.overrides_of(jobs[2])[:2] == ["model=bag_of_words", "seed=0"]
    for job in jobs:
        end(storage, job, "failed" if job.point == jobs[2].point else "finished")
    again = queue(storage, *arguments)
    (retried,) = again.missing()
    assert [str(job.point) for job in retried] == ["model=bag_of_words"] * 2
    assert (again.total, storage.trial(retried[0].trial).params) == (6, {"model": "bag_of_words"})


def test_a_search_retries_the_parameters_that_a_point_has(storage: SweepStorage) -> None:
    arguments = ["model=choice(bag_of_words)", "model.hidden_size=tag(lstm,range(1,9))", "model.pooling=max,mean"]
    arguments += ["sweep.sampler=tpe", "sweep.n_trials=1"]
    ((job,),) = queue(storage, *arguments).missing()
    end(storage, job, "failed")
    ((retried,),) = queue(storage, *arguments).missing()
    assert retried.point == job.point
    assert storage.trial(retried.trial).params == job.point.values
    assert set(job.point.values) == {"model", "model.pooling"}


def test_a_trial_of_a_search_that_no_driver_claimed_is_failed(storage: SweepStorage) -> None:
    number = storage.study.ask().number
    queue(storage, "seed=1,2")
    assert storage.trial(number).state.name == "FAIL"


def test_seeds_cannot_vary_in_two_ways(storage: SweepStorage) -> None:
    with pytest.raises(SentexpError, match=r"sweep\.seeds=2: repeats every point"):
        queue(storage, "seed=1,2", "sweep.seeds=2")
