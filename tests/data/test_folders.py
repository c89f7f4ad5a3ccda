from __future__ import annotations

import pyarrow as pa
import pytest

from sentexp.data.folders import files_left_out, read_folder, review_files, splits_of, text_files
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


def test_the_ending_may_be_in_upper_case_and_other_files_are_counted(folder):
    (folder / "pos/3.TXT").write_text("text", encoding="utf-8")
    (folder / "pos/more").mkdir()
    (folder / "pos/more/4.txt").write_text("text", encoding="utf-8")
    (folder / "README").write_text("text", encoding="utf-8")
    (folder / "neutral").mkdir()
    files = review_files(folder)
    assert folder / "pos/3.TXT" in files
    assert files_left_out(folder, files) == {
        f"{folder}: files that are not *.txt": 2,
        f"{folder}: texts that are not directly in the folder of a label": 1,
        f"{folder}: no text in the folder neutral": 1,
    }


def test_all_texts_below_a_folder_may_be_unlabelled_ones(folder):
    (folder / "pos/more").mkdir()
    (folder / "pos/more/.hidden.txt").write_text("text", encoding="utf-8")
    (folder / "pos/more/4.TXT").write_text("text of 4", encoding="utf-8")
    files = text_files(folder)
    table = pa.Table.from_batches(read_folder(folder, files, "utf-8", labelled=False))
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("text of neg/1.txt", None, "neg/1.txt"),
        ("text of pos/1.txt", None, "pos/1.txt"),
        ("text of pos/2.txt", None, "pos/2.txt"),
        ("text of 4", None, "pos/more/4.TXT"),
        ("text of unsup/1.txt", None, "unsup/1.txt"),
    ]
    assert files_left_out(folder, files, labelled=False) == {f"{folder}: files that are not *.txt": 1}


def test_files_may_be_the_splits(tmp_path):
    for name in ("train.csv", "dev.jsonl.gz", "test.CSV", "notes.csv"):
        (tmp_path / name).touch()
    splits = {"train": "train.csv", "valid": "dev.jsonl.gz", "test": "test.CSV"}
    assert splits_of(tmp_path) == {role: tmp_path / name for role, name in splits.items()}
    (tmp_path / "train.tsv").touch()
    with pytest.raises(SentexpError, match=r"train\.csv, train\.tsv: expected one for train, or data\.train"):
        splits_of(tmp_path)


def test_a_folder_with_one_table_says_how_to_read_it(tmp_path):
    (tmp_path / "reviews.csv").touch()
    with pytest.raises(SentexpError, match=r"data\.path=.*/reviews\.csv reads one file"):
        review_files(tmp_path)


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
