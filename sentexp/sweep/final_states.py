"""The final states of jobs, recorded by the driver where a job could not record its own."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from hydra.core.utils import JobReturn, JobStatus

from sentexp.errors import one_line
from sentexp.private_interfaces import return_value
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.request import SweepRequest
from sentexp.sweep.storage import SweepStorage
from sentexp.tracking.interface import Run

NO_RESULT = "its process ended without a result"


class FinalStates:
    """Sees to it that the study and the recorded runs tell the end of every job."""

    def __init__(self, request: SweepRequest, storage: SweepStorage, parent: Run) -> None:
        self._request = request
        self._storage = storage
        self._parent = parent

    def settle(self, job: JobRecord, returned: JobReturn | None, error: Exception | None = None) -> JobRecord:
        """Record the end of a job that died before recording it, and mark a failure in its recorded run.

        `returned` is what the launcher said of the job, `error` why the launcher failed. Returns the job's record as it
        is now; a job that never began stays as it is.
        """
        job = self._now(job)
        if returned is not None and returned.status == JobStatus.FAILED:
            error = return_value(returned)
        if not job.has_ended and (job.state == "running" or error is not None):
            job = replace(job, state="failed", error=one_line(error) if error is not None else NO_RESULT)
            self._storage.write(job)
            self._write_log(job, error)
        if job.state == "failed":
            assert job.error is not None
            if job.run_id is not None:
                self._parent.end_child(job.run_id, job.error)
            else:  # it failed before its run was recorded
                self._parent.add_failed_child(job.run_name, job.error)
        return job

    @contextmanager
    def interruptible(self, jobs: Iterable[JobRecord]) -> Iterator[None]:
        """If the block is interrupted or fails, let those of its jobs that still run wait for a resume."""
        try:
            yield
        except BaseException:
            for job in map(self._now, jobs):
                if job.state == "running":
                    self._storage.write(replace(job, state="waiting", error="interrupted"))
            raise

    def _now(self, job: JobRecord) -> JobRecord:
        assert job.trial is not None
        return self._storage.job(job.trial, job.index)

    def _write_log(self, job: JobRecord, error: Exception | None) -> None:
        """Write what the job would have written to its own log if it had lived."""
        path = self._request.folder / job.folder / f"{self._request.config.hydra.job.name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(traceback.format_exception(error)) if error is not None else f"{job.error}\n")
