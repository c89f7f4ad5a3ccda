"""The contract of a model: what training, prediction and loading need of it."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

# Shapes: B reviews in a batch, T tokens in the longest of them, V tokens in the vocabulary, E embedding.dim, C classes


def is_solved(model: nn.Module) -> bool:
    """Return True for a model that finds its weights by its method `solve`, and is not trained in epochs."""
    return callable(getattr(model, "solve", None))


def has_movable_vectors(model: nn.Module) -> bool:
    """Return True for a model whose word vectors an objective can move: one with the methods of `Movable`."""
    return callable(getattr(model, "embed", None)) and callable(getattr(model, "classify", None))


def count_parameters(model: nn.Module) -> int:
    """Count the parameters; a model that is solved keeps its own as buffers."""
    solved = (tensor for tensor in model.buffers() if tensor.is_floating_point())
    return sum(tensor.numel() for tensor in (solved if is_solved(model) else model.parameters()))


class Classifier(Protocol):
    """An nn.Module from the token ids of a padded batch to logits.

    It is constructed with the keyword arguments `embedding` (an nn.Module from ids [B, T] to vectors [B, T, E]) and
    `num_classes` (C), with `unk_index` (the id of `<unk>`) if its signature names it, and with the other keys of the
    configuration's section `model`. A saved model is constructed in the same way, then given its state_dict.

    A model that is not trained in epochs has a method `solve(train: Corpus, *, class_weights: Tensor | None) -> None`,
    which finds its weights; `class_weights` [C] are those of trainer.class_weight.

    A model may have a method `start_epoch(epoch: int) -> None`, which `fit` calls before each epoch, counted from 1,
    and a method `layers() -> list[list[nn.Parameter]]`, which says for trainer.layer_decay which parameters belong to
    each layer, from the top.

    Several threads predict with one model at a time, so `forward` must not keep anything on it in evaluation mode.

    Not `runtime_checkable`: from Python 3.12 on, isinstance does not see the submodules of an nn.Module.
    """

    @property
    def embedding(self) -> nn.Module:
        """The module that it was constructed with, under this name; or a OneHot, if the vectors do not matter.

        `fit` calls `embedding.start_epoch(epoch)` before each epoch, counted from 1, if there is such a method.
        `TrainedModel.load` takes its shape from `embedding.weight` [V, E] in the state_dict; without it, it passes a
        OneHot. Only an embedding whose `_target_` is the user's own is built from the configuration again.
        """

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        """Compute logits: [B] of class 1 for two classes, [B, C] for more.

        `ids` are token ids, int64 [B, T], right-padded; `lengths`, int64 [B], the tokens of each review, 1 to T.
        Padding never changes a review's logits: neither the ids in it nor its width.
        """


class Movable(Classifier, Protocol):
    """A classifier in two halves, so that an objective can move the word vectors between them.

    `forward(ids, lengths)` is `classify(embed(ids), lengths)`. Every objective but `supervised` needs it.
    """

    def embed(self, ids: Tensor) -> Tensor:
        """Return the vectors [B, T, E] of ids [B, T], with whatever dropout acts on words and vectors."""

    def classify(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Compute the logits for vectors [B, T, E]; those past a review's length do not matter."""
