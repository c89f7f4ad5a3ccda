from __future__ import annotations

from pathlib import Path

from planted import config_of, sound

from sentexp.inspection.splits import percent
from sentexp.runner import inspect


def test_lengths_are_those_before_reviews_are_cut(tmp_path: Path) -> None:
    rows = [*sound(), ("w " * 700, "negative")]
    found = inspect(config_of(tmp_path, "text.max_length=50", "text.init_token='<sos>'", train=rows, test=sound(100)))
    train = found.splits["train"]
    assert train.lengths.max() == 701
    assert found.bound == 50
    assert train.cut(50) == (train.lengths > 50).mean()
    assert 0 < train.cut(701 - 1) < 0.01
    assert train.quantile(1) == 701


def test_samples_show_what_the_model_reads(tmp_path: Path) -> None:
    rows = [(f"Row{place} <b>GOOD</b>", label) for place, (_, label) in enumerate(sound())]
    found = inspect(config_of(tmp_path, "vocab.max_size=3", train=rows, test=rows))
    assert len(found.samples) == 5
    for sample in found.samples:
        assert sample.place.startswith(f"{tmp_path}/train.csv:")
        assert (sample.text.endswith("<b>GOOD</b>"), sample.tokens[-1]) == (True, "good")
    assert found.samples[-1].tokens[0] == "<unk>"


def test_labels_are_counted_per_split(tmp_path: Path) -> None:
    found = inspect(config_of(tmp_path, train=sound(), test=[*sound(100), ("one more film", "positive")]))
    assert found.reviews.labels == ["negative", "positive"]
    assert {split: facts.counts.tolist() for split, facts in found.splits.items()} == {
        "train": [180, 180], "valid": [20, 20], "test": [50, 51],
    }  # fmt: skip


def test_unlabelled_reviews_are_counted_without_labels_and_those_held_out_are_dropped(tmp_path: Path) -> None:
    rows = sound(500)
    (tmp_path / "more.txt").write_text("".join(f"{text}\n" for text, _ in rows[:50]), encoding="utf-8")
    more = f"data.unlabelled={tmp_path}/more.txt"
    found = inspect(config_of(tmp_path, more, train=rows[50:400], test=rows[400:]))
    assert list(found.splits) == ["train", "valid", "test", "unlabelled"]
    assert [facts.labelled for facts in found.splits.values()] == [True, True, True, False]
    assert len(found.splits["unlabelled"].lengths) == 50
    found = inspect(config_of(tmp_path, more, train=rows[100:], test=rows[40:100]))
    assert len(found.splits["unlabelled"].lengths) == 40
    assert list(found.reviews.dropped.values()) == [10]


def test_shares_are_shown_short() -> None:
    assert [percent(share) for share in (0, 0.0123, 0.0994, 0.0996, 0.5, 1)] == [
        "0.0 %", "1.2 %", "9.9 %", "10 %", "50 %", "100 %",
    ]  # fmt: skip
