"""The built-in demo corpus: generated reviews in which the order of words decides.

A review is a random mix of an opening, neutral sentences and two to five opinions. Each opinion ends as the reviewer's
own verdict, however it gets there: by negation ("far from dull"), contrast ("dull, but in the end I loved it"),
reported opinion ("my sister called it a mess; to me it was a gem") or expectation ("I expected to hate it and left
delighted"). Most opinions name words of both leanings, or deny a word of the other leaning, so that "dull" is nearly as
frequent in positive reviews as in negative ones: counting words tells a little, reading them in order tells all.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import datasets

from sentexp.data import demo_phrases as phrases
from sentexp.data.raw_split import UNLABELLED_SPLIT, RawSplit
from sentexp.data.reviews import Reviews, to_reviews

LABELS = ("negative", "positive")

# Shares of two kinds of opinion; the rest are claims. With more claims, a model that only counts words would do better;
# without any, an LSTM has nothing to start from, because the label would be the exclusive or of word and place.
_CONTRASTS, _DENIALS = 0.41, 0.16
_SHORTEST = 15  # words
_SLOT = re.compile(r"\{(?:(good|bad) )?(a )?(\w+?)(\d?)\}")
_A_BEFORE_VOWEL = re.compile(r"\b([Aa])(?= [aeiou])")


def load(
    size: int,
    test_fraction: float,
    valid_fraction: float,
    limit: int | None,
    seed: int,
    unlabelled: int = 0,
    labels: int | None = None,
) -> Reviews:
    """Generate `size` different reviews, half of them with each label, and split them by the two fractions.

    The same arguments give the same reviews on every platform and Python version. The splits keep the proportions of
    the labels. `unlabelled` further reviews, different from these, become the split unlabelled; see `to_reviews` for
    `labels`. Raises ValueError for a size below 2 and a fraction that is not between 0 and 1, SentexpError for
    fractions that leave a split too few reviews.
    """
    if size < len(LABELS):
        raise ValueError(f"size={size}: expected at least one review of each label, {len(LABELS)}")
    writer = _Writer(seed)
    texts, numbers = writer.write(size)
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=list(LABELS))})
    rows = datasets.Dataset.from_dict({"text": texts, "label": numbers}, features=features)
    raw = {"train": RawSplit(rows, "the demo corpus")}
    if unlabelled:
        rows = datasets.Dataset.from_dict({"text": writer.write(unlabelled)[0]})
        raw[UNLABELLED_SPLIT] = RawSplit(rows, "further reviews of the demo corpus", label_column=None)
    return to_reviews(
        raw,
        source=f"demo corpus, {size} reviews, seed {seed}",
        test_fraction=test_fraction,
        valid_fraction=valid_fraction,
        limit=limit,
        seed=seed,
        labels=labels,
    )


def write_reviews(size: int, seed: int) -> tuple[list[str], list[int]]:
    """Return `size` different reviews and their labels, shuffled: 0 negative, 1 positive, half of each."""
    return _Writer(seed).write(size)


class _Writer:
    """Writes reviews, none of them twice."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.seen: set[str] = set()

    def write(self, count: int) -> tuple[list[str], list[int]]:
        """Return the next `count` reviews and their labels, shuffled."""
        texts: list[str] = []
        while len(texts) < count:
            text = _Review(self.rng, positive=len(texts) % 2 == 1).text()
            if text not in self.seen:
                self.seen.add(text)
                texts.append(text)
        order = sorted((self.rng.random(), row) for row in range(count))
        return [texts[row] for _, row in order], [row % 2 for _, row in order]


class _Review:
    """One review that is being generated; remembers what it has already used."""

    def __init__(self, rng: random.Random, positive: bool) -> None:
        self.rng = rng
        self.positive = positive
        self.used: set[str] = set()
        self.people = [f"{self.unused(phrases.FIRST_NAMES)} {self.unused(phrases.LAST_NAMES)}" for _ in range(3)]
        self.name = f"The {self.pick(phrases.TITLE_STARTS)} {self.pick(phrases.TITLE_ENDS)}"

    # Only random() of Python's generator is used: its results are promised not to change between versions.
    def pick(self, items: Sequence[str]) -> str:
        return items[int(self.rng.random() * len(items))]

    def unused(self, items: tuple[str, ...]) -> str:
        """Return one of `items` that this review has not used yet, or any of them if all are used."""
        fresh = tuple(item for item in items if item not in self.used)
        item = self.pick(fresh or items)
        self.used.add(item)
        return item

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def text(self) -> str:
        opinions = int(self.pick("22233445"))
        fillers = int(self.pick("0122")) if self.chance(0.95) else 6 + int(self.rng.random() * 8)
        body = [self.opinion() for _ in range(opinions)] + [self.unused(phrases.FILLERS) for _ in range(fillers)]
        body = [sentence for _, sentence in sorted((self.rng.random(), sentence) for sentence in body)]
        if self.chance(0.75):
            body.insert(0, self.unused(phrases.OPENINGS))
        if self.chance(0.4):
            body.append(self.unused(phrases.VERDICTS))
        elif self.chance(0.4):
            body.append(self.unused(phrases.CLOSINGS))
        sentences = [self.sentence(pattern) for pattern in body]
        while sum(len(sentence.split()) for sentence in sentences) < _SHORTEST:
            sentences.insert(0, self.sentence(self.unused(phrases.FILLERS)))
        return " ".join(sentences)

    def opinion(self) -> str:
        kind = self.rng.random()
        if kind < _CONTRASTS:
            pattern = self.unused(phrases.CONTRASTS)
        elif kind < _CONTRASTS + _DENIALS:
            pattern = self.unused(phrases.DENIALS)
        else:
            pattern = self.unused(phrases.CLAIMS)
        return self.after(self.unused(phrases.LEADS), pattern) if self.chance(0.2) else pattern

    @staticmethod
    def after(lead: str, pattern: str) -> str:
        """Make the pattern the rest of a sentence: without its capital letter, except for "I" and names."""
        if pattern.startswith("{"):
            return lead + pattern[0] + pattern[1].lower() + pattern[2:]
        return lead + (pattern if pattern.startswith("I ") else pattern[0].lower() + pattern[1:])

    def sentence(self, pattern: str) -> str:
        text = _SLOT.sub(self.fill, pattern)
        text = _A_BEFORE_VOWEL.sub(r"\1n", text[0].upper() + text[1:])
        return text + ("!" if self.chance(0.05) else ".")

    def fill(self, slot: re.Match[str]) -> str:
        lean, article, name, _number = slot.groups()
        if lean:
            own = (lean == "good") == self.positive
            return self.unused(phrases.POLAR[name][int(own)])
        word = self.neutral(name.lower())
        if article:
            return f"a {word}"
        return word[0].upper() + word[1:] if name[0].isupper() else word

    def neutral(self, name: str) -> str:
        if name == "title":
            return self.name
        if name in ("actor", "surname", "director"):
            person = self.people[2] if name == "director" else self.people[int(self.chance(0.3))]
            return person.split()[1] if name == "surname" else person
        return self.unused(phrases.NEUTRAL[name])
