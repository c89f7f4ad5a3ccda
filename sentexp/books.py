"""Which texts a model has seen: the books that each run keeps, and that go with its trained model.

A model that has seen the texts of the test reviews, be it without their labels, is transductive: its test metrics are
not those of an inductive model, which meets these texts for the first time. Texts are told apart by their hashes, so
the books of a model know its texts again in any other data, and after the files are gone.

Imports nothing heavy: every prediction loads the books along with its model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sentexp.atomic import whole_file
from sentexp.errors import SentexpError, one_line
from sentexp.redact import without_passwords

if TYPE_CHECKING:
    from sentexp.data.reviews import Reviews

# Shapes: N texts of a split

VOCABULARY, VECTORS, CLASSIFIER, SELECTION, START = "vocabulary", "vectors", "classifier", "selection", "start"
"""What learns from texts: the list of words, word vectors from a file, the model itself, the choice of its best epoch,
and the run that it started from, with all that one had seen."""

CHANCE = 0.02
"""Share of the test reviews up to which texts that were seen count as chance: in any data, some texts occur twice. Of
IMDB's 25,000 test reviews, 199 repeat another one, and 269 (1.1 %) stand among its own unlabelled ones, which are left
out where they are read; a run on other data may have seen them nevertheless."""

FILES = FACTS, HASHES = "seen.json", "seen.hashes"
"""Files of the books in the folder of a trained model."""

WIDTH = np.dtype("<u8")


@dataclass(frozen=True, eq=False)
class Texts:
    """The texts of one split."""

    digest: str
    """The hash of the texts and their labels that `Reviews.digests` has."""
    split: str
    source: str
    """Where they come from, for people."""
    hashes: np.ndarray
    """One per text, uint64 [N]; see `sentexp.data.duplicates.hashes`."""
    test_digest: str | None = None
    """The digest of the test reviews if these texts are unlabelled ones from the very same source."""

    @staticmethod
    def of(reviews: Reviews, split: str) -> Texts:
        """Take the texts of a split."""
        from sentexp.data.duplicates import text_hashes

        named = reviews.digests["test"] if reviews.test_as_unlabelled and split == "unlabelled" else None
        hashes = text_hashes(reviews.splits[split])
        return Texts(reviews.digests[split], split, reviews.source, hashes, named)

    @property
    def labelled(self) -> bool:
        return self.split != "unlabelled"


@dataclass(frozen=True)
class Overlap:
    """How many test reviews have a text that a model has seen beside the labelled reviews of its training."""

    count: int
    reviews: int
    """All test reviews."""
    named: bool
    """True if the source of the test reviews was itself named as that of unlabelled texts."""

    @property
    def transductive(self) -> bool:
        return self.named or self.count > CHANCE * self.reviews

    @property
    def line(self) -> str:
        """What it means, in one line; empty if no test review was seen."""
        share = f"{self.count:,} of the {self.reviews:,} test reviews ({100 * self.count / self.reviews:.1f} %)"
        seen = f"{share} are among the texts that the model has seen beside its labelled training reviews"
        if self.transductive:
            why = ", since their own source was named for unlabelled texts" if self.named else ""
            return f"transductive: {seen}{why}; not to be ranked with models that have seen none of them"
        return f"{seen}; up to {100 * CHANCE:g} % counts as chance" if self.count else ""


@dataclass(frozen=True, eq=False)
class Books:
    """Which texts each part of a model has learnt from.

    books = Books().seen_by(VOCABULARY, train, unlabelled).seen_by(CLASSIFIER, train).seen_by(SELECTION, valid)
    books.overlap(test).transductive
    """

    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The digests of the texts that a part has seen; a name stands for texts that are not known, such as `glove 6B`."""
    texts: Mapping[str, Texts] = field(default_factory=dict)
    """By their digests."""

    def seen_by(self, part: str, *seen: Texts | str) -> Books:
        """Return the books with further texts, or names of unknown ones, that a part has seen."""
        names = [one if isinstance(one, str) else one.digest for one in seen]
        if not names:
            return self
        parts = {**self.parts, part: tuple(dict.fromkeys([*self.parts.get(part, ()), *names]))}
        return Books(parts, {**self.texts, **{one.digest: one for one in seen if not isinstance(one, str)}})

    def started_from(self, other: Books) -> Books:
        """Return the books of a model that started from one with the books `other`."""
        every = dict.fromkeys(name for names in other.parts.values() for name in names)
        return self.seen_by(START, *(other.texts.get(name, name) for name in every))

    def joined(self, others: Iterable[Books]) -> Books:
        """Return the books of several models that answer together."""
        books = self
        for other in others:
            for part, names in other.parts.items():
                books = books.seen_by(part, *(other.texts.get(name, name) for name in names))
        return books

    def overlap(self, test: Texts) -> Overlap:
        """Compare test reviews with all texts that were seen, but for the labelled reviews of CLASSIFIER and SELECTION.

        That of test and training reviews is a matter of the data, which is found before the training.
        """
        own = {name for part in (CLASSIFIER, SELECTION) for name in self.parts.get(part, ())}
        seen = [one for name, one in self.texts.items() if not (name in own and one.labelled)]
        named = any(one.test_digest == test.digest for one in seen)
        return Overlap(_among(test, seen), len(test.hashes), named)

    def trained_on(self, test: Texts) -> int:
        """Return how many test reviews are among those that the model was trained on with their labels."""
        names = self.parts.get(CLASSIFIER, ())
        return _among(test, [self.texts[name] for name in names if name in self.texts and self.texts[name].labelled])

    def tag(self) -> str:
        """Return the digests that each part has seen as JSON, for the record of the run."""
        return json.dumps(self.parts)

    def save(self, folder: Path) -> None:
        """Write FACTS and HASHES: 8 bytes per different text of a split."""
        hashes = {name: np.unique(one.hashes).astype(WIDTH) for name, one in self.texts.items()}
        described = [
            {
                "digest": name,
                "split": one.split,
                "source": without_passwords(one.source),
                "texts": len(hashes[name]),
                "test_digest": one.test_digest,
            }
            for name, one in self.texts.items()
        ]
        with whole_file(folder / HASHES) as unfinished:
            unfinished.write_bytes(b"".join(some.tobytes() for some in hashes.values()))
        with whole_file(folder / FACTS) as unfinished:
            facts = {"parts": self.parts, "texts": described}
            unfinished.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def load(folder: Path) -> Books | None:
        """Read what `save` wrote to `folder`; None if there is nothing. Raises SentexpError if it is damaged."""
        path = folder / FACTS
        if not path.is_file():
            return None
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            hashes = np.frombuffer((folder / HASHES).read_bytes(), WIDTH)
            texts, start = {}, 0
            for one in facts["texts"]:
                texts[_text(one["digest"])] = _texts(one, hashes[start : start + one["texts"]])
                start += one["texts"]
            if start != len(hashes):
                raise ValueError(f"{HASHES} holds {len(hashes)} texts, expected {start}")
            parts = {part: tuple(map(_text, names)) for part, names in facts["parts"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SentexpError(f"{path}: damaged ({one_line(error)}); expected what a run writes there") from error
        return Books(parts, texts)


def _texts(described: Mapping[str, Any], hashes: np.ndarray) -> Texts:
    if not isinstance(described["texts"], int) or described["texts"] != len(hashes):
        raise ValueError(f"texts: {described['texts']}, expected the number of those in {HASHES}")
    digest, split, source = (_text(described[key]) for key in ("digest", "split", "source"))
    named = described["test_digest"]
    return Texts(digest, split, source, hashes, None if named is None else _text(named))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r}: expected a text")
    return value


def _among(test: Texts, seen: Iterable[Texts]) -> int:
    """Return how many test reviews have the text of one that was seen."""
    every = [one.hashes for one in seen]
    return int(np.isin(test.hashes, np.concatenate(every)).sum()) if every else 0
