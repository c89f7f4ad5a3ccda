"""What looks wrong with a data set: one line each, with the key that mends it.

`judge_reviews` needs the reviews alone, so that training can say what it finds before it tokenizes; `judge_corpora`
looks at the tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sentexp.config import plain
from sentexp.data.labels import as_number, shortened
from sentexp.data.reviews import Reviews
from sentexp.inspection.equal_texts import EqualTexts
from sentexp.inspection.splits import SplitFacts, percent
from sentexp.inspection.text_column import looks_wrong
from sentexp.schema import Config
from sentexp.text.corpus import UNLABELLED
from sentexp.text.encoded_reviews import labels_of
from sentexp.text.scripts import foreign_script
from sentexp.text.spacy_tokenizer import SpacyTokenizer
from sentexp.text.tokenizers import Tokenizer, splits_at_spaces

# Shapes: N reviews of a split, C labels

LOOKED_AT = 500
"""Training reviews, spread over all, by which script and column are judged."""
FEW = 20
"""Reviews of a label below which its metrics say little: one review more or less is five points of recall."""
IMBALANCE = 4.0
"""Reviews of the most frequent label per review of the rarest from which on labels are unbalanced: 80 to 20."""
MANY_LABELS = 20
"""Labels above which they may be ids."""
REVIEWS_PER_ID = 10
"""Training reviews per label below which many labels look like ids."""
WORDS_OF_A_LABEL = 5
"""Words above which most labels are no longer names but texts."""
CUT = 0.5
"""Share of the training reviews from which on text.max_length cuts too many."""
OUTLIER, LONG = 10, 1000
"""The longest review is worth a word from OUTLIER times the length that 95 % have at most, and from LONG tokens."""
UNKNOWN_TRAIN, UNKNOWN_HELD = 0.05, 0.15
"""Share of words outside the vocabulary that is worth a word: in training, and in the other splits."""


@dataclass(frozen=True)
class Finding:
    """Something that looks wrong."""

    kind: str
    """One or two words by which findings of a kind are found."""
    line: str
    """What is wrong, and after a semicolon the key that mends it, if there is one."""
    grave: bool
    """True if a model trained on such data is likely worthless, or its metrics; training says it."""


def judge_reviews(reviews: Reviews, equal: EqualTexts, tokenizer: Tokenizer, config: Config) -> list[Finding]:
    """Return what the reviews show before they are tokenized, the grave first."""
    train = reviews.splits["train"]
    sample = train[np.unique(np.linspace(0, len(train) - 1, LOOKED_AT).astype(int)).tolist()]["text"]
    counts = label_counts(reviews)
    left_out = [f"{count:,} left out: {reason}" for reason, count in reviews.skipped.items()]
    found = [
        *_column(sample, config),
        *_label_names(reviews.labels, len(train), config),
        *(Finding("source", note, grave=True) for note in reviews.notes),
        *_equal(equal, config),
        *_script(sample, tokenizer),
        *_counts(counts, reviews.labels, config),
        *(Finding("left out", line, grave=False) for line in left_out),
    ]
    return sorted(found, key=lambda finding: not finding.grave)


def judge_corpora(splits: Mapping[str, SplitFacts], bound: int | None, config: Config) -> list[Finding]:
    """Return what the tokens show; `bound` is the length to which reviews are cut, None if they are not."""
    return [*_lengths(splits["train"], bound, config), *_unknown(splits, config), *_wordless(splits)]


def label_counts(reviews: Reviews) -> dict[str, np.ndarray]:
    """Count the reviews of each label in each split, int64 [C]; those without a label do not count."""
    found = {split: labels_of(rows) for split, rows in reviews.splits.items()}
    return {
        split: np.bincount(labels[labels != UNLABELLED], minlength=len(reviews.labels))
        for split, labels in found.items()
    }


def few_reviews(counts: np.ndarray, names: Sequence[str]) -> str | None:
    """Return the labels that have some, but fewer than FEW reviews, with their `counts` [C]; None if no label has."""
    few = [f"{name}: {count}" for name, count in zip(names, counts, strict=True) if 0 < count < FEW]
    return shortened(few, most=5) if few else None


def _column(sample: Sequence[str], config: Config) -> Iterator[Finding]:
    looks = looks_wrong(sample)
    if looks is not None:
        way_out = "data.text_column names the column of the reviews"
        yield Finding("text column", f"{looks}{_way_out(config, 'text_column', way_out)}", grave=True)


def _label_names(names: Sequence[str], rows: int, config: Config) -> Iterator[Finding]:
    way_out = _way_out(config, "label_column", "data.label_column names the column of the labels")
    if len(names) > MANY_LABELS and rows < REVIEWS_PER_ID * len(names):
        kind = "numbers" if all(as_number(name) is not None for name in names) else "values"
        told = f"{len(names):,} labels for {rows:,} training reviews ({shortened(names, most=3)})"
        yield Finding("label column", f"{told}: {kind} that look like ids, not classes{way_out}", grave=True)
    elif sum(len(name.split()) > WORDS_OF_A_LABEL for name in names) > len(names) / 2:
        problem = f"labels of more than {WORDS_OF_A_LABEL} words ({names[0][:40]!r}): they look like texts, not classes"
        yield Finding("label column", f"{problem}{way_out}", grave=True)


def _equal(equal: EqualTexts, config: Config) -> Iterator[Finding]:
    way_out = _way_out(config, "drop_duplicates", "data.drop_duplicates=true keeps one of each")
    shared = [
        f"{count:,} of {equal.sizes[held]:,} {held} reviews are also in {train}"
        for (held, train), count in equal.shared.items()
        if count and held != "unlabelled"  # nothing is measured on these
    ]
    if shared:
        yield Finding("in two splits", f"equal texts: {', '.join(shared)}{way_out}", grave=True)
    if equal.conflicting:
        texts = "1 text has" if equal.conflicting == 1 else f"{equal.conflicting:,} texts have"
        yield Finding("conflicting", f"equal texts: {texts} two labels{way_out}", grave=True)
    repeated = [f"{count:,} in {split}" for split, count in equal.repeated.items() if count]
    if repeated:
        problem = f"equal texts: {', '.join(repeated)} repeat an earlier one of their split"
        yield Finding("repeated", f"{problem}{way_out}", grave=False)


def _script(sample: Sequence[str], tokenizer: Tokenizer) -> Iterator[Finding]:
    """Yield what is wrong with the script; a tokenizer of the user's own knows better."""
    if splits_at_spaces(tokenizer):
        language = None
    elif isinstance(tokenizer, SpacyTokenizer):
        language = tokenizer.language
    else:
        return
    note = foreign_script(sample, language)
    if note is not None:
        yield Finding("script", note, grave=True)


