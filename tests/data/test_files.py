from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentexp.data import files
from sentexp.errors import SentexpError

ROWS = [(f"review {i}, in words", "pos" if i % 2 else "neg") for i in range(20)]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "reviews"


def load(**changes):
    arguments = {
        "path": None,
        "train": None,
        "valid": None,
        "test": None,
        "format": "auto",
        "text_column": "text",
        "label_column": "label",
        "encoding": "utf-8",
        "test_fraction": 0.2,
        "valid_fraction": 0.25,
        "limit": None,
        "seed": 0,
        "cache_dir": files.CACHE_DIR,
    }
    return files.load(
        **{**arguments, **{key: str(value) if isinstance(value, Path) else value for key, value in changes.items()}}
    )


def write_csv(path, rows=ROWS):
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows), encoding="utf-8")
    return path


def write_tsv(path):
    path.write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS), encoding="utf-8")
    return path


def write_jsonl(path):
    path.write_text("".join(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in ROWS), encoding="utf-8")
    return path


def write_parquet(path):
    pq.write_table(pa.table({"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}), path)
    return path


def write_folder(path, rows=ROWS):
    for i, (text, label) in enumerate(rows):
        (path / label).mkdir(parents=True, exist_ok=True)
        (path / label / f"{i:02}.txt").write_text(text, encoding="utf-8")
    return path


WRITERS = [
    (write_csv, "reviews.csv"),
    (write_tsv, "reviews.tsv"),
    (write_jsonl, "reviews.jsonl"),
    (write_parquet, "reviews.parquet"),
    (write_folder, "reviews"),
]


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_every_format_gives_the_same_reviews(tmp_path, write, name):
    reviews = load(path=write(tmp_path / name))
    assert reviews.labels == ["neg", "pos"]
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {"train": 12, "valid": 4, "test": 4}
    read = {(row["text"], reviews.labels[row["label"]]) for rows in reviews.splits.values() for row in rows}
    assert read == set(ROWS)


def test_the_place_of_each_review_is_known(tmp_path):
    path = write_csv(tmp_path / "a.csv")
    reviews = load(path=path)
    for split, rows in reviews.splits.items():
        for row, text in enumerate(rows["text"]):
            line = ROWS.index((text, reviews.labels[rows[row]["label"]])) + 2
            assert reviews.places[split](row) == f"{path}:{line}"


def test_a_file_for_each_split(tmp_path):
    train, valid, test = (write_csv(tmp_path / f"{name}.csv", ROWS[: 4 + i]) for i, name in enumerate("abc"))
    reviews = load(train=train, valid=valid, test=test)
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {"train": 4, "valid": 5, "test": 6}
    assert reviews.source == f"{train}, {valid}, {test}"


def test_columns_of_a_file_without_a_header_are_numbers(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("".join(f"{label}\t{text}\n" for text, label in ROWS), encoding="utf-8")
    assert load(path=path, header=False, text_column=2, label_column="1").labels == ["neg", "pos"]


def test_a_folder_of_split_folders(tmp_path):
    write_folder(tmp_path / "imdb/train", [*ROWS, ("nobody said", "unsup")])
    write_folder(tmp_path / "imdb/test", ROWS[:6])
    reviews = load(path=tmp_path / "imdb")
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {"train": 15, "valid": 5, "test": 6}
    assert reviews.skipped == {f"{tmp_path}/imdb/train: no label": 1}


def test_a_second_start_does_not_parse(tmp_path, cache, monkeypatch):
    path = write_csv(tmp_path / "a.csv")
    first = load(path=path)

    def fail(*_):
        raise AssertionError("parsed again")
        yield

    monkeypatch.setitem(files.PARSERS, "csv", fail)
    assert load(path=path).digests == first.digests
    assert [file.suffix for file in cache.iterdir()] == [".arrow"]


def test_a_copy_with_an_altered_byte_is_said_and_made_anew(tmp_path, cache, caplog):
    path = write_csv(tmp_path / "a.csv")
    first = load(path=path)
    (copy,) = cache.iterdir()
    whole = copy.read_bytes()
    for place in (whole.index(b"review"), 0, len(whole) - 1):
        altered = bytearray(whole)
        altered[place] ^= 1
        copy.write_bytes(altered)
        caplog.clear()
        assert load(path=path).digests == first.digests
        assert [
            record.getMessage().count(f": damaged (not as written); reading {path} anew") for record in caplog.records
        ] == [1]
        assert copy.read_bytes() == whole


def test_a_file_that_has_changed_is_read_again_and_the_old_copy_removed(tmp_path, cache):
    path = write_csv(tmp_path / "a.csv")
    before = load(path=path)
    write_csv(path, [(text.replace("review", "REVIEW"), label) for text, label in ROWS])
    after = load(path=path)
    assert after.digests != before.digests
    assert len(list(cache.iterdir())) == 1
    assert "REVIEW" in after.splits["train"][0]["text"]


def test_a_cache_that_cannot_be_written_names_its_key(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        SentexpError, match=r"^cache_dir=.*/file/cache: cannot be written \(Not a directory\); expected"
    ):
        load(path=write_csv(tmp_path / "a.csv"), cache_dir=tmp_path / "file/cache")


def test_a_file_that_could_not_be_read_leaves_nothing_behind(tmp_path, cache):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "a,b\n" * 1500 + "a,b,c\n", encoding="utf-8")
    with pytest.raises(SentexpError, match=":1502: 3 fields"):
        load(path=path)
    assert list(cache.iterdir()) == []


def test_an_interrupt_leaves_nothing_behind(tmp_path, cache, monkeypatch):
    read = files.PARSERS["csv"]

    def interrupted(*arguments):
        yield from read(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setitem(files.PARSERS, "csv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(path=write_csv(tmp_path / "a.csv"))
    assert list(cache.iterdir()) == []


def test_texts_stay_on_disk_when_sent_to_another_process(tmp_path):
    rows = [("words " * 200 + str(i), label) for i, (_, label) in enumerate(ROWS * 50)]
    train = load(path=write_csv(tmp_path / "a.csv", rows)).splits["train"]
    assert len(pickle.dumps(train)) < 100_000
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(len, (train,)) == len(train)


MORE = ["one more", "two more", "three more"]


def write_more(path):
    if path.suffix == ".csv":
        path.write_text("text\n" + "".join(f"{text}\n" for text in MORE), encoding="utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("".join(f'{{"text": "{text}", "label": [1]}}\n' for text in MORE), encoding="utf-8")
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({"text": MORE}), path)
    elif path.suffix == ".txt":
        path.write_bytes("\r\n".join([MORE[0], "", *MORE[1:]]).encode())
    else:
        for number, text in enumerate(MORE):
            folder = path / "below" if number > 1 else path
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.txt").write_text(text, encoding="utf-8")
        (path / "notes.md").write_text("x", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "skipped", "place"),
    [
        ("more.csv", {}, "{path}:4"),
        ("more.jsonl", {}, "{path}:3"),
        ("more.parquet", {}, "{path}, row 3"),
        ("more.txt", {"{path}: no text": 1}, "{path}:4"),
        ("more", {"{path}: files that are not *.txt": 1}, "{path}/below/2.txt"),
    ],
)
def test_unlabelled_texts_of_every_format(tmp_path, name, skipped, place):
    path = write_more(tmp_path / name)
    reviews = load(path=write_csv(tmp_path / "a.csv"), unlabelled=path)
    assert reviews.splits["unlabelled"]["text"][:] == MORE
    assert reviews.skipped == {key.format(path=path): count for key, count in skipped.items()}
    assert reviews.where("unlabelled", 2) == place.format(path=path)
    assert reviews.source == f"{tmp_path}/a.csv, {path}"
    assert reviews.digests["train"] == load(path=tmp_path / "a.csv").digests["train"]


def test_the_name_of_the_unlabelled_file_tells_its_format_and_else_the_key(tmp_path):
    labelled = write_csv(tmp_path / "labelled.data")
    for name in ("more.jsonl", "more.txt"):
        reviews = load(path=labelled, format="csv", unlabelled=write_more(tmp_path / name))
        assert reviews.splits["unlabelled"]["text"][:] == MORE
    write_more(tmp_path / "more.csv").rename(tmp_path / "more.data")
    reviews = load(path=labelled, format="csv", unlabelled=tmp_path / "more.data")
    assert reviews.splits["unlabelled"]["text"][:] == MORE
    with pytest.raises(SentexpError, match=r"more\.data: cannot tell its format by its ending"):
        load(path=write_csv(tmp_path / "a.csv"), unlabelled=tmp_path / "more.data")


def test_few_labels_of_a_file(tmp_path):
    reviews = load(path=write_csv(tmp_path / "a.csv"), labels=4)
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {
        "train": 4, "valid": 4, "test": 4, "unlabelled": 8,
    }  # fmt: skip
    text = reviews.splits["unlabelled"][7]["text"]
    assert reviews.where("unlabelled", 7) == f"{tmp_path}/a.csv:{[one for one, _ in ROWS].index(text) + 2}"


@pytest.mark.parametrize("kind", ["csv", "folder"])
def test_a_label_unseen_in_training_is_found(tmp_path, kind):
    write = write_csv if kind == "csv" else write_folder
    train = write(tmp_path / ("a.csv" if kind == "csv" else "a"))
    test = write(tmp_path / ("b.csv" if kind == "csv" else "b"), [*ROWS[:3], ("x", "poss")])
    place = r"b\.csv:5" if kind == "csv" else r"b/poss/03\.txt"
    with pytest.raises(SentexpError, match=f"{place}: label 'poss' .* did you mean pos"):
        load(train=train, test=test)


def test_rows_without_text_are_counted_with_their_file(tmp_path):
    path = write_csv(tmp_path / "a.csv", [*ROWS, (" ", "pos"), ("", "neg"), ("words", "")])
    assert load(path=path).skipped == {f"{path}: no text": 2, f"{path}: no label": 1}


def test_class_names_beside_parquet_are_kept(tmp_path):
    classes = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["good", "bad"])})
    rows = {"text": [text for text, _ in ROWS], "label": [i % 2 for i in range(20)]}
    datasets.Dataset.from_dict(rows, features=classes).to_parquet(tmp_path / "a.parquet")
    assert load(path=tmp_path / "a.parquet").labels == ["good", "bad"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": "a.csv", "test": "a.csv"}, "expected different files"),
        ({"path": "b.csv"}, r"data\.path=.*b\.csv: no such file or folder; did you mean a\.csv\?"),
        ({"train": "none/b.csv"}, r"data\.train=.*: no such file"),
        ({"path": "a.csv", "format": "folder"}, "is a file"),
        ({"path": "empty", "format": "csv"}, "is a folder"),
        ({"path": "empty"}, "no rows; expected a folder for each label"),
        ({"path": "a.txt"}, "cannot tell its format"),
        ({"path": "a.csv", "unlabelled": "b.csv"}, r"data\.unlabelled=.*b\.csv: no such file or folder; did you mean"),
        ({"path": "a.csv", "unlabelled": "empty"}, r"empty: no rows; expected files \*\.txt, one per text"),
        ({"path": "header.csv"}, r"header\.csv: no rows"),
    ],
)
def test_refusals(tmp_path, changes, message):
    write_all(tmp_path)
    paths = {key: tmp_path / value if key != "format" else value for key, value in changes.items()}
    with pytest.raises(SentexpError, match=message):
        load(**paths)


def write_all(folder):
    write_csv(folder / "a.csv")
    (folder / "a.txt").write_text("x", encoding="utf-8")
    (folder / "header.csv").write_text("text,label\n", encoding="utf-8")
    (folder / "empty").mkdir()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "path=None: expected a file or folder, or train"),
        ({"test": "a.csv"}, "path=None: expected a file or folder, or train"),
        ({"path": "a.csv", "train": "a.csv"}, "expected either path or train, not both"),
        ({"path": "a.csv", "format": "cvs"}, r"format=cvs: not one of auto, csv.*; did you mean csv\?"),
    ],
)
def test_wrong_arguments(tmp_path, changes, message):
    write_all(tmp_path)
    paths = {key: tmp_path / value if key != "format" else value for key, value in changes.items()}
    with pytest.raises(ValueError, match=message):
        load(**paths)
