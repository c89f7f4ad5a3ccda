from __future__ import annotations

import logging
import os
import threading

import numpy as np
import pytest

from sentexp.errors import SentexpError
from sentexp.text.cache import CONTENT, Cache, key_of


def store(cache: Cache, key: str, values=(1, 2, 3)) -> None:
    with cache.new(key) as draft:
        draft.append("numbers", np.array(values, np.int32))
        draft.append("numbers", b"")
        draft.facts["sum"] = sum(values)


def test_an_entry_is_found_with_its_files_and_facts(tmp_path):
    cache = Cache(tmp_path, "things")
    assert cache.find("k") is None
    store(cache, "k")
    entry = cache.find("k")
    assert np.fromfile(entry / "numbers", np.int32).tolist() == [1, 2, 3]
    assert cache.facts(entry) == {"sum": 6}


def test_what_fails_half_way_leaves_nothing(tmp_path):
    cache = Cache(tmp_path, "things")

    def fail():
        with cache.new("k") as draft:
            draft.append("numbers", b"123")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list((tmp_path / "things").iterdir()) == []
    assert cache.find("k") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: (entry / "numbers").write_bytes(b"12"),
        lambda entry: (entry / "numbers").unlink(),
        lambda entry: (entry / "numbers").write_bytes(np.array([1, 2, 4], np.int32)),  # of the same size
        lambda entry: (entry / CONTENT).write_text((entry / CONTENT).read_text().replace('"sum": 6', '"sum": 7')),
        lambda entry: (entry / CONTENT).write_text("{"),
        lambda entry: (entry / CONTENT).write_text("[]"),
    ],
)
def test_a_damaged_entry_is_reported_once_and_replaced(tmp_path, caplog, damage):
    cache = Cache(tmp_path, "things")
    store(cache, "k")
    damage(tmp_path / "things" / "k")
    with caplog.at_level(logging.WARNING):
        assert [cache.find("k"), cache.find("k")] == [None, None]
    assert [record.getMessage().count(": damaged (") for record in caplog.records] == [1]
    store(cache, "k", values=(4, 5))
    assert cache.facts(cache.find("k")) == {"sum": 9}
    assert [path.name for path in (tmp_path / "things").iterdir()] == ["k"]


def test_who_is_second_keeps_the_entry_of_the_first(tmp_path):
    cache = Cache(tmp_path, "things")
    with cache.new("k") as draft:
        draft.append("numbers", b"12")
        other = Cache(tmp_path, "things")
        other_draft = tmp_path / "things" / f"k.{os.getpid()}-{threading.get_ident()}.unfinished"
        os.rename(other_draft, tmp_path / "things" / "mine")  # else one process would write into one folder twice
        store(other, "k")
        os.rename(tmp_path / "things" / "mine", other_draft)
    assert cache.facts(cache.find("k")) == {"sum": 6}
    assert [path.name for path in (tmp_path / "things").iterdir()] == ["k"]


def test_what_a_killed_process_left_is_removed_in_time(tmp_path):
    cache = Cache(tmp_path, "things")
    for name in ("k.1-1.unfinished", "k.2-2.unfinished", "other.1-1.unfinished"):
        (tmp_path / "things" / name).mkdir(parents=True)
    for name in ("k.1-1.unfinished", "other.1-1.unfinished"):
        os.utime(tmp_path / "things" / name, (0, 0))
    store(cache, "k")
    left = sorted(path.name for path in (tmp_path / "things").iterdir())
    assert left == ["k", "k.2-2.unfinished", "other.1-1.unfinished"]


def test_a_folder_that_cannot_be_made_is_said_with_its_key(tmp_path):
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file", "things")
    for use in (lambda: store(cache, "k"), lambda: cache.alone(["k"]).__enter__()):
        with pytest.raises(SentexpError, match=r"^cache_dir=.*file: cannot be written \(.*\); expected a folder"):
            use()


def test_one_at_a_time_builds_the_same(tmp_path):
    cache, order = Cache(tmp_path, "things"), []

    def other():
        with Cache(tmp_path, "things").alone(["a", "b"]):
            order.append("second")

    with cache.alone(["b", "a"]):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_keys_differ_where_anything_differs():
    assert key_of(1, "a", None) == key_of(1, "a", None)
    assert len({key_of(1, "a"), key_of("1", "a"), key_of(1, "b"), key_of(1), key_of(1, "a", False)}) == 5
