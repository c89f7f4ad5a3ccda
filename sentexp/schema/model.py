"""The keys of model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Optional

from sentexp.schema.keys import key


@dataclass
class RecurrentConfig:
    _target_: str = "sentexp.model.classifier.RecurrentClassifier"
    cell: str = key(choices=("lstm", "gru"))
    """Kind of recurrent layer."""
    hidden_size: int = key(at_least=1)
    """Features of the hidden state in each direction, H."""
    num_layers: int = key(at_least=1)
    """Recurrent layers stacked on one another."""
    bidirectional: bool = key()
    """Run over each review backwards as well."""
    dropout: float = key(at_least=0, below=1)
    """Dropout between stacked layers, as in torch.nn.LSTM."""
    pooling: str = key(choices=("last", "max", "mean", "concat", "attention"))
    """How the outputs of all time steps become one vector; concat is last, max and mean side by side."""
    word_dropout: float = key(at_least=0, below=1)
    """Share of tokens replaced by <unk> while training."""
    embedding_dropout: float = key(at_least=0, below=1)
    """Dropout on the word vectors."""
    output_dropout: float = key(at_least=0, below=1)
    """Dropout on the pooled vector."""
    ignore_padding: bool = key()
    """False treats the padding as if it were text."""
    thaw_after: Optional[int] = key(at_least=0)
    """With init, epochs after which the top recurrent layer is trained as well, then one more layer per epoch."""
    init: Optional[str] = key(path=True, own=True)
    """Run whose word vectors and recurrent layers are the first weights, and whose vocabulary is used."""

    def problems(self) -> Iterator[str]:
        if self.dropout > 0 and self.num_layers == 1:
            yield (
                f"model.dropout={self.dropout}: acts between stacked layers and model.num_layers=1 has none; "
                "expected model.num_layers=2 or more, or model.output_dropout instead"
            )
        if self.thaw_after is not None and self.init is None:
            yield f"model.thaw_after={self.thaw_after}: freezes random weights; expected model.init=RUN beside it"


@dataclass
class BagOfWordsConfig:
    _target_: str = "sentexp.model.bag_of_words.BagOfWordsClassifier"
    pooling: str = key(choices=("mean", "max", "sum"))
    """How the word vectors become one vector."""
    word_dropout: float = key(at_least=0, below=1)
    """Share of tokens replaced by <unk> while training."""
    embedding_dropout: float = key(at_least=0, below=1)
    """Dropout on the word vectors."""
    output_dropout: float = key(at_least=0, below=1)
    """Dropout on the pooled vector."""


@dataclass
class NbNgramsConfig:
    _target_: str = "sentexp.model.nb_ngrams.NbNgramsClassifier"
    max_ngram: int = key(at_least=1)
    """Tokens of the longest n-gram."""
    min_count: int = key(at_least=1)
    """Training reviews that an n-gram must be in to count."""
    alpha: float = key(above=0)
    """Added to the count of each n-gram in each class."""
    C: float = key(above=0)
    """Inverse strength of regularization, as scikit-learn's LogisticRegression has it."""
    seed: int = key(at_least=0)
    """Seed of the order in which the solver visits the reviews."""
