from __future__ import annotations

import pytest

pytest.importorskip("submitit", reason="needs the extra submitit")


def test_other_users_cannot_read_what_submitit_is_given(drive, tmp_path):
    drive("hydra/launcher=submitit_local", "hydra.launcher.n_jobs=1", "do=3").returns()
    assert (tmp_path / "sweep" / ".submitit").stat().st_mode & 0o777 == 0o700


def test_no_result_is_read_that_lay_in_the_folder_before(drive, tmp_path):
    first = drive("hydra/launcher=submitit_local", "hydra.launcher.n_jobs=1", "do=3").returns()
    second = drive("hydra/launcher=submitit_local", "hydra.launcher.n_jobs=1", "do=5").returns()
    assert [told for _, told, *_ in (*first, *second)] == [30, 50]
    assert len(list((tmp_path / "sweep" / ".submitit" / "local").glob("start-*"))) == 2