def _counts(counts: Mapping[str, np.ndarray], names: Sequence[str], config: Config) -> Iterator[Finding]:
    for split, of_split in counts.items():
        empty = [name for name, count in zip(names, of_split, strict=True) if not count]
        if empty and of_split.any():
            told = f"no {split} review has the label {shortened(empty, most=5)}"
            yield Finding("empty class", f"{told}: how well it is found stays unknown", grave=True)
    few = few_reviews(counts["test"], names)
    if few is not None:
        told = f"test: fewer than {FEW} reviews of a label ({few}): its precision, recall and F1 are mostly chance"
        yield Finding("few reviews", told, grave=True)
    few = few_reviews(counts["train"], names)
    if few is not None:
        way_out = _way_out(config, "label_map", "data.label_map joins labels, or drops one with null")
        told = f"train: fewer than {FEW} reviews of a label ({few}): hardly enough to learn it{way_out}"
        yield Finding("few reviews", told, grave=False)
    train = counts["train"]
    ratio = train.max() / max(1, train.min())
    if ratio >= IMBALANCE and "balanced" not in (config.trainer.class_weight, config.trainer.sampling):
        rare, frequent = (f"{names[label]}: {train[label]:,}" for label in map(int, (train.argmin(), train.argmax())))
        told = f"unbalanced labels in training ({frequent}, {rare})"
        yield Finding("imbalance", f"{told}; trainer.class_weight=balanced lets all weigh the same", grave=False)


def _lengths(train: SplitFacts, bound: int | None, config: Config) -> Iterator[Finding]:
    key = "fix_length" if config.text.fix_length is not None else "max_length"
    usual, longest = train.quantile(0.95), int(train.lengths.max())
    if bound is not None and train.cut(bound) >= CUT:
        told = f"text.{key}={bound} cuts {percent(train.cut(bound))} of the training reviews"
        yield Finding("cut", f"{told}; text.{key}={usual} would cut 5 %", grave=False)
    if bound is None and longest >= max(LONG, OUTLIER * usual):
        told = f"the longest training review has {longest:,} tokens, 95 % have at most {usual:,}"
        yield Finding("long", f"{told}; text.max_length={max(2, usual)} cuts the others", grave=False)


def _unknown(splits: Mapping[str, SplitFacts], config: Config) -> Iterator[Finding]:
    size, least = config.vocab.max_size, config.vocab.min_freq
    if splits["train"].unknown_share > UNKNOWN_TRAIN:
        keys = [f"vocab.min_freq={least}"] if least > 1 else []
        keys += [f"vocab.max_size={size}"] if size is not None else []
        told = f"{percent(splits['train'].unknown_share)} of the words in training are not in the vocabulary"
        told += f" ({', '.join(keys)}); vocab.min_freq=1 vocab.max_size=null keeps all"
        yield Finding("unknown", told, grave=False)
        return
    for split, facts in splits.items():
        if facts.unknown_share > UNKNOWN_HELD:
            told = f"{percent(facts.unknown_share)} of the words in {split} are not in the vocabulary"
            yield Finding("unknown", f"{told}: training is small, or other texts than {split}", grave=False)


def _wordless(splits: Mapping[str, SplitFacts]) -> Iterator[Finding]:
    wordless = [f"{facts.wordless:,} in {split}" for split, facts in splits.items() if facts.wordless]
    if wordless:
        told = f"reviews without a word after cleaning: {', '.join(wordless)}; the switches of text.clean drop words"
        yield Finding("no words", told, grave=False)


def _way_out(config: Config, key: str, words: str) -> str:
    """Return the words as the tail of a line, if the chosen source of data has the key at all."""
    return f"; {words}" if key in plain(config.data) else ""
