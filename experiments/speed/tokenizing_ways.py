"""The ways that tokenizing.py compares: this project's pipeline, Dataset.map, and single passes over the texts.

A module of its own, not part of the script, so that `datasets` can name its functions when it looks for cached results.
"""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sentexp.data.reviews import Reviews
from sentexp.text.chunk_tokenizer import SpanTokenizer, WholeTextTokenizer
from sentexp.text.cleaning import Cleaning
from sentexp.text.pipeline import TextPipeline
from sentexp.text.tokenizers import SpacyTokenizer
from sentexp.text.vocabulary import Vocabulary

# Shapes: R reviews of a batch, N tokens in them

VOCABULARY_SIZE = 25_000


def by_pipeline(splits: Any, digests: dict[str, str], cache_dir: Path, processes: int) -> dict[str, np.ndarray]:
    """Tokenize and encode as this project does. Returns the token ids of each split."""
    pipeline = TextPipeline(Cleaning(), SpacyTokenizer(), max_size=VOCABULARY_SIZE)
    corpora = pipeline.prepare(Reviews(splits, [], digests, ""), cache_dir, processes=processes)
    return {split: corpus.ids.numpy() for split, corpus in corpora.items()}


def by_map(splits: Any, spans: bool, cache_dir: Path, processes: int) -> dict[str, Any]:
    """Do the same by Dataset.map. Returns the token ids of each split, as columns of lists.

    `datasets` caches the results of both maps beside the reviews; the vocabulary is cached here.
    """
    if spans:
        settings: dict[str, Any] = {"function": tokenize_spans}
    else:
        settings = {"function": tokenize_by_spacy, "remove_columns": ["text"]}
    tokens = splits.with_format("arrow" if spans else None).map(batched=True, num_proc=processes, **settings)

    file = cache_dir / f"vocabulary-{tokens['train']._fingerprint}.txt"
    if file.exists():
        vocabulary = Vocabulary.load(file)
    else:
        vocabulary = Vocabulary.build(count_tokens(tokens["train"]), VOCABULARY_SIZE)
        vocabulary.save(file)
    ids = tokens.with_format("arrow").map(
        look_up, batched=True, num_proc=processes, fn_kwargs={"itos": vocabulary.itos, "unk": vocabulary.unk_index}
    )
    return {split: ids[split].data.column("ids") for split in ids}


@functools.cache
def spacy_tokenizer() -> Any:
    import spacy

    return spacy.blank("en").tokenizer


@functools.cache
def span_tokenizer() -> SpanTokenizer:
    return SpanTokenizer(SpacyTokenizer(), Cleaning())


def tokenize_by_spacy(batch: dict[str, list[str]]) -> dict[str, list[list[str]]]:
    clean = Cleaning().text
    docs = spacy_tokenizer().pipe(clean(text) for text in batch["text"])
    return {"tokens": [[token.lower_ for token in doc if not token.is_space] for doc in docs]}


def tokenize_spans(batch: pa.Table) -> pa.Table:
    chunk = span_tokenizer().tokenize(batch.column("text").to_pylist())
    tokens = pa.array([token.lower() for token in chunk.tokens], pa.string()).take(pa.array(chunk.ids))  # [N]
    offsets = pa.array(np.concatenate([[0], np.cumsum(chunk.lengths)]), pa.int32())  # [R + 1]
    return pa.table({"tokens": pa.ListArray.from_arrays(offsets, tokens), "label": batch.column("label")})


def count_tokens(split: Any) -> Counter[str]:
    counts: Counter[str] = Counter()
    for chunk in split.data.column("tokens").chunks:
        for found in pc.value_counts(chunk.flatten()).to_pylist():
            counts[found["values"]] += found["counts"]
    return counts


def look_up(batch: pa.Table, itos: Sequence[str], unk: int) -> pa.Table:
    tokens = batch.column("tokens").combine_chunks()
    ids = pc.fill_null(pc.index_in(tokens.flatten(), pa.array(itos, pa.string())), unk)  # int32 [N]
    offsets = np.concatenate([[0], np.cumsum(pc.list_value_length(tokens))])  # [R + 1]
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), ids)
    return pa.table({"ids": lists, "label": batch.column("label")})


def digest_of(ids: Any) -> str:
    """Return a digest of token ids, by which the ways are checked to give the same."""
    digest = hashlib.sha256()
    for part in ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]:
        flat = part.flatten().to_numpy() if isinstance(part, pa.Array) else part
        digest.update(np.ascontiguousarray(flat, dtype=np.int32).tobytes())
    return digest.hexdigest()[:16]


class PlainSpacy:
    """`spacy.blank("en")` unchanged, with this project's tokenizer interface."""

    key = "spacy.blank"

    def __call__(self, text: str) -> list[str]:
        return [token.text for token in spacy_tokenizer()(text) if not token.is_space]


class CountingSpacy(SpacyTokenizer):
    """SpacyTokenizer that counts the texts tokenized as a whole."""

    texts = 0

    def __call__(self, text: str) -> list[str]:
        self.texts += 1
        return super().__call__(text)


def chunk_tokenizer_of(way: str) -> tuple[WholeTextTokenizer | SpanTokenizer, CountingSpacy | None]:
    if way == "plain spaCy":
        return WholeTextTokenizer(PlainSpacy(), Cleaning()), None
    if way == "whole texts":
        return WholeTextTokenizer(SpacyTokenizer(), Cleaning()), None
    counting = CountingSpacy()
    return SpanTokenizer(counting, Cleaning()), counting


def texts_of(split: datasets.Dataset, chunk_size: int) -> list[list[str]]:
    batches = split.select_columns(["text"]).with_format("arrow").iter(chunk_size)
    return [batch.column("text").to_pylist() for batch in batches]
