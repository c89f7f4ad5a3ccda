from __future__ import annotations

import datasets
import pytest

from sentexp.data.raw_split import RawSplit, take_columns
from sentexp.errors import SentexpError


@pytest.mark.parametrize("columns", [{"text": ["a"]}, {"label": [1]}, {"text": [1], "label": [1]}])
def test_a_raw_split_has_texts_and_labels(columns):
    with pytest.raises(ValueError, match=r"mine: expected columns text \(strings\) and label, found \{"):
        RawSplit(datasets.Dataset.from_dict(columns), "mine")


def test_texts_alone_need_no_label():
    assert len(RawSplit(datasets.Dataset.from_dict({"text": ["a"]}), "mine", label_column=None).rows) == 1
    with pytest.raises(ValueError, match=r"mine: expected a column text \(strings\), found"):
        RawSplit(datasets.Dataset.from_dict({"label": ["a"]}), "mine", label_column=None)


def test_without_a_label_column_the_texts_alone_are_taken():
    rows = datasets.Dataset.from_list([{"title": "Well", "text": "done", "label": [1]}])
    taken = take_columns(rows, "f", ["title", "text"], None)
    assert list(taken.rows) == [{"text": "Well done"}]
    assert list(take_columns(rows, "f", ["title"], None).rows) == [{"text": "Well"}]
    with pytest.raises(SentexpError, match=r"data\.text_column=txt: no such column in f; .* did you mean text\?"):
        take_columns(rows, "f", ["txt"], None)


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("txt", "label", r"data\.text_column=txt: no such column in f; .* text, label, stars; did you mean text\?"),
        ("text", "labels", r"data\.label_column=labels: .* did you mean label\?"),
        ("stars", "label", r"data\.text_column=stars: expected text, found int64 in f; columns of text: text, label"),
        ("text", "text", "expected another column"),
    ],
)
def test_refuses_wrong_columns(text, label, message):
    rows = datasets.Dataset.from_dict({"text": ["a"], "label": ["b"], "stars": [3]})
    with pytest.raises(SentexpError, match=message):
        take_columns(rows, "f", [text], label)


def test_the_label_column_may_be_called_text():
    rows = datasets.Dataset.from_dict({"review": ["a"], "text": ["b"]})
    assert take_columns(rows, "f", ["review"], "text").rows[0] == {"text": "a", "label": "b"}


def test_columns_are_joined_and_found_inside_others():
    rows = datasets.Dataset.from_list([{"title": "Well", "review": {"text": "done"}, "label": 1}])
    assert take_columns(rows, "f", ["title", "review.text"], "label").rows[0] == {"text": "Well done", "label": 1}
