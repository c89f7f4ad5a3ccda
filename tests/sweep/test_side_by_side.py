from __future__ import annotations

import pytest

from sentexp.sweep.side_by_side import in_order, side_by_side
from sentexp.sweep.worker import failed


@pytest.mark.parametrize("at_once", [1, 2, 5, None])
def test_the_next_job_is_asked_for_when_one_has_ended(at_once):
    told = []

    def jobs():
        for place in range(6):
            told.append(f"asked {place}")
            yield place, [f"x={place}"]

    def wait(handles):
        told.append(f"{len(handles)} under way")
        return [max(handles)]

    ended = list(
        side_by_side(
            jobs(), at_once, start=lambda batch: [place for place, _ in batch], wait=wait, end=lambda handles: None
        )
    )
    most = at_once or 6
    assert sorted(ended) == [(place, [f"x={place}"], place) for place in range(6)]
    assert told[: most + 1] == [*(f"asked {place}" for place in range(most)), f"{most} under way"]
    assert told[most + 1 : most + 2] == (["asked " + str(most)] if most < 6 else ["5 under way"])


def test_who_wants_no_more_results_ends_the_jobs_that_run(caplog):
    ended = []

    def end(handles):
        ended.extend(handles)
        raise OSError("gone")

    def start(batch):
        return [place for place, _ in batch]

    jobs = enumerate([["x=0"], ["x=1"], ["x=2"]])
    results = side_by_side(jobs, None, start=start, wait=lambda handles: [0], end=end)
    assert next(results) == (0, ["x=0"], 0)
    results.close()
    assert ended == [1, 2]
    assert "could not end the jobs that run: gone" in caplog.text


def test_results_come_in_the_order_of_the_jobs():
    first, second = (failed([f"x={place}"], ValueError(place)) for place in range(2))
    assert in_order(iter([(1, second), (0, first)])) == [first, second]
