"""Loss, correct-answer counts and probabilities from logits, for two classes and for more.

Logits [B] mean two classes (the logit of class 1), logits [B, C] mean C classes. All is computed in float32, whatever
the precision of the model.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Shapes: B reviews in a batch, C classes


def loss_sum(
    logits: Tensor, labels: Tensor, label_smoothing: float = 0.0, class_weights: Tensor | None = None
) -> Tensor:
    """Return the sum of the reviews' losses in nats: binary cross-entropy for two classes, cross-entropy for more.

    With `class_weights` [C], each loss is multiplied by the weight of the review's class.

    `label_smoothing` is the share of the target spread evenly over all classes (Szegedy et al., 2016, section 7), so
    that both losses agree: with two classes and 0.1 the targets are 0.05 and 0.95.
    """
    logits = logits.float()
    reduction = "sum" if class_weights is None else "none"
    if logits.dim() == 1:
        targets = labels.float() * (1 - label_smoothing) + label_smoothing / 2  # [B]
        loss = F.binary_cross_entropy_with_logits(logits, targets, reduction=reduction)
    else:
        loss = F.cross_entropy(logits, labels, reduction=reduction, label_smoothing=label_smoothing)
    return loss if class_weights is None else (loss * class_weights[labels]).sum()


def class_weights(kind: str, labels: Tensor) -> Tensor | None:
    """Return the weight of each class for trainer.class_weight, float32 [C], or None for `none`.

    With `balanced` all classes weigh the same; the mean over the reviews, whose `labels` are int64 [N], is 1. As
    scikit-learn's class_weight="balanced".
    """
    if kind == "none":
        return None
    counts = labels.bincount()
    return (len(labels) / (len(counts) * counts)).float()


def correct(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the number of reviews whose likeliest class is their label, as a tensor without dimensions."""
    answers = logits > 0 if logits.dim() == 1 else logits.argmax(1)
    return (answers == labels).sum()


def probabilities(logits: Tensor) -> Tensor:
    """Return the probability of each class, float32 [B, C]; the rows sum to 1."""
    logits = logits.float()
    if logits.dim() > 1:
        return logits.softmax(1)
    return torch.stack([torch.sigmoid(-logits), torch.sigmoid(logits)], 1)


def log_probabilities(logits: Tensor) -> Tensor:
    """Return the logarithm of each class's probability, float32 [B, C]."""
    logits = logits.float()
    if logits.dim() > 1:
        return logits.log_softmax(1)
    return torch.stack([F.logsigmoid(-logits), F.logsigmoid(logits)], 1)


def entropy_sum(logits: Tensor) -> Tensor:
    """Return the sum of the entropies of the reviews' answers, in nats."""
    logs = log_probabilities(logits)
    return -(logs.exp() * logs).sum()


def divergence_sum(logits: Tensor, others: Tensor) -> Tensor:
    """Return the sum of the Kullback-Leibler divergences of the answers `others` from the answers `logits`, in nats."""
    logs = log_probabilities(logits)
    return (logs.exp() * (logs - log_probabilities(others))).sum()
