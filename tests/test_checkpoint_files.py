from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sentexp import checkpoint_files
from sentexp.errors import SentexpError


def write(folder: Path, *steps: int) -> None:
    for step in steps:
        checkpoint_files.write(folder, step, lambda path, step=step: path.write_text(f"state {step}"), {"step": step})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_the_newest_two_are_kept_and_the_newest_is_taken(tmp_path: Path) -> None:
    write(tmp_path, 9, 10, 100)
    assert names(tmp_path) == [f"step-{step:010}.{kind}" for step in (10, 100) for kind in ("json", "pt")]
    newest = checkpoint_files.newest(tmp_path)
    assert (newest.facts, newest.state.read_text()) == ({"step": 100}, "state 100")


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    return content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]


@pytest.mark.parametrize("kind", ["json", "pt"])
@pytest.mark.parametrize("damage", [truncated, flipped, lambda _: b"", None])
def test_a_damaged_one_is_told_and_the_one_before_is_taken(kind: str, damage, tmp_path: Path, caplog) -> None:
    write(tmp_path, 1, 2)
    path = tmp_path / "checkpoints" / f"step-0000000002.{kind}"
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    assert checkpoint_files.newest(tmp_path).facts == {"step": 1}
    if not (kind == "json" and damage is None):  # without it, it was never whole
        assert "step-0000000002.json: damaged" in caplog.text
        assert "the one before it is taken" in caplog.text


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_flipped_bit_is_accepted(place: int, bit: int, tmp_path: Path) -> None:
    write(tmp_path, 1)
    path = tmp_path / "checkpoints" / "step-0000000001.json"
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(SentexpError, match="all checkpoints are damaged"):
        checkpoint_files.newest(tmp_path)


def test_what_was_damaged_does_not_push_out_what_is_written_after_it(tmp_path: Path) -> None:
    write(tmp_path, 20, 30)
    (tmp_path / "checkpoints" / "step-0000000030.pt").write_text("damaged")
    write(tmp_path, 22)
    assert names(tmp_path) == [f"step-{step:010}.{kind}" for step in (20, 22) for kind in ("json", "pt")]


def test_a_link_to_the_checkpoints_of_another_run_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "another").mkdir()
    write(tmp_path / "another", 1)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoints").symlink_to(tmp_path / "another" / "checkpoints")
    assert not checkpoint_files.there(tmp_path / "run")
    checkpoint_files.remove(tmp_path / "run")
    assert checkpoint_files.there(tmp_path / "another")


def test_a_folder_is_held_by_one_run_at_a_time(tmp_path: Path) -> None:
    with checkpoint_files.held(tmp_path / "run"):
        second = checkpoint_files.held(tmp_path / "run")
        with pytest.raises(SentexpError, match="run: the run in it goes on"):
            second.__enter__()
    with checkpoint_files.held(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_none_is_told_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(SentexpError, match="no checkpoint in it"):
        checkpoint_files.newest(tmp_path)
    with pytest.raises(SentexpError, match="nowhere: no such folder"):
        checkpoint_files.newest(tmp_path / "nowhere")
    assert not checkpoint_files.there(tmp_path)


def test_one_that_fails_leaves_those_before_and_what_a_killed_one_left_is_removed(tmp_path: Path) -> None:
    write(tmp_path, 1)
    with pytest.raises(ZeroDivisionError):
        checkpoint_files.write(tmp_path, 2, lambda path: 1 / 0, {})
    assert checkpoint_files.newest(tmp_path).facts == {"step": 1}
    folder = tmp_path / "checkpoints"
    for left in (".0f.unfinished.step-0000000002.pt", "step-0000000002.pt"):
        (folder / left).write_text("half")
    write(tmp_path, 3)
    assert names(tmp_path) == [f"step-{step:010}.{kind}" for step in (1, 3) for kind in ("json", "pt")]
    checkpoint_files.remove(tmp_path)
    assert not folder.exists()
