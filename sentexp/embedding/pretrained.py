"""Embeddings that start from published vectors or from a file: GloVe, word2vec, fastText.

The rule for words, the same for all of them. A word of the vocabulary gets the vector of the word as written, else of
its lower-cased form. One found neither way is drawn from a normal distribution with the mean and the standard deviation
of the found vectors, dimension by dimension; the draw depends on the seed and the word's number alone. `<unk>` follows
the rule too, though it is not counted as wanted; `<pad>` is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sentexp.embedding import cache, catalogue, dimension, download
from sentexp.embedding.catalogue import Published
from sentexp.embedding.table import Coverage, Embedding, Words, standard_normal
from sentexp.embedding.vectors import Progress
from sentexp.errors import SentexpError

# Shapes: V words of the vocabulary, K of them found, E embedding.dim


def glove(
    name: str,
    dim: int,
    path: str | Path | None,
    freeze: bool,
    thaw_after: int | None,
    *,
    vocabulary: Words,
    cache_dir: Path,
    seed: int,
    progress: Progress | None = None,
) -> Embedding:
    """GloVe (Pennington et al., 2014) called `name`, downloaded once to `cache_dir`, or read from the file `path`.

    Raises SentexpError for a wrong name, dimension or file, for a failed download, and if not one word is found.
    """
    file = _published(catalogue.GLOVE, name, dim, cache_dir, progress) if path is None else Path(path)
    return Embedding(*_start(file, dim, vocabulary, cache_dir, seed, progress), freeze, thaw_after)


def fasttext(
    name: str,
    dim: int,
    path: str | Path | None,
    freeze: bool,
    thaw_after: int | None,
    *,
    vocabulary: Words,
    cache_dir: Path,
    seed: int,
    progress: Progress | None = None,
) -> Embedding:
    """fastText's vectors of whole words (Mikolov et al., 2018) called `name`, or read from the .vec file `path`.

    Raises SentexpError as `glove` does.
    """
    file = _published(catalogue.FASTTEXT, name, dim, cache_dir, progress) if path is None else Path(path)
    return Embedding(*_start(file, dim, vocabulary, cache_dir, seed, progress), freeze, thaw_after)


def word2vec(
    path: str | Path,
    dim: int | None,
    freeze: bool,
    thaw_after: int | None,
    *,
    vocabulary: Words,
    cache_dir: Path,
    seed: int,
    progress: Progress | None = None,
) -> Embedding:
    """Vectors from a file in word2vec's text or binary format (Mikolov et al., 2013); `dim` None takes what it holds.

    Raises SentexpError for a wrong file or dimension, and if not one word is found.
    """
    return Embedding(*_start(Path(path), dim, vocabulary, cache_dir, seed, progress), freeze, thaw_after)


def _published(
    family: Mapping[str, Published], name: str, dim: int, cache_dir: Path, progress: Progress | None
) -> Path:
    return download.archive(catalogue.find(family, name, dim), cache_dir, progress)


def _start(
    path: Path, dim: int | None, vocabulary: Words, cache_dir: Path, seed: int, progress: Progress | None
) -> tuple[Tensor, Coverage]:
    """The table [V, E] that training starts from, by the rule at the head of this module, and what was found."""
    path = path.expanduser()
    in_file = dimension.of_file(path, dim)
    if dim is not None and dim != in_file:
        raise SentexpError(
            f"embedding.dim={dim}: embedding.path={path} holds vectors of {in_file}; expected embedding.dim={in_file}"
        )
    words = vocabulary.itos
    forms = {form for word in words for form in (word, word.lower())}
    held = cache.vectors_of(path, forms, in_file, cache_dir, progress)

    rows = [held.index.get(word, held.index.get(word.lower(), -1)) for word in words]  # -1: not found
    rows[vocabulary.pad_index] = -1  # not a word, even where the file has one of that name
    numbers = [number for number, row in enumerate(rows) if row >= 0]
    found = len(numbers) - (rows[vocabulary.unk_index] >= 0)
    if not found:
        raise SentexpError(
            f"embedding.path={path}: holds none of the {len(words) - 2:,} words of the vocabulary "
            "(of another language, or another encoding than UTF-8?)"
        )
    vectors = torch.from_numpy(held.rows[[rows[number] for number in numbers]])  # [K, E]
    deviation, mean = torch.std_mean(vectors, dim=0, correction=0)  # [E], [E]
    weight = standard_normal(len(words), in_file, seed).mul_(deviation).add_(mean)  # [V, E]
    weight[numbers] = vectors
    weight[vocabulary.pad_index] = 0
    return weight, Coverage(found, len(words) - 2)  # neither <unk> nor <pad> is wanted
