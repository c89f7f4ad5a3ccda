"""Embeddings that start from published vectors or from a file: GloVe, word2vec, fastText.

One rule for all of them. A word of the vocabulary gets the vector of the word as written, or else of its lower-cased
form. If neither is in the file, its vector is drawn from a normal distribution with the mean and standard deviation of
the vectors found, for each dimension separately; the draw depends only on the seed and on the word's token id. `<unk>`
follows the same rule, though it is not counted as wanted. `<pad>` is zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from sentexp.embedding import cache, catalogue, dimension, download
from sentexp.embedding.catalogue import Published
from sentexp.embedding.table import Coverage, Embedding, VocabularyLike, standard_normal
from sentexp.errors import SentexpError
from sentexp.terminal import ProgressCallback

# Shapes: V tokens in the vocabulary, K of them found, E embedding.dim


def glove(
    name: str,
    dim: int,
    path: str | Path | None,
    freeze: bool,
    thaw_after: int | None,
    *,
    vocabulary: VocabularyLike,
    cache_dir: Path,
    seed: int,
    progress: ProgressCallback | None = None,
) -> Embedding:
    """Start from the GloVe vectors called `name` (Pennington et al., 2014) or from those in the file `path`.

    Published vectors are downloaded once, to `cache_dir`. Raises ValueError for an unknown name or dimension, and
    SentexpError for a failed download, a file that cannot be read, and if not one word is found.
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
    vocabulary: VocabularyLike,
    cache_dir: Path,
    seed: int,
    progress: ProgressCallback | None = None,
) -> Embedding:
    """Start from fastText's word vectors called `name` (Mikolov et al., 2018) or from those in the .vec file `path`.

    Subword vectors are not used. Raises as `glove` does.
    """
    file = _published(catalogue.FASTTEXT, name, dim, cache_dir, progress) if path is None else Path(path)
    return Embedding(*_start(file, dim, vocabulary, cache_dir, seed, progress), freeze, thaw_after)


def word2vec(
    path: str | Path,
    dim: int | None,
    freeze: bool,
    thaw_after: int | None,
    *,
    vocabulary: VocabularyLike,
    cache_dir: Path,
    seed: int,
    progress: ProgressCallback | None = None,
) -> Embedding:
    """Start from a file in word2vec's text or binary format (Mikolov et al., 2013); `dim` None takes the file's own.

    Raises SentexpError for a file that cannot be read or has another dimension, and if not one word is found.
    """
    return Embedding(*_start(Path(path), dim, vocabulary, cache_dir, seed, progress), freeze, thaw_after)


def _published(
    family: Mapping[str, Published], name: str, dim: int, cache_dir: Path, progress: ProgressCallback | None
) -> Path:
    return download.archive(catalogue.find(family, name, dim), cache_dir, progress)


def _start(
    path: Path,
    dim: int | None,
    vocabulary: VocabularyLike,
    cache_dir: Path,
    seed: int,
    progress: ProgressCallback | None,
) -> tuple[Tensor, Coverage]:
    """Return the table [V, E] to start from, by the rule at the head of this module, and how many words were found."""
    path = path.expanduser()
    in_file = dimension.check(path, dim)
    words = vocabulary.itos
    forms = {form for word in words for form in (word, word.lower())}
    held = cache.vectors_of(path, forms, in_file, cache_dir, progress)

    rows = [held.index.get(word, held.index.get(word.lower(), -1)) for word in words]  # -1: not found
    rows[vocabulary.pad_index] = -1  # not a word, even if the file has one of that name
    ids = [token_id for token_id, row in enumerate(rows) if row >= 0]
    found = len(ids) - (rows[vocabulary.unk_index] >= 0)
    if not found:
        raise SentexpError(
            f"embedding.path={path}: holds none of the {len(words) - 2:,} words of the vocabulary "
            "(is it in another language, or in another encoding than UTF-8?)"
        )
    vectors = torch.from_numpy(held.rows[[rows[token_id] for token_id in ids]])  # [K, E]
    deviation, mean = torch.std_mean(vectors, dim=0, correction=0)  # [E], [E]
    weight = standard_normal(len(words), in_file, seed).mul_(deviation).add_(mean)  # [V, E]
    weight[ids] = vectors
    weight[vocabulary.pad_index] = 0
    with_vector = torch.tensor([token_id for token_id in ids if token_id != vocabulary.unk_index])
    return weight, Coverage(found, len(words) - 2, with_vector)  # <unk> and <pad> are not wanted
