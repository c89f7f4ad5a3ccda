from __future__ import annotations

import contextlib
import io
import logging
import tarfile
import types
import zipfile
from pathlib import Path

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sentexp.data import hub
from sentexp.errors import SentexpError

IMDB = Path(__file__).parents[2] / "../shared/data/imdb"
README = """---
configs:
  - config_name: plain
    default: true
    data_files:
      - {split: train, path: plain/train.parquet}
      - {split: test, path: plain/test.parquet}
      - {split: unsupervised, path: plain/unsupervised.parquet}
  - config_name: other
    data_files: [{split: train, path: other.csv}, {split: test, path: other.csv}]
---
"""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "shared")
    monkeypatch.setattr(hub, "CACHE_DIR", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def folder(tmp_path):
    """A small dataset in the Hub's layout, whose third split cannot be read."""
    (tmp_path / "data/plain").mkdir(parents=True)
    (tmp_path / "data/README.md").write_text(README, encoding="utf-8")
    write(tmp_path / "data/plain/train.parquet", 40)
    write(tmp_path / "data/plain/test.parquet", 10)
    (tmp_path / "data/plain/unsupervised.parquet").write_text("no parquet", encoding="utf-8")
    (tmp_path / "data/other.csv").write_text("text,stars\n" + "fine,5\npoor,1\n" * 10, encoding="utf-8")
    return tmp_path / "data"


def write(path, size):
    classes = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    rows = {"text": [f"review {i}" for i in range(size)], "label": [int(i >= size // 2) for i in range(size)]}
    datasets.Dataset.from_dict(rows, features=classes).to_parquet(path)


def load(**changes):
    arguments = {
        "name": "someone/reviews",
        "config": None,
        "revision": None,
        "path": None,
        "text_column": "text",
        "label_column": "label",
        "train_split": "train",
        "valid_split": None,
        "test_split": "test",
        "valid_fraction": 0.25,
        "limit": None,
        "seed": 0,
        "cache_dir": hub.CACHE_DIR,
    }
    return hub.load(**{**arguments, **changes})


def test_a_folder_in_the_layout_of_the_hub_gives_the_splits_asked_for_alone(folder):
    reviews = load(path=str(folder))
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {"train": 30, "valid": 10, "test": 10}
    assert reviews.labels == ["neg", "pos"]
    assert reviews.source == str(folder)


def test_a_split_of_unlabelled_texts_and_few_labels(folder):
    rows = datasets.Dataset.from_dict({"text": ["one", "", "two"], "label": [-1] * 3})
    rows.to_parquet(folder / "plain/unsupervised.parquet")
    reviews = load(path=str(folder), unlabelled_split="unsupervised", labels=8)
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {
        "train": 8, "valid": 10, "test": 10, "unlabelled": 18,
    }  # fmt: skip
    assert reviews.splits["unlabelled"]["text"][:2] == ["one", "two"]
    assert set(reviews.splits["unlabelled"]["label"]) == {-1}
    assert reviews.skipped == {f"{folder}, split unsupervised: no text": 1}
    assert reviews.where("unlabelled", 1) == f"{folder}, split unsupervised, row 3"
    without = load(path=str(folder))
    assert [reviews.digests[split] for split in ("valid", "test")] == [
        without.digests[split] for split in ("valid", "test")
    ]


def test_a_test_split_that_is_asked_for_as_unlabelled_texts_is_noticed(folder):
    reviews = load(path=str(folder), unlabelled_split="test", limit=6)
    assert reviews.test_as_unlabelled
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {
        "train": 6, "valid": 6, "test": 6, "unlabelled": 6,
    }  # fmt: skip


def test_its_own_validation_split_is_used_and_what_is_not_read_is_said(folder, caplog):
    readme = README.replace(
        "- {split: test, path", "- {split: dev, path: plain/dev.parquet}\n      - {split: test, path"
    )
    (folder / "README.md").write_text(readme, encoding="utf-8")
    write(folder / "plain/dev.parquet", 4)
    with caplog.at_level(logging.INFO):
        reviews = load(path=str(folder), valid_split="auto")
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {"train": 40, "valid": 4, "test": 10}
    assert f"data: {folder}: not read: split unsupervised" in caplog.text
    assert len(load(path=str(folder), valid_split=None).splits["valid"]) == 10


def test_without_one_part_of_the_training_split_is_used(folder):
    assert len(load(path=str(folder), valid_split="auto").splits["valid"]) == 10


def test_texts_are_copied_to_the_cache_folder_alone_and_only_the_last_copy_is_kept(folder, cache, tmp_path):
    for size in (40, 60):
        write(folder / "plain/train.parquet", size)
        load(path=str(folder))
    kept = {file.parent for file in cache.rglob("*.arrow")}
    assert len(kept) == 1
    assert not list((tmp_path / "shared").rglob("*.arrow"))
    assert len(load(path=str(folder)).splits["train"]) == 45


def test_a_configuration_of_the_dataset(folder):
    assert load(path=str(folder), config="other", label_column="stars").labels == ["1", "5"]


def test_a_folder_of_bare_parquet_files(tmp_path):
    write(tmp_path / "train-00000-of-00001.parquet", 20)
    write(tmp_path / "test-00000-of-00001.parquet", 6)
    assert len(load(path=str(tmp_path)).splits["test"]) == 6


def test_rows_without_a_label_are_counted(folder):
    pq.write_table(pa.table({"text": ["a", "b", "c"], "label": [0, -1, 1]}), folder / "plain/test.parquet")
    assert load(path=str(folder)).skipped == {f"{folder}, split test: no label": 1}


def test_nothing_is_printed(folder, capfd, caplog):
    load(path=str(folder))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert not datasets.utils.are_progress_bars_disabled()


@pytest.mark.parametrize("file", ["README.md", ".huggingface.yaml"])
@pytest.mark.parametrize(
    "named",
    [
        "http://127.0.0.1:9/train.csv", "https://example.org/a.csv", "zip://a.csv::http://127.0.0.1:9/a.zip", "hf://a/b",
        "/etc/passwd", "../other.csv", "plain/../../x.csv", "file:///etc/passwd",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["{}", "[{}]", "[{{split: train, path: '{}'}}]", "{{train: ['{}']}}"])
def test_a_folder_that_names_files_elsewhere_is_refused_without_a_look_at_them(folder, file, named, form, monkeypatch):
    monkeypatch.setattr("fsspec.core.url_to_fs", lambda *_, **__: pytest.fail("looked elsewhere"))
    configs = f"configs:\n- config_name: plain\n  data_files: {form.format(named)}\n"
    (folder / file).write_text(f"---\n{configs}---\n" if file == "README.md" else configs, encoding="utf-8")
    with pytest.raises(SentexpError) as refusal:
        load(path=str(folder))
    assert f"{file} names {named}, which is not in the folder; expected paths inside" in str(refusal.value)


def test_a_readme_with_addresses_elsewhere_in_it_is_read(folder):
    text = README.replace("---\nconfigs", "---\nlicense_link: https://example.org/../x\nconfigs")
    (folder / "README.md").write_text(f"{text}\nSee https://example.org\n", encoding="utf-8")
    assert len(load(path=str(folder)).splits["test"]) == 10


@pytest.mark.parametrize("header", ["---\na: &a [x, x]\nb: [*a, *a\n---\n", "---\n\0\n---\n"])
def test_a_readme_that_is_no_yaml_is_refused_in_one_line(folder, header):
    (folder / "README.md").write_text(header, encoding="utf-8")
    with pytest.raises(SentexpError, match=r"README\.md: not YAML \([^\n]*\)$"):
        load(path=str(folder))


def test_an_archive_writes_nothing_outside_of_its_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "EXTRACTED_DATASETS_PATH", str(tmp_path / "extracted"))
    (tmp_path / "data").mkdir()
    rows = b"text,label\n" + b"fine,5\npoor,1\n" * 10
    with tarfile.open(tmp_path / "data" / "train.tar", "w") as archive:
        for name in ("rows.csv", "../../escaped.csv", str(tmp_path / "absolute.csv")):
            member = tarfile.TarInfo(name)
            member.size = len(rows)
            archive.addfile(member, io.BytesIO(rows))
        link = tarfile.TarInfo("link.csv")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with zipfile.ZipFile(tmp_path / "data" / "test.zip", "w") as archive:
        for name in ("rows.csv", "../../escaped.csv", str(tmp_path / "absolute.csv")):
            archive.writestr(name, rows)
    before = set(tmp_path.rglob("*.csv"))
    with contextlib.suppress(SentexpError):
        load(path=str(tmp_path / "data"))
    inside = {path for path in tmp_path.rglob("*.csv") if "extracted" in path.parts or "own" in path.parts}
    assert set(tmp_path.rglob("*.csv")) - inside == before
    assert not (tmp_path.parent / "escaped.csv").exists()
    assert not any(path.is_symlink() for path in inside)


def test_a_copy_of_a_folder_with_an_altered_byte_is_said_and_made_anew(folder, cache, caplog):
    first = load(path=str(folder))
    copies = sorted(cache.rglob("*.arrow"))
    assert len(copies) == 2
    for file in (*copies, *cache.rglob(hub.CHECKSUMS)):
        content = bytearray(file.read_bytes())
        content[content.index(b"review 1") if file in copies else 0] ^= 1
        file.write_bytes(content)
        caplog.clear()
        assert load(path=str(folder)).digests == first.digests
        told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert [message.count(f": damaged (not as written); reading {folder} anew") for message in told] == [1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": "nowhere"}, "data.path=nowhere: no such folder"),
        ({"path": "README.md"}, "expected a folder in the Hub's layout; data=files reads single files"),
        ({"path": "plain/none"}, "no such folder"),
        ({"config": "plane"}, r"data\.config=plane: .* expected one of plain, other; did you mean plain\?"),
        ({"test_split": "tests"}, r"data\.test_split=tests: .* its splits: train, test, unsupervised; did you mean"),
        ({"valid_split": "test"}, "expected different splits, got train, test, test"),
        ({"text_column": "review"}, r"data\.text_column=review: no such column in .*, split train"),
        ({"label_column": "labels"}, r"did you mean label\?"),
        ({"test_split": "unsupervised"}, r"data\.path=.*: "),
    ],
)
def test_refusals_of_a_folder_are_one_line(folder, changes, message, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(SentexpError, match=message) as refusal:
        load(**{"path": str(folder), **changes})
    assert "\n" not in str(refusal.value)


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SentexpError, match="data files"):
        load(path=str(tmp_path / "empty"))


def test_a_label_unseen_in_training_is_found(folder):
    rows = pa.table({"text": ["a", "b"], "label": ["pos", "nag"]})
    pq.write_table(rows, folder / "plain/test.parquet")
    rows = pa.table({"text": ["a", "b"] * 10, "label": ["pos", "neg"] * 10})
    pq.write_table(rows, folder / "plain/train.parquet")
    with pytest.raises(SentexpError, match="split test, row 2: label 'nag' does not occur in training"):
        load(path=str(folder))


def test_neither_name_nor_path_is_refused():
    with pytest.raises(ValueError, match=r"name=None: expected OWNER/NAME"):
        load(name=None)


def fake_hub(monkeypatch, answer):
    def dataset_info(self, name, **_):
        if isinstance(answer, Exception):
            raise answer
        return types.SimpleNamespace(sha=answer)

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", dataset_info)


def error_of_the_hub(kind):
    response = types.SimpleNamespace(headers={}, request=None, status_code=404)
    try:
        return kind("no such thing", response=response)
    except TypeError:
        return kind("no such thing", response)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionError("Name or service not known"), "cannot reach the Hub at .*Name or service not known"),
        (TimeoutError(), "cannot reach the Hub"),
        (
            error_of_the_hub(huggingface_hub.errors.RepositoryNotFoundError),
            "data.name=someone/reviews: no such dataset",
        ),
        (
            error_of_the_hub(huggingface_hub.errors.RevisionNotFoundError),
            "data.revision=v2: no such branch, tag or comm",
        ),
        (error_of_the_hub(huggingface_hub.errors.GatedRepoError), "wants its terms accepted"),
    ],
)
def test_refusals_of_the_hub_are_one_line(monkeypatch, error, message):
    fake_hub(monkeypatch, error)
    with pytest.raises(SentexpError, match=message) as refusal:
        load(revision="v2")
    assert "\n" not in str(refusal.value)
    if "cannot reach" in message:
        assert "data.path=FOLDER" in str(refusal.value)


