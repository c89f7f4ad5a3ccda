"""From reviews to corpora of token ids: what torchtext's Field was."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from sentexp.errors import SentexpError, did_you_mean
from sentexp.terminal import ProgressCallback
from sentexp.text import LONGEST_REVIEW, encoded_reviews, raw_tokens, workers
from sentexp.text.cache import Cache, key_of
from sentexp.text.chunk_tokenizer import SpanTokenizer, TokenizedChunk, WholeTextTokenizer, chunk_tokenizer
from sentexp.text.cleaning import Cleaning
from sentexp.text.corpus import UNLABELLED, Corpus
from sentexp.text.encoding import DROPPED, ReviewLayout
from sentexp.text.raw_tokens import RawTokens
from sentexp.text.tokenizers import Tokenizer, language
from sentexp.text.vocabulary import PAD, UNK, Vocabulary

if TYPE_CHECKING:
    from sentexp.data.reviews import Reviews

# Shapes: W distinct raw tokens (as the tokenizer gives them)

TRUNCATIONS = ("head", "tail", "head_tail")
TEXTS_PER_CHUNK = 1000
_one_at_a_time = threading.Lock()  # a SpanTokenizer changes as it works, and spaCy's tokenizer is not thread-safe


class TracedToken(NamedTuple):
    """What became of one token of a text."""

    text: str
    """As the tokenizer gives it; of a token that the pipeline adds, such as `<unk>` for an empty text, its name."""
    id: int | None
    """Its token id; None if the model is not given it."""
    fate: str
    """`read`, `dropped` by cleaning, `cut` because the text is too long, or `added`."""


class TextPipeline:
    """Cleans, tokenizes and encodes reviews. Built again from these arguments and its `vocabulary`, it does the same.

        reviews = demo.load(size=1000, test_fraction=0.2, valid_fraction=0.1, limit=None, seed=1)
        pipeline = TextPipeline(Cleaning(), BasicTokenizer(), max_length=400)
        corpora = pipeline.prepare(reviews, cache_dir="cache")
        pipeline.encode(["A good film."])

    max_size, min_freq, specials: see `Vocabulary.build`; init_token and eos_token become further specials.
    unlabelled: whether words of the split unlabelled, if there is one, are counted for the vocabulary as well.
    max_length: most tokens of a review, init_token and eos_token included, as in torchtext; None: no bound.
    truncate: which part of a longer review is kept: `head` its beginning, `tail` its end, `head_tail` both, with
        `head_fraction` of the tokens from the beginning.
    fix_length: the same bound as max_length; batches are also padded to it.

    A review without a token left is one <unk>. Raises ValueError for arguments that cannot work.
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
        unlabelled: bool = True,
    ) -> None:
        Vocabulary(specials)  # refuses specials that cannot work: before tokenizing, not after it
        if truncate not in TRUNCATIONS:
            near = did_you_mean(truncate, TRUNCATIONS)
            raise ValueError(f"truncate={truncate!r}: not one of {', '.join(TRUNCATIONS)}{near}")
        if not 0 <= head_fraction <= 1:
            raise ValueError(f"head_fraction={head_fraction}: expected a number from 0 to 1")
        if max_length is not None and fix_length is not None:
            raise ValueError(f"max_length={max_length} and fix_length={fix_length}: expected one of them")
        bound = max_length if fix_length is None else fix_length
        if bound is not None and bound > LONGEST_REVIEW:
            raise ValueError(f"a length of {bound}; expected {LONGEST_REVIEW:,} or less")
        around = [token for token in (init_token, eos_token) if token is not None]
        if bound is not None and bound <= len(around):
            raise ValueError(f"a length of {bound} leaves no room for a token; expected {len(around) + 1} or more")
        for token in around:
            if vocabulary is not None and token not in vocabulary.stoi:
                raise ValueError(f"{token} is not in the vocabulary; expected one that was built with it")

        self.clean = clean
        self.tokenizer = tokenizer
        self.max_size = max_size
        self.min_freq = min_freq
        self.unlabelled = unlabelled
        self.specials = list(dict.fromkeys([*specials, *around]))
        self.init_token = init_token
        self.eos_token = eos_token
        self.max_length = max_length
        self.truncate = truncate
        self.head_fraction = head_fraction
        self.fix_length = fix_length
        self.report: dict[str, int | float | str] = {}
        """What the last `prepare` counted. For each split: SPLIT/reviews, SPLIT/raw_tokens (before cleaning),
        SPLIT/tokens (kept), SPLIT/unknown_share (of those kept, not in the vocabulary), SPLIT/truncated and SPLIT/empty
        (reviews). In all: words (distinct tokens in the splits that were counted), vocabulary, seconds, from_cache (0
        or 1)."""
        self._room = None if bound is None else bound - len(around)
        self._given = vocabulary
        self._built: Vocabulary | None = None
        self._chunk_tokenizer: WholeTextTokenizer | SpanTokenizer | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_chunk_tokenizer": None}

    @property
    def vocabulary(self) -> Vocabulary:
        vocabulary = self._given or self._built
        if vocabulary is None:
            raise RuntimeError("no vocabulary yet: call prepare, or give the constructor one")
        return vocabulary

    def prepare(
        self, reviews: Reviews, cache_dir: Path | str, processes: int = 1, progress: ProgressCallback | None = None
    ) -> dict[str, Corpus]:
        """Encode each split of the reviews as a corpus, mapped from files under `cache_dir`.

        The vocabulary is built from the splits that `counted` names unless the constructor was given one. `processes`
        tokenize what is not in the cache; `progress` is called with the number of reviews done and in all. Sets
        `report`. Raises SentexpError if the cache cannot be written or the tokenizer fails.
        """
        started = time.perf_counter()
        cache = Cache(Path(cache_dir), "encoded")
        key = self._key(reviews)
        found = encoded_reviews.find(cache, key, list(reviews.splits), self.fix_length)
        from_cache = found is not None
        if found is None:
            self._build(reviews, cache, key, processes, progress)
            found = encoded_reviews.find(cache, key, list(reviews.splits), self.fix_length)
            if found is None:
                raise SentexpError(
                    f"cache_dir={cache_dir}: what was just written cannot be read back; expected a folder whose files "
                    "stay as they are written"
                )
        self._built = found.vocabulary
        seconds = round(time.perf_counter() - started, 3)
        self.report = {**found.report, "from_cache": int(from_cache), "seconds": seconds}
        return found.corpora

    def encode(self, texts: Sequence[str]) -> Corpus:
        """Encode new texts as `prepare` does, as a corpus in memory with UNLABELLED for labels; nothing is cached.

        Half a surrogate pair, which a str can hold but no file, is taken as U+FFFD.
        """
        if isinstance(texts, str):
            raise TypeError("encode takes a list of texts, not one text")
        starts = range(0, len(texts), TEXTS_PER_CHUNK)
        return self._corpus([self._tokenize(texts[start : start + TEXTS_PER_CHUNK]) for start in starts])

    def trace(self, text: str) -> list[TracedToken]:
        """Tell what becomes of each token of a text, in their order; those with an id are what `encode` gives.

        TextPipeline(Cleaning(punctuation=True), BasicTokenizer(), vocabulary=vocabulary).trace("Good!")
        # [TracedToken("Good", 7, "read"), TracedToken("!", None, "dropped")]
        """
        chunk = self._tokenize([text])
        ids = self._table(chunk.tokens, self.vocabulary)[chunk.ids]
        places = np.arange(len(ids), dtype=np.int32)
        # Laid out like ids, the places of the tokens tell which are kept; numbers below DROPPED are added tokens.
        layout = self._layout(self.vocabulary)
        unk, init, eos = (None if id is None else DROPPED - 1 - id for id in (layout.unk, layout.init, layout.eos))
        assert unk is not None
        encoded = replace(layout, unk=unk, init=init, eos=eos).encode(
            places, np.array([len(ids)]), np.where(ids == DROPPED, DROPPED, places)
        )
        added = [DROPPED - 1 - place for place in encoded.ids.tolist() if place < DROPPED]
        kept = set(encoded.ids.tolist())
        tokens = []
        for place, (raw, id) in enumerate(zip(chunk.ids.tolist(), ids.tolist(), strict=True)):
            fate = "read" if place in kept else "dropped" if id == DROPPED else "cut"
            tokens.append(TracedToken(chunk.tokens[raw], id if fate == "read" else None, fate))
        around = [TracedToken(self.vocabulary.itos[id], id, "added") for id in added]
        first = 0 if init is None else 1
        return [*around[:first], *tokens, *around[first:]]

    def encode_chunks(self, chunks: Iterable[Sequence[str]], processes: int) -> Iterator[Corpus]:
        """Encode each chunk of texts as `encode` does; `processes` of their own tokenize the next ones meanwhile, or
        this one each in its turn if 0.

        Raises SentexpError if one of these processes dies, and what the tokenizer raises. However the iteration ends,
        so do the processes.
        """
        whole = (list(map(_without_half_pairs, texts)) for texts in chunks)
        for chunk in workers.tokenize_chunks(whole, self.tokenizer, self.clean, processes):
            yield self._corpus([chunk])

    def _corpus(self, chunks: Sequence[TokenizedChunk]) -> Corpus:
        """Encode tokenized chunks as one corpus in memory, without labels."""
        vocabulary = self.vocabulary
        layout = self._layout(vocabulary)
        parts = [layout.encode(one.ids, one.lengths, self._table(one.tokens, vocabulary)) for one in chunks]
        ids = np.concatenate([np.empty(0, np.int32), *(part.ids for part in parts)])
        lengths = np.concatenate([np.empty(0, np.int64), *(part.lengths for part in parts)])
        return Corpus(
            ids=torch.from_numpy(ids),
            offsets=torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)])),
            labels=torch.full((len(lengths),), UNLABELLED, dtype=torch.int64),
            pad_index=vocabulary.pad_index,
            width=self.fix_length,
        )

    def report_lines(self) -> list[str]:
        """Return `report` as lines to print."""
        report = self.report
        lines = []
        for split in dict.fromkeys(name.split("/")[0] for name in report if "/" in name):
            line = f"{split}: {report[f'{split}/reviews']:,} reviews, {report[f'{split}/tokens']:,} words"
            line += f", {report[f'{split}/unknown_share']:.2%} of them not in the vocabulary"
            for what in ("truncated", "empty"):
                if report[f"{split}/{what}"]:
                    line += f", {report[f'{split}/{what}']:,} reviews {what}"
            lines.append(line)
        words = f"{len(self.vocabulary):,} words in the vocabulary"
        if "words" in report:
            also = " and unlabelled" if self.unlabelled and "unlabelled/reviews" in report else ""
            words += f", of {report['words']:,} different ones in training{also} reviews"
        source = "from the cache" if report.get("from_cache") else "tokenized and encoded"
        return [*lines, words, f"{source} in {report.get('seconds', 0):.1f} s"]

    def _key(self, reviews: Reviews) -> str:
        versions = encoded_reviews.VERSION, raw_tokens.VERSION
        digests = {split: reviews.digests[split] for split in reviews.splits}
        # without unlabelled reviews, the key is the one that it always was
        further = [split for split in self.counted(digests) if split != "train"]
        vocabulary = self._given.digest if self._given else [self.max_size, self.min_freq, self.specials, *further]
        layout = [self.init_token, self.eos_token, self._room, self.truncate, self.head_fraction]
        clean = self.clean.key(language(self.tokenizer))
        return key_of(*versions, digests, self.tokenizer.key, clean, vocabulary, layout)

    def _build(
        self, reviews: Reviews, cache: Cache, key: str, processes: int, progress: ProgressCallback | None
    ) -> None:
        """Write the cache's entry for these reviews."""
        raw = raw_tokens.tokenize_splits(
            reviews.splits,
            reviews.digests,
            tokenizer=self.tokenizer,
            cleaning=self.clean,
            cache_dir=cache.cache_dir,
            processes=processes,
            progress=progress,
        )
        counted = [raw[split] for split in self.counted(raw)]
        vocabulary = self._given or self._build_vocabulary(counted)
        layout = self._layout(vocabulary)
        with cache.new(key) as draft:
            for split, tokens in raw.items():
                labels = encoded_reviews.labels_of(reviews.splits[split])
                table = self._table(tokens.tokens, vocabulary)
                encoded_reviews.write_split(draft, split, tokens, labels, layout, table)
            if self._given is None:
                draft.facts["words"] = len({word for one in counted for word in self._cleaned(one.tokens)} - {None})
            encoded_reviews.write_vocabulary(draft, vocabulary)

    def counted(self, splits: Iterable[str]) -> list[str]:
        """Return those of `splits` whose words are counted when a vocabulary is built."""
        counted = ("train", "unlabelled") if self.unlabelled else ("train",)
        return [split for split in splits if split in counted]

    def _build_vocabulary(self, raw: Sequence[RawTokens]) -> Vocabulary:
        counts: Counter[str] = Counter()
        for one in raw:
            for token, count in zip(self._cleaned(one.tokens), one.counts().tolist(), strict=True):
                if token is not None:
                    counts[token] += count
        return Vocabulary.build(counts, self.max_size, self.min_freq, self.specials)

    def _tokenize(self, texts: Sequence[str]) -> TokenizedChunk:
        with _one_at_a_time:
            if self._chunk_tokenizer is None:
                self._chunk_tokenizer = chunk_tokenizer(self.tokenizer, self.clean)
            return self._chunk_tokenizer.tokenize([_without_half_pairs(text) for text in texts])

    def _cleaned(self, tokens: list[str]) -> list[str | None]:
        return self.clean.tokens(tokens, language(self.tokenizer))

    def _table(self, tokens: list[str], vocabulary: Vocabulary) -> np.ndarray:
        """Return the token id of each raw token, or DROPPED, int32 [W]."""
        stoi, unk = vocabulary.stoi, vocabulary.unk_index
        ids = (DROPPED if token is None else stoi.get(token, unk) for token in self._cleaned(tokens))
        return np.fromiter(ids, dtype=np.int32, count=len(tokens))

    def _layout(self, vocabulary: Vocabulary) -> ReviewLayout:
        room = self._room or 0
        head = {"head": room, "tail": 0, "head_tail": round(self.head_fraction * room)}[self.truncate]
        init, eos = (vocabulary.stoi.get(token) if token else None for token in (self.init_token, self.eos_token))
        return ReviewLayout(vocabulary.unk_index, init, eos, self._room, head)


def _without_half_pairs(text: str) -> str:
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
