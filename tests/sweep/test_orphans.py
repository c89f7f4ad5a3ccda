from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from sentexp.machine.identity import process_start
from sentexp.sweep.job_record import JobRecord
from sentexp.sweep.orphans import kill, this_process
from sentexp.sweep.point import Point


def test_a_job_left_behind_is_killed_and_no_other_process(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    with (tmp_path / "0" / "log").open("w") as log, subprocess.Popen(["sleep", "60"], stdout=log) as child:
        here = JobRecord(0, Point(()), None, "running", folder="0", **this_process())
        left = replace(here, pid=child.pid, process_start=process_start(child.pid))
        others = {"process_start": "before"}, {"host": "elsewhere"}, {"state": "finished"}
        kill([here, *(replace(left, **other) for other in others)], tmp_path)
        kill([left], tmp_path / "another")
        assert child.poll() is None
        kill([left], tmp_path)
        assert child.wait(10) == -9
    assert process_start(child.pid) is None
    assert process_start(os.getpid()) is not None
