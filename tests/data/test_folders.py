from __future__ import annotations

import pyarrow as pa
import pytest

from sentexp.data.folders import read_folder, review_files, splits_of
from sentexp.errors import SentexpError


@pytest.fixture
def folder(tmp_path):
    for name in ("pos/2.txt", "pos/1.txt", "neg/1.txt", "unsup/1.txt", ".git/1.txt", "pos/notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"text of {name}", encoding="utf-8")
    return tmp_path


def test_each_folder_is_a_label_and_unlabelled_ones_are_kept_for_counting(folder):
    table = pa.Table.from_batches(read_folder(folder, review_files(folder), "utf-8"))
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("text of neg/1.txt", "neg", "neg/1.txt"),
        ("text of pos/1.txt", "pos", "pos/1.txt"),
        ("text of pos/2.txt", "pos", "pos/2.txt"),
        (None, None, "unsup/1.txt"),
    ]


def test_a_folder_without_texts_is_refused(tmp_path):
    with pytest.raises(SentexpError, match="no rows; expected a folder for each label"):
        review_files(tmp_path)


def test_an_undecodable_byte_is_found(folder):
    (folder / "neg/1.txt").write_bytes(b"one\ntw\xff")
    with pytest.raises(SentexpError, match=r"neg/1\.txt:2: byte 0xff is not utf-8"):
        list(read_folder(folder, review_files(folder), "utf-8"))


def test_folders_of_splits(tmp_path):
    for name in ("train", "val", "test"):
        (tmp_path / name).mkdir()
    assert splits_of(tmp_path) == {"train": tmp_path / "train", "valid": tmp_path / "val", "test": tmp_path / "test"}
    assert splits_of(tmp_path / "train") == {}
