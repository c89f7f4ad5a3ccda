"""Each fault that is planted is found, with the key that mends it, and nothing is found where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from planted import config_of, sound

from sentexp.config import compose
from sentexp.inspection.findings import Finding, few_reviews
from sentexp.runner import inspect

UNBALANCED = [row for place, row in enumerate(sound(800)) if row[1] == "positive" or place % 16 == 0]
CHINESE = [(f"这部电影非常好看 {number},我很喜欢。", label) for number, (_, label) in enumerate(sound())]


def findings(folder: Path, *overrides: str, **files) -> dict[str, Finding]:
    found = inspect(config_of(folder, *overrides, **files)).findings
    return {finding.kind: finding for finding in found}


def test_nothing_is_found_in_the_demo_corpus(tmp_path: Path) -> None:
    assert inspect(compose(f"cache_dir={tmp_path}")).findings == []


def test_nothing_is_found_in_sound_reviews(tmp_path: Path) -> None:
    assert findings(tmp_path, whole=sound()) == {}


def texts(text: str) -> list[tuple[str, str]]:
    return [(text.format(number), label) for number, (_, label) in enumerate(sound())]


@pytest.mark.parametrize(
    ("kind", "grave", "words", "overrides", "files"),
    [
        (
            "in two splits", True, ["3 of 100 test reviews are also in train", "data.drop_duplicates=true"], [],
            {"train": [*sound(), *sound(500)[400:403]], "test": sound(500)[400:]},
        ),
        (
            "conflicting", True, ["2 texts have two labels", "data.drop_duplicates=true"], [],
            {"train": [*sound(), ("one film", "negative"), (" one film ", "positive"),
                       ("other film", "negative"), ("other film", "positive")], "test": sound(500)[400:]},
        ),
        (
            "repeated", False, ["30 in train repeat an earlier", "data.drop_duplicates=true"], [],
            {"train": [*sound(), *sound()[:30]], "valid": sound(600)[500:], "test": sound(500)[400:]},
        ),
        (
            "empty class", True, ["no test review has the label positive"], [],
            {"train": sound(), "test": [row for row in sound(500)[400:] if row[1] == "negative"]},
        ),
        (
            "source", True, ["no training review has the label 2 to 3"], ["data.label_cuts=[2,3]"],
            {"whole": [(text, "1" if label == "negative" else "5") for text, label in sound()]},
        ),
        (
            "source", True, ["positive (320) and Positive (80)", "data.ignore_label_case=true"], [],
            {"whole": [*sound(640), *((f"{text} Yes", "Positive") for text, label in sound(160) if "p" in label)]},
        ),
        ("few reviews", True, ["test: fewer than 20 reviews of a label (negative: 10, positive: 10)"], [],
         {"whole": sound(100)}),
        ("imbalance", False, ["unbalanced labels", "trainer.class_weight=balanced"], [], {"whole": UNBALANCED}),
        ("left out", False, ["7 left out", "no text"], [], {"whole": [*sound(), *[(" ", "positive")] * 7]}),
        (
            "label column", True, ["ids, not classes", "data.label_column"], [],
            {"whole": [(text, f"user{place % 75}") for place, (text, _) in enumerate(sound(1000))]},
        ),
        (
            "label column", True, ["look like texts", "data.label_column"], [],
            {"whole": [(text, f"a whole sentence about being {label}") for text, label in sound()]},
        ),
        ("text column", True, ["paths or addresses", "data.text_column"], [], {"whole": texts("img/{}.png")}),
        ("text column", True, ["numbers, dates or codes", "data.text_column"], [], {"whole": texts("2024-01-{}")}),
        ("text column", True, ["a single word", "data.text_column"], [], {"whole": texts("user{}")}),
        ("text column", True, ["at most 2 words long", "data.text_column"], [], {"whole": texts("Film {}")}),
        (
            "text column", True, ["only 2 different texts", "data.text_column"], [],
            {"whole": [(f"in the category {place % 2}", label) for place, (_, label) in enumerate(sound())]},
        ),
        ("script", True, ["Chinese", "tokenizer=spacy tokenizer.language=zh"], [], {"whole": CHINESE}),
        ("cut", False, ["text.max_length=20 cuts", "; text.max_length="], ["text.max_length=20"], {"whole": sound()}),
        ("cut", False, ["text.fix_length=20 cuts", "; text.fix_length="], ["text.fix_length=20"], {"whole": sound()}),
        (
            "long", False, ["the longest training review has 4,000 tokens", "text.max_length="], [],
            {"train": [*sound(), ("long " * 4000, "negative")], "test": sound(500)[400:]},
        ),
        ("unknown", False, ["(vocab.min_freq=60)", "vocab.min_freq=1"],
         ["vocab.min_freq=60", "vocab.max_size=null"], {"whole": sound()}),
        (
            "unknown", False, ["of the words in test are not in the vocabulary"], [],
            {"train": sound(), "test": [(f"{label} xyzzy{place} plugh{place}", label)
                                        for place, (_, label) in enumerate(sound(100))]},
        ),
        ("no words", False, ["5 in train", "text.clean"], ["text.clean.punctuation=true"],
         {"train": [*sound(), *((":" * place + ")", "positive") for place in range(1, 6))],
          "valid": sound(600)[500:], "test": sound(500)[400:]}),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(kind, grave, words, overrides, files, tmp_path: Path) -> None:
    finding = findings(tmp_path, *overrides, **files)[kind]
    assert finding.grave == grave
    assert "\n" not in finding.line
    for word in words:
        assert word in finding.line


def test_a_remedy_is_silent_once_it_is_taken(tmp_path: Path) -> None:
    assert "imbalance" not in findings(tmp_path, "trainer.class_weight=balanced", whole=UNBALANCED)
    assert "imbalance" not in findings(tmp_path, "trainer.sampling=balanced", whole=UNBALANCED)
    assert findings(tmp_path, "data.drop_duplicates=true", whole=[*sound(), *sound()[:50]]) == {}


def test_no_key_is_named_that_the_source_of_the_data_does_not_have(tmp_path: Path) -> None:
    found = inspect(compose("data.size=60", f"cache_dir={tmp_path}", "tokenizer=basic")).findings
    assert [finding.kind for finding in found] == ["few reviews"]
    assert "data." not in found[0].line


def test_labels_with_few_reviews_are_listed() -> None:
    assert few_reviews([20, 20], ["neg", "pos"]) is None
    assert few_reviews([19, 30, 0], ["neg", "pos", "odd"]) == "neg: 19"
