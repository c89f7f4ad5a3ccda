"""The keys of embedding."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from sentexp.embedding import catalogue, dimension
from sentexp.errors import nearest_path
from sentexp.schema.keys import key


@dataclass
class RandomConfig:
    _target_: str = "sentexp.embedding.table.random"
    dim: int = key(at_least=1)
    """Numbers per word, E."""
    std: float = key(above=0)
    """Standard deviation of the normal distribution that the vectors are drawn from."""
    freeze: bool = key()
    """Leave the vectors as they were drawn."""


@dataclass
class OneHotConfig:
    _target_: str = "sentexp.embedding.table.one_hot"


@dataclass
class PpmiSvdConfig:
    _target_: str = "sentexp.embedding.cooccurrence.ppmi_svd"
    dim: int = key(at_least=1)
    """Numbers per word, E."""
    window: int = key(at_least=1)
    """Tokens to each side that count as neighbours."""
    std: float = key(above=0)
    """Standard deviation of the numbers in the vectors."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""

    def problems(self) -> Iterator[str]:
        yield from _thaw_problems(self)


@dataclass
class GloveConfig:
    _target_: str = "sentexp.embedding.pretrained.glove"
    name: str = key(choices=tuple(catalogue.GLOVE))
    """Which of the published archives."""
    dim: int = key(at_least=1)
    """Numbers per word, E."""
    path: Optional[str] = key(path=True)
    """File that is used in place of the download."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""

    def problems(self) -> Iterator[str]:
        yield from _vector_problems(self)


@dataclass
class Word2vecConfig:
    _target_: str = "sentexp.embedding.pretrained.word2vec"
    path: str = key(path=True)
    """File in word2vec's text or binary format."""
    dim: Optional[int] = key(at_least=1)
    """Numbers per word, E; null takes what the file holds."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""

    def problems(self) -> Iterator[str]:
        yield from _vector_problems(self)


@dataclass
class FasttextConfig:
    _target_: str = "sentexp.embedding.pretrained.fasttext"
    name: str = key(choices=tuple(catalogue.FASTTEXT))
    """Which of the published files."""
    dim: int = key(at_least=1)
    """Numbers per word, E."""
    path: Optional[str] = key(path=True)
    """File that is used in place of the download."""
    freeze: bool = key()
    """Keep the vectors as they are."""
    thaw_after: Optional[int] = key(at_least=1)
    """With freeze, epochs after which the vectors are trained as well."""

    def problems(self) -> Iterator[str]:
        yield from _vector_problems(self)


def _thaw_problems(embedding: PpmiSvdConfig | GloveConfig | Word2vecConfig | FasttextConfig) -> Iterator[str]:
    if embedding.thaw_after is not None and not embedding.freeze:
        expected = "nothing to thaw; expected embedding.freeze=true beside it"
        yield f"embedding.thaw_after={embedding.thaw_after}: {expected}"


def _vector_problems(embedding: GloveConfig | Word2vecConfig | FasttextConfig) -> Iterator[str]:
    yield from _thaw_problems(embedding)
    path, dim = embedding.path, embedding.dim
    if path is not None:
        if not os.path.isfile(os.path.expanduser(path)):
            yield f"embedding.path={path}: no such file{nearest_path(path)}"
            return
        dimension.check(path, dim)
    elif not isinstance(embedding, Word2vecConfig):
        family = catalogue.GLOVE if isinstance(embedding, GloveConfig) else catalogue.FASTTEXT
        try:
            catalogue.find(family, embedding.name, embedding.dim)
        except ValueError as error:
            yield f"embedding.{error}"
