"""Everything that is known of a data set: what is counted, what looks wrong, and examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sentexp.data.reviews import Reviews
from sentexp.errors import SentexpError
from sentexp.inspection.equal_texts import EqualTexts
from sentexp.inspection.findings import Finding, judge_corpora, judge_reviews, label_counts
from sentexp.inspection.splits import SplitFacts
from sentexp.inspection.words import Word, telling_words
from sentexp.schema import Config
from sentexp.text.corpus import Corpus
from sentexp.text.language_data import stop_words
from sentexp.text.pipeline import TextPipeline
from sentexp.text.tokenizers import language

SAMPLES = 5
"""Training reviews that are shown as the model reads them."""


@dataclass(frozen=True)
class Sample:
    """A training review, and what cleaning, tokenizer and vocabulary make of it."""

    place: str
    """Where it stands in its source."""
    label: str
    text: str
    tokens: list[str]
    """Words outside the vocabulary are <unk>."""


@dataclass(frozen=True)
class Inspection:
    """What is known of a data set."""

    reviews: Reviews
    splits: dict[str, SplitFacts]
    equal: EqualTexts
    words: dict[str, list[Word]]
    """The words that set each label apart, see `telling_words`."""
    samples: list[Sample]
    findings: list[Finding]
    """What looks wrong, the grave first."""
    bound: int | None
    """Length in tokens to which the model's reviews are cut; None if they are not."""


def inspect(reviews: Reviews, pipeline: TextPipeline, corpora: Mapping[str, Corpus], config: Config) -> Inspection:
    """Inspect reviews and their `corpora`, which `pipeline` has made of them without cutting any."""
    bound = config.text.max_length if config.text.fix_length is None else config.text.fix_length
    splits = {
        split: SplitFacts(
            counts=counts,
            lengths=corpora[split].lengths.numpy(),
            unknown_share=float(pipeline.report[f"{split}/unknown_share"]),
            wordless=int(pipeline.report[f"{split}/empty"]),
        )
        for split, counts in label_counts(reviews).items()
    }
    equal = EqualTexts.of(reviews.splits)
    findings = [
        *judge_reviews(reviews, equal, pipeline.tokenizer, config),
        *judge_corpora(splits, bound, config),
    ]
    return Inspection(
        reviews=reviews,
        splits=splits,
        equal=equal,
        words=telling_words(corpora["train"], pipeline.vocabulary, reviews.labels, _left_out(pipeline)),
        samples=_samples(reviews, corpora["train"], pipeline),
        findings=findings,
        bound=bound,
    )


def _left_out(pipeline: TextPipeline) -> frozenset[str]:
    """Return the words that are not shown as telling: specials, and stop words where spaCy has them."""
    try:
        return stop_words(language(pipeline.tokenizer), "tokenizer.language") | frozenset(pipeline.specials)
    except SentexpError:  # a language without them: the score alone chooses
        return frozenset(pipeline.specials)


def _samples(reviews: Reviews, corpus: Corpus, pipeline: TextPipeline) -> list[Sample]:
    """Return SAMPLES training reviews, spread over all."""
    rows = np.unique(np.linspace(0, len(corpus) - 1, SAMPLES).astype(int))
    chosen = corpus.select(rows)
    return [
        Sample(
            place=reviews.where("train", int(row)),
            label=reviews.labels[label],
            text=reviews.splits["train"][int(row)]["text"],
            tokens=[pipeline.vocabulary.itos[id] for id in ids.tolist()],
        )
        for row, label, ids in zip(rows, chosen.labels.tolist(), chosen.ids.split(chosen.lengths.tolist()), strict=True)
    ]
