"""The keys of text, tokenizer and vocab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from sentexp.schema.keys import key
from sentexp.text import LONGEST_REVIEW


@dataclass
class CleanConfig:
    html: bool = key()
    """Turn tags into a space, entities into the character they stand for."""
    lowercase: bool = key()
    """Turn upper case into lower case, after tokenizing."""
    punctuation: bool = key()
    """Drop words made of punctuation alone."""
    numbers: bool = key()
    """Drop numbers."""
    stop_words: bool = key()
    """Drop spaCy's stop words of the tokenizer's language."""
    lemmas: bool = key()
    """Replace each word by its lemma from spaCy's look-up table."""


@dataclass
class TextConfig:
    clean: CleanConfig = key()
    """Switches for cleaning."""
    init_token: Optional[str] = key()
    """Token put before each review."""
    eos_token: Optional[str] = key()
    """Token put after each review."""
    max_length: Optional[int] = key(at_least=2, at_most=LONGEST_REVIEW)
    """Longest review in tokens, init_token and eos_token included."""
    truncate: str = key(choices=("head", "tail", "head_tail"))
    """Part that a review longer than max_length keeps."""
    head_fraction: float = key(above=0, below=1)
    """With truncate=head_tail, share of max_length that is taken from the head."""
    fix_length: Optional[int] = key(at_least=2, at_most=LONGEST_REVIEW)
    """Tokens that every review is cut or padded to."""

    def problems(self) -> Iterator[str]:
        if self.fix_length is not None and self.max_length is not None:
            expected = "expected text.max_length=null beside it"
            yield f"text.fix_length={self.fix_length}: already cuts every review; {expected}"
        around = [token for token in (self.init_token, self.eos_token) if token is not None]
        for name, longest in (("fix_length", self.fix_length), ("max_length", self.max_length)):
            if longest is not None and longest <= len(around):
                yield f"text.{name}={longest}: init_token and eos_token leave no room for a word"


@dataclass
class SpacyTokenizerConfig:
    _target_: str = "sentexp.text.tokenizers.SpacyTokenizer"
    language: str = key()
    """spaCy's code of the language, such as en."""
    lemmas: bool = key()
    """Replace each word by its lemma from spaCy's look-up table."""


@dataclass
class BasicTokenizerConfig:
    _target_: str = "sentexp.text.tokenizers.BasicTokenizer"


@dataclass
class WhitespaceTokenizerConfig:
    _target_: str = "sentexp.text.tokenizers.WhitespaceTokenizer"


@dataclass
class CallableTokenizerConfig:
    _target_: str = "sentexp.text.tokenizers.CallableTokenizer"
    path: str = key(pattern=r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", expected="a dotted path such as package.module.function")
    """Dotted path of a function from str to list of str."""


@dataclass
class VocabConfig:
    max_size: Optional[int] = key(at_least=1)
    """Words kept, the most frequent first; specials are not counted."""
    min_freq: int = key(at_least=1)
    """Words that occur less often are left out."""
    unlabelled: bool = key()
    """Count the words of unlabelled reviews as well, not those of training reviews only."""
    specials: list[str] = key()
    """First entries of the vocabulary; <unk> and <pad> must be among them."""

    def problems(self) -> Iterator[str]:
        for special in ("<unk>", "<pad>"):
            if special not in self.specials:
                yield f"vocab.specials={self.specials}: expected {special} among them"
        if len(set(self.specials)) < len(self.specials):
            yield f"vocab.specials={self.specials}: one of them stands there twice"
