"""From reviews to a corpus of word numbers: what torchtext's Field was."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sentexp.errors import SentexpError, did_you_mean
from sentexp.text.cache import Cache, Draft, key_of
from sentexp.text.chunk_tokenizer import Chunk, SpanReader, TextReader, reader
from sentexp.text.cleaning import Cleaning
from sentexp.text.corpus import UNLABELLED, Corpus
from sentexp.text.encoding import DROPPED, Layout
from sentexp.text.raw_tokens import VERSION as RAW_VERSION
from sentexp.text.raw_tokens import Progress, RawTokens, chunks, raw_tokens
from sentexp.text.tokenizers import Tokenizer
from sentexp.text.vocabulary import PAD, UNK, Vocabulary

if TYPE_CHECKING:
    from sentexp.data.reviews import Reviews

# Shapes: N reviews of a split, W distinct raw words, V words in the vocabulary

VERSION = 1  # of the files and of what encoding does
VOCABULARY = "vocab.txt"
TRUNCATIONS = ("head", "tail", "head_tail")
TEXTS_PER_CHUNK = 1000
_one_reader = threading.Lock()  # readers remember what they met, and spaCy's tokenizer is not for two threads at once


class TextPipeline:
    """Cleans, tokenizes and numbers reviews. Rebuilt from these arguments and its `vocabulary`, it does the same again.

    max_size, min_freq, specials: see `Vocabulary.build`; init_token and eos_token become further specials.
    max_length: most words of a review, init_token and eos_token included, as in torchtext; None: no bound.
    truncate: of a longer review `head` keeps the beginning, `tail` the end, `head_tail` both, with `head_fraction` of
        the words from the beginning.
    fix_length: the same bound as max_length; padding to it is left to the batches.

    A review without a word left is one <unk>. Raises SentexpError for arguments that cannot work.
    """

    def __init__(
        self,
        clean: Cleaning,
        tokenizer: Tokenizer,
        max_size: int | None = 25_000,
        min_freq: int = 1,
        specials: Sequence[str] = (UNK, PAD),
        init_token: str | None = None,
        eos_token: str | None = None,
        max_length: int | None = None,
        truncate: str = "head",
        head_fraction: float = 0.25,
        fix_length: int | None = None,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self.clean = clean
        self.tokenizer = tokenizer
        self.max_size = max_size
        self.min_freq = min_freq
        around = [token for token in (init_token, eos_token) if token is not None]
        self.specials = list(dict.fromkeys([*specials, *around]))
        self.init_token = init_token
        self.eos_token = eos_token
        self.max_length = max_length
        self.truncate = truncate
        self.head_fraction = head_fraction
        self.fix_length = fix_length
        self.report: dict[str, int | float | str] = {}
        """Figures of the last `prepare`. For each split: SPLIT/reviews, SPLIT/raw_tokens (before cleaning),
        SPLIT/tokens (kept), SPLIT/unknown_share (of those kept, not in the vocabulary), SPLIT/truncated and SPLIT/empty
        (reviews). In all: words (different ones in training), vocabulary, seconds, from_cache (0 or 1)."""
        self._given = vocabulary
        self._built: Vocabulary | None = None
        self._reader: TextReader | SpanReader | None = None

        for special in (UNK, PAD):
            if special not in specials:
                raise SentexpError(f"vocab.specials={list(specials)}: expected {special} among them")
        if truncate not in TRUNCATIONS:
            near = did_you_mean(truncate, TRUNCATIONS)
            raise SentexpError(f"text.truncate={truncate}: not one of {', '.join(TRUNCATIONS)}{near}")
        if not 0 <= head_fraction <= 1:
            raise SentexpError(f"text.head_fraction={head_fraction}: expected a number from 0 to 1")
        if max_length is not None and fix_length is not None:
            raise SentexpError(f"text.fix_length={fix_length}: already bounds every review; expected max_length=null")
        bound = fix_length if fix_length is not None else max_length
        if bound is not None and bound <= len(around):
            key = "text.max_length" if fix_length is None else "text.fix_length"
            raise SentexpError(f"{key}={bound}: expected {len(around) + 1} or more, to leave room for a word")
        self._room = None if bound is None else bound - len(around)
        for token in around:
            if vocabulary is not None and token not in vocabulary.stoi:
                raise SentexpError(f"text: {token} is not in the vocabulary; expected the one it was trained with")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reader": None}

    @property
    def vocabulary(self) -> Vocabulary:
        vocabulary = self._given or self._built
        if vocabulary is None:
            raise RuntimeError("no vocabulary yet: call prepare, or give the constructor one")
        return vocabulary

    def prepare(
        self, reviews: Reviews, cache_dir: Path | str, processes: int = 1, progress: Progress | None = None
    ) -> dict[str, Corpus]:
        """Each split of the reviews as a corpus, mapped from files under `cache_dir`.

        The vocabulary is built from the split `train` unless the constructor was given one. Tokenizing is done by
        `processes`, and only where the cache does not hold its result; `progress` is called with (reviews done, reviews
        in all, what). Sets `report`. Raises SentexpError if the cache cannot be written or the tokenizer fails.
        """
        started = time.perf_counter()
        cache = Cache(Path(cache_dir), "encoded")
        key = self._key(reviews)
        corpora = self._load(cache, key, list(reviews.splits))
        from_cache = corpora is not None
        if corpora is None:
            self._build(reviews, cache, key, processes, progress)
            corpora = self._load(cache, key, list(reviews.splits))
            assert corpora is not None, "what was just written cannot be read"
        self.report |= {"from_cache": int(from_cache), "seconds": round(time.perf_counter() - started, 3)}
        return corpora

    def encode(self, texts: Sequence[str]) -> Corpus:
        """New texts as a corpus in memory, as `prepare` does it, with UNLABELLED for labels. Takes no cache.

        Half a surrogate pair, which no file can hold but a str can, is read as U+FFFD.
        """
        if isinstance(texts, str):
            raise TypeError("encode takes a list of texts, not one text")
        layout, parts = self._layout(self.vocabulary), []
        for start in range(0, len(texts), TEXTS_PER_CHUNK):
            chunk = self._read([_whole(text) for text in texts[start : start + TEXTS_PER_CHUNK]])
            parts.append(layout.encode(chunk.numbers, chunk.lengths, self._table(chunk.words, self.vocabulary)))
        lengths = np.concatenate([np.empty(0, np.int64), *(part.lengths for part in parts)])
        ids = np.concatenate([np.empty(0, np.int32), *(part.ids for part in parts)])
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        labels = torch.full((len(texts),), UNLABELLED, dtype=torch.int64)
        return Corpus(torch.from_numpy(ids), torch.from_numpy(offsets), labels)

    def report_lines(self) -> list[str]:
        """`report` for people."""
        figures = self.report
        lines = []
        for split in dict.fromkeys(name.split("/")[0] for name in figures if "/" in name):
            line = f"{split}: {figures[f'{split}/reviews']:,} reviews, {figures[f'{split}/tokens']:,} words"
            line += f", {figures[f'{split}/unknown_share']:.2%} of them not in the vocabulary"
            for what in ("truncated", "empty"):
                if figures[f"{split}/{what}"]:
                    line += f", {figures[f'{split}/{what}']:,} reviews {what}"
            lines.append(line)
        words = f"{len(self.vocabulary):,} words in the vocabulary"
        if "words" in figures:
            words += f", of {figures['words']:,} different ones in training"
        source = "from the cache" if figures.get("from_cache") else "tokenized and encoded"
        return [*lines, words, f"{source} in {figures.get('seconds', 0):.1f} s"]

    def _key(self, reviews: Reviews) -> str:
        vocabulary = self._given.digest if self._given else [self.max_size, self.min_freq, self.specials]
        layout = [self.init_token, self.eos_token, self._room, self.truncate, self.head_fraction]
        clean = self.clean.key(getattr(self.tokenizer, "language", "en"))
        digests = {split: reviews.digests[split] for split in reviews.splits}
        return key_of(VERSION, RAW_VERSION, digests, self.tokenizer.key, clean, vocabulary, layout)

    def _load(self, cache: Cache, key: str, splits: Sequence[str]) -> dict[str, Corpus] | None:
        entry = cache.find(key)
        if entry is None:
            return None
        try:
            vocabulary = Vocabulary.load(entry / VOCABULARY)
            corpora = {split: Corpus.open(entry / split) for split in splits}
            report = cache.facts(entry)
        except (OSError, ValueError, KeyError, SentexpError) as error:
            cache.discard(key, error)
            return None
        self._built, self.report = vocabulary, report
        return corpora

    def _build(self, reviews: Reviews, cache: Cache, key: str, processes: int, progress: Progress | None) -> None:
        raw = raw_tokens(
            reviews.splits,
            reviews.digests,
            tokenizer=self.tokenizer,
            cleaning=self.clean,
            cache_dir=cache.cache_dir,
            processes=processes,
            progress=progress,
        )
        vocabulary = self._given or self._count(raw["train"])
        with cache.new(key) as draft:
            for split, tokens in raw.items():
                draft.facts |= self._write(draft, split, tokens, vocabulary)
                draft.append(f"{split}.labels", _labels(reviews.splits[split]))
            if self._given is None:
                draft.facts["words"] = len({word for word in self._words(raw["train"].words) if word is not None})
            draft.facts["vocabulary"] = len(vocabulary)
            draft.append(VOCABULARY, vocabulary.lines())

    def _count(self, tokens: RawTokens) -> Vocabulary:
        counts: Counter[str] = Counter()
        for word, count in zip(self._words(tokens.words), tokens.counts().tolist(), strict=True):
            if word is not None:
                counts[word] += count
        return Vocabulary.build(counts, self.max_size, self.min_freq, self.specials)

    def _write(self, draft: Draft, split: str, tokens: RawTokens, vocabulary: Vocabulary) -> dict[str, Any]:
        """Encode one split into the draft; its figures for the report."""
        table, layout = self._table(tokens.words, vocabulary), self._layout(vocabulary)
        figures: Counter[str] = Counter()
        position = 0
        draft.append(f"{split}.ids", b"")
        draft.append(f"{split}.offsets", np.zeros(1, np.int64))
        for start, stop in chunks(tokens.offsets):
            encoded = layout.encode(tokens.numbers(start, stop), np.diff(tokens.offsets[start : stop + 1]), table)
            draft.append(f"{split}.ids", encoded.ids)
            draft.append(f"{split}.offsets", position + np.cumsum(encoded.lengths))
            position += len(encoded.ids)
            figures.update(encoded.figures)
        return {
            f"{split}/reviews": len(tokens.offsets) - 1,
            f"{split}/raw_tokens": int(tokens.offsets[-1]),
            f"{split}/tokens": figures["words"],
            f"{split}/unknown_share": figures["unknown"] / max(1, figures["words"]),
            f"{split}/truncated": figures["truncated"],
            f"{split}/empty": figures["empty"],
        }

    def _read(self, texts: Sequence[str]) -> Chunk:
        with _one_reader:
            if self._reader is None:
                self._reader = reader(self.tokenizer, self.clean)
            return self._reader.read(texts)

    def _words(self, words: list[str]) -> list[str | None]:
        return self.clean.words(words, getattr(self.tokenizer, "language", "en"))

    def _table(self, words: list[str], vocabulary: Vocabulary) -> np.ndarray:
        """int32 [W]: the id of each raw word, or DROPPED."""
        stoi, unk = vocabulary.stoi, vocabulary.unk_index
        ids = (DROPPED if word is None else stoi.get(word, unk) for word in self._words(words))
        return np.fromiter(ids, dtype=np.int32, count=len(words))

    def _layout(self, vocabulary: Vocabulary) -> Layout:
        room = self._room or 0
        head = {"head": room, "tail": 0, "head_tail": round(self.head_fraction * room)}[self.truncate]
        init, eos = (vocabulary.stoi.get(token) if token else None for token in (self.init_token, self.eos_token))
        return Layout(vocabulary.unk_index, init, eos, self._room, head)


def _whole(text: str) -> str:
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _labels(split: Any) -> np.ndarray:
    """int64 [N]."""
    batches = split.select_columns(["label"]).with_format("arrow").iter(100_000)
    labels = [batch.column("label").to_numpy().astype(np.int64) for batch in batches]
    return np.concatenate([np.empty(0, np.int64), *labels])