def test_offline_mode_asks_nobody(monkeypatch):
    fake_hub(monkeypatch, AssertionError("asked"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(SentexpError, match="offline mode is on"):
        load()


def test_what_was_fetched_once_is_found_without_a_network(folder, monkeypatch, caplog):
    # The folder plays the Hub: what is fetched, prepared and noted is the same.
    prepare = hub._prepare
    monkeypatch.setattr(
        hub, "_prepare", lambda name, config, revision, *rest, **k: prepare(str(folder), config, None, *rest, **k)
    )
    fake_hub(monkeypatch, "0123456789abcdef")
    online = load()
    assert online.source == "someone/reviews@01234567"

    fake_hub(monkeypatch, ConnectionError("no route"))
    with caplog.at_level(logging.WARNING):
        offline = load()
    assert "Cannot reach the Hub (ConnectionError: no route): reading the copy of someone/reviews" in caplog.text
    assert (offline.digests, offline.labels, offline.source) == (online.digests, online.labels, online.source)
    with pytest.raises(SentexpError, match="no copy of an earlier download"):
        load(revision="another")


@pytest.mark.skipif(not IMDB.is_dir(), reason="no IMDB at ../shared/data/imdb")
def test_imdb():
    reviews = load(path=str(IMDB), valid_fraction=0.3)
    assert {split: len(rows) for split, rows in reviews.splits.items()} == {
        "train": 17500,
        "valid": 7500,
        "test": 25000,
    }
    assert reviews.labels == ["neg", "pos"]
    assert sum(reviews.splits["valid"]["label"]) == 3750
