"""The baseline that cannot see the order of words: word vectors pooled over each review, then a linear layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sentexp.embedding.table import OneHot
from sentexp.errors import did_you_mean
from sentexp.model.pooling import masked_max, masked_mean, masked_sum, own_tokens
from sentexp.model.recurrent import check_lengths
from sentexp.model.word_dropout import WordDropout

# Shapes: B reviews in a batch, T tokens in the longest of them, E embedding.dim, V tokens in the vocabulary, C classes

POOLINGS = {"mean": masked_mean, "max": masked_max, "sum": masked_sum}


class BagOfWordsClassifier(nn.Module):
    """A linear layer over the mean, maximum or sum of a review's word vectors; the order of words has no effect.

    `embedding` is an nn.Embedding or a OneHot. With a OneHot the pooled vector holds, for each token of the vocabulary,
    its share of the review (`mean`), its count (`sum`) or 1 if it occurs and 0 if not (`max`).
    Everything is computed in the weights' own type, under autocast too, as no matrix product in it is large.

    Raises ValueError for an unknown `pooling` and for fewer than two classes.
    """

    def __init__(
        self,
        embedding: nn.Embedding | OneHot,
        num_classes: int,
        unk_index: int,
        pooling: str = "mean",
        word_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        output_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            near = did_you_mean(pooling, POOLINGS)
            raise ValueError(f"pooling={pooling}: not one of {', '.join(POOLINGS)} for a bag of words{near}")
        if num_classes < 2:
            raise ValueError(f"num_classes={num_classes}: expected 2 or more")
        self.pooling = pooling
        self.word_dropout = WordDropout(word_dropout, unk_index)
        self.embedding = embedding
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.output_dropout = nn.Dropout(output_dropout)
        self.head = nn.Linear(embedding.embedding_dim, 1 if num_classes == 2 else num_classes)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Compute logits: [B] of class 1 for two classes, [B, C] for more.

        `ids` are token ids [B, T], right-padded with any id, `lengths` [B] the tokens of each review.
        Raises ValueError for an empty batch and for lengths outside 1..T.
        """
        check_lengths(lengths, *ids.shape)
        if not isinstance(self.embedding, OneHot):
            return self.classify(self.embed(ids), lengths)                     # [B] or [B, C]
        with torch.autocast(ids.device.type, enabled=False):
            return self._judge(self.pooled_one_hot(self.word_dropout(ids), lengths.to(ids.device)))

    def embed(self, ids: Tensor) -> Tensor:
        """Return the vectors [B, T, E] of `ids` [B, T], after dropout of words and vectors."""
        vectors: Tensor = self.embedding_dropout(self.embedding(self.word_dropout(ids)))
        return vectors

    def classify(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Compute the logits, as `forward`, from vectors [B, T, E]."""
        with torch.autocast(vectors.device.type, enabled=False):
            return self._judge(POOLINGS[self.pooling](vectors, lengths.to(vectors.device)))

    def _judge(self, pooled: Tensor) -> Tensor:
        logits: Tensor = self.head(self.output_dropout(pooled))                # [B, 1] or [B, C]
        return logits.squeeze(1) if self.head.out_features == 1 else logits    # [B] or [B, C]

    def pooled_one_hot(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Pool the one-hot vectors of `ids` [B, T] over each review's own tokens without building them: [B, V]."""
        ones = own_tokens(ids, lengths).to(self.head.weight.dtype)             # [B, T]
        ones = self.embedding_dropout(ones)
        pooled = ones.new_zeros(ids.shape[0], self.embedding.num_embeddings)  # [B, V]
        how = "amax" if self.pooling == "max" else "sum"
        pooled = pooled.scatter_reduce(1, ids.long(), ones, how)
        return pooled / lengths.unsqueeze(1) if self.pooling == "mean" else pooled
