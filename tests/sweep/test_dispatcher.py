"""A launcher that fails, as a user sees it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from sentexp.sweep.dispatcher import Dispatcher
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.point import Point

FLAKY = """
from hydra_plugins.sentexp_launchers.pool_launcher import PoolLauncher

class Flaky(PoolLauncher):
    calls = 0

    def __init__(self, takes):
        super().__init__(n_jobs=1)
        self.takes = takes

    def stream(self, jobs, at_once=None):
        Flaky.calls += 1
        if Flaky.calls == 1 or self.takes == 0:
            for _ in range(self.takes):
                next(jobs)
            raise RuntimeError("no more today")
        yield from super().stream(jobs, at_once)
"""


@pytest.mark.slow
def test_a_launcher_that_fails_fails_the_jobs_that_it_took(app) -> None:
    pytest.importorskip("cloudpickle", reason="needs the extra pool")
    for path, text in {
        "hydra_plugins/flaky.py": FLAKY,
        "conf/hydra/launcher/flaky.yaml": "_target_: hydra_plugins.flaky.Flaky\ntakes: 2\n",
    }.items():
        (app.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (app.folder / path).write_text(text)
    ended = app("x=0,1,2,3,4", "hydra/launcher=flaky")
    assert ended.status == 1
    assert "the launcher failed: RuntimeError: no more today" in ended.said
    assert [job.state for job in app.results.jobs] == ["failed"] * 2 + ["finished"] * 3
    assert {job.error for job in app.results.jobs[:2]} == {"RuntimeError: no more today"}
    ended = app("sweep.resume=latest", "hydra/launcher=flaky", "hydra.launcher.takes=0")
    assert ended.status == 1
    assert "RuntimeError: no more today" in ended.refused
    assert app("sweep.resume=latest", "hydra/launcher=pool").status == 0
    assert [job.state for job in app.results.jobs] == ["finished"] * 5


def test_a_launcher_that_takes_lists_gets_numbers_that_follow_each_other() -> None:
    dispatcher: Any = Dispatcher.__new__(Dispatcher)
    numbers = ([3], [4], [1], [5, 6])  # the third was interrupted, and keeps its number
    missing = [[JobRecord(number, Point(()), None, "waiting", str(number)) for number in some] for some in numbers]
    dispatcher._queue = SimpleNamespace(missing=lambda: iter(missing))
    dispatcher._settings = SimpleNamespace(is_search=False)
    dispatcher._runs_here = False
    assert [[job.number for job in batch] for batch in dispatcher._batches()] == [[3, 4], [1], [5, 6]]


def test_workers_that_die_at_their_start_cost_no_job(app) -> None:
    program = (app.folder / "app.py").read_text()
    broken = "if __name__ == '__mp_main__':\n    raise ImportError('no lib')\n"  # which only a worker imports
    (app.folder / "app.py").write_text(broken + program)
    ended = app("x=0,1,2,3,4", "hydra/launcher=pool", "hydra.launcher.n_jobs=2")
    assert ended.status == 1
    assert ended.refused.count("\n") == 1
    assert re.search(r"hydra/launcher=pool: \d processes in a row ended before they took a job, the", ended.refused)
    assert "ImportError: no lib; once that is mended, go on with: " in ended.refused
    assert {job.state for job in app.results.jobs} == {"waiting"}
    (app.folder / "app.py").write_text(program)
    assert app("sweep.resume=latest").status == 0
    assert [job.state for job in app.results.jobs] == ["finished"] * 5
