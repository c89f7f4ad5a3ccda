"""Why a trained model answers as it does: what each token of a text contributes, and how the answer comes about.

Contributions are integrated gradients (Sundararajan et al., 2017) along the way from zero vectors to the text's word
vectors, so that they sum to the difference between the text's logit and that of as many zero vectors. Those of n-grams
are exact. Beside them stands how the logit changes without a token, and the probability after each token.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sentexp.batches import Batches, evaluation_plan
from sentexp.embedding.table import OneHot
from sentexp.errors import SentexpError, did_you_mean, one_line
from sentexp.evaluation import device_of
from sentexp.failures import lacks_memory
from sentexp.model.bag_of_words import BagOfWordsClassifier
from sentexp.model.classifier import RecurrentClassifier
from sentexp.model.nb_ngrams import NbNgramsClassifier
from sentexp.text.corpus import UNLABELLED, Corpus
from sentexp.text.pipeline import TextPipeline
from sentexp.trained_ensemble import Predictor, single
from sentexp.training.losses import probabilities
from sentexp.use.explanation import NEGLIGIBLE, ExplainedToken, Explanation, near_enough

# Shapes: N texts, T tokens of the text, S steps of the integral, W tokens with padding (T without fix_length),
#         E embedding.dim, C classes

LONGEST = 500
"""Tokens that are explained: the work grows with the square of their number."""

STEPS = (32, 64, 128, 256, 512)
"""Steps of the integral that are tried, until the sum is near enough."""

TOKENS_AT_A_TIME = 2**14
"""Tokens in a batch with gradients."""

Logit = Callable[[Tensor], Tensor]
"""The explained logit [S] of the text with its vectors multiplied by scales [S, T]."""


def explain(predictor: Predictor, text: str, label: str | None = None) -> Explanation:
    """Explain the logit of `label`: by default that of the second of two labels, or the likeliest of more.

    At most LONGEST tokens are explained.

    >>> from sentexp import compose, run
    >>> from sentexp.trained_model import TrainedModel
    >>> from sentexp.use.explaining import explain
    >>> result = run(compose("data.size=200", "trainer.epochs=1", "tracking=none"))
    >>> explanation = explain(TrainedModel.load(result.model_folder), "not bad at all")
    >>> [token.text for token in explanation.tokens]
    ['not', 'bad', 'at', 'all']
    >>> explanation.label
    'positive'

    Raises SentexpError for a label that the model does not have, for an ensemble, and if captum (extra `explain`) is
    missing.
    """
    trained = single(predictor, "explain")
    if label is not None and label not in trained.labels:
        near = did_you_mean(label, trained.labels)
        raise SentexpError(f"label {label}: expected one of {', '.join(trained.labels)}{near}")
    traced = trained.pipeline.trace(text)
    places = [place for place, token in enumerate(traced) if token.id is not None]
    if len(places) > LONGEST:
        traced = traced[: places[LONGEST]]
    ids = torch.tensor([token.id for token in traced if token.id is not None])  # [T]
    model = _frozen(trained.model)
    prefixes = [ids[:end] for end in range(1, len(ids) + 1)]
    logits = _logits(model, prefixes, trained.pipeline)  # [T] or [T, C]
    of_classes = probabilities(logits)  # [T, C]
    best = int(of_classes[-1].argmax())
    target = trained.labels.index(label) if label is not None else best if len(trained.labels) > 2 else 1
    own = float(_of_class(logits[-1:], target))
    unknown = torch.tensor([trained.pipeline.vocabulary.unk_index])
    shorter = [torch.cat([ids[:place], ids[place + 1 :]]) if len(ids) > 1 else unknown for place in range(len(ids))]
    without = own - _of_class(_logits(model, shorter, trained.pipeline), target)  # [T]
    contributions, baseline, steps, method, reason = _contributions(model, ids, target, own, trained.pipeline)
    if contributions is None:
        contributions, baseline = without, own - float(without.sum())

    itos = trained.pipeline.vocabulary.itos
    figures = iter(zip(contributions.tolist(), without.tolist(), of_classes[:, target].tolist(), strict=True))
    return Explanation(
        text=text,
        predicted=trained.labels[best],
        label=trained.labels[target],
        probabilities=dict(zip(trained.labels, of_classes[-1].tolist(), strict=True)),
        logit=own,
        baseline=baseline,
        method=method,
        reason=reason,
        steps=steps,
        tokens=[
            ExplainedToken(token.text, itos[token.id], token.fate, *next(figures))
            if token.id is not None
            else ExplainedToken(token.text, None, token.fate, None, None, None)
            for token in traced
        ],
        unexplained=max(0, len(places) - LONGEST),
    )


def _frozen(model: nn.Module) -> nn.Module:
    """Return a copy for evaluation, whose weights need no gradient; those of the embedding, often large, are shared."""
    embedding = getattr(model, "embedding", None)
    weights = embedding.parameters() if isinstance(embedding, nn.Module) else ()
    shared = {id(weight): nn.Parameter(weight.detach(), requires_grad=False) for weight in weights}
    return copy.deepcopy(model, shared).eval().requires_grad_(False)


def _of_class(logits: Tensor, target: int) -> Tensor:
    """Return the logit [N] of one class; the only one of two classes speaks for class 1 and against class 0."""
    if logits.dim() == 2:
        return logits[:, target]
    return logits if target == 1 else -logits


def _logits(model: nn.Module, rows: Sequence[Tensor], pipeline: TextPipeline) -> Tensor:
    """Return the logits [N] or [N, C] of reviews of token ids, on the CPU; each as if it were alone."""
    offsets = torch.tensor([0, *(len(row) for row in rows)]).cumsum(0)
    labels = torch.full((len(rows),), UNLABELLED)
    corpus = Corpus(torch.cat(list(rows)).int(), offsets, labels, pipeline.vocabulary.pad_index, pipeline.fix_length)
    device = device_of(model)
    # A model that takes padding for text gives a review another answer in another batch.
    alone = not getattr(model, "ignore_padding", True)
    planned = list(torch.arange(len(rows)).split(1)) if alone else evaluation_plan(corpus, device=device)
    with torch.inference_mode():
        found = [model(batch.ids, batch.lengths).float().cpu() for batch in Batches(corpus, device=device).of(planned)]
    return torch.cat(found)[torch.cat(planned).argsort()]


def _contributions(
    model: nn.Module, ids: Tensor, target: int, own: float, pipeline: TextPipeline
) -> tuple[Tensor | None, float, int | None, str, str | None]:
    """Return the contributions [T] or None, the logit that they start from, the steps, the method, and the reason for
    leave-one-out."""
    if isinstance(model, NbNgramsClassifier):
        row = _of_class(model.contributions(ids.to(device_of(model))).cpu().squeeze(1), target)
        return row, own - float(row.sum()), None, "n-grams", None
    logit = _scaled_logit(model, ids, target, pipeline)
    reason = "it has no module called embedding" if logit is None else _not_differentiable(model, logit, own, len(ids))
    if logit is None or reason is not None:
        return None, 0.0, None, "leave-one-out", reason
    try:
        from captum.attr import IntegratedGradients
    except ModuleNotFoundError as error:
        raise SentexpError(
            f"explain: needs {error.name}; expected pip install -c constraints.txt -e '.[explain]'"
        ) from None
    ends = torch.stack([torch.zeros(len(ids)), torch.ones(len(ids))]).to(device_of(model))
    # cuDNN has no gradient in evaluation mode; without it the result is the same on every device.
    with torch.backends.cudnn.flags(enabled=False), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum tells of a batch of its own that is smaller than it likes
        with torch.no_grad():
            baseline = float(logit(ends[:1]))
        for steps in STEPS:
            found = IntegratedGradients(logit).attribute(
                ends[1:],
                baselines=ends[:1],
                n_steps=steps,
                internal_batch_size=max(1, TOKENS_AT_A_TIME // len(ids)),
            )
            if near_enough(float(found.sum()) - (own - baseline), own - baseline):
                break
    return found[0].detach().float().cpu(), baseline, steps, "integrated gradients", None


def _not_differentiable(model: nn.Module, logit: Logit, own: float, length: int) -> str | None:
    """Return None if the logit is the model's own at a scale of 1, and has a gradient; else what is wrong with it.

    Raises what a built-in model raises, and a lack of memory.
    """
    try:
        with torch.enable_grad():
            found = logit(torch.ones(1, length, requires_grad=True))
    except Exception as error:
        if lacks_memory(error) or type(model).__module__.startswith("sentexp."):
            raise
        return one_line(error)  # a model of the user's own may want more of its embedding than vectors
    if not found.requires_grad:
        return "its logit has no gradient"
    if abs(float(found.detach()) - own) > NEGLIGIBLE * max(1, abs(own)):
        return "its logit depends on more than the vectors of its embedding"
    return None


class _ScaledVectors(nn.Module):
    """Stands in for an embedding: takes places in a batch of steps [S, W] for ids, in any order.

    So it does not matter whether the model transposes or flattens its ids before it looks them up.
    """

    def __init__(self, vectors: Tensor) -> None:
        super().__init__()
        self.vectors = vectors  # [W, E]
        self.scales = torch.empty(0)  # [S, W]

    def forward(self, places: Tensor) -> Tensor:
        return self.vectors[places % len(self.vectors)] * self.scales.flatten()[places].unsqueeze(-1)


class _ScaledOnes(nn.Module):
    """Stands in for the embedding dropout of a model that never builds its one-hot vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.scales = torch.empty(0)  # [S, W]

    def forward(self, ones: Tensor) -> Tensor:
        return ones * self.scales


def _scaled_logit(model: nn.Module, ids: Tensor, target: int, pipeline: TextPipeline) -> Logit | None:
    """Return the function that integrated gradients are taken of; None if the model has no embedding to stand in for.

    Scales are enough: along the way from zero, a token's contribution is the gradient by its vector's length.
    """
    embedding = getattr(model, "embedding", None)
    if not isinstance(embedding, nn.Module):
        return None
    device = device_of(model)
    width = pipeline.fix_length or len(ids)
    padded = nn.functional.pad(ids, (0, width - len(ids)), value=pipeline.vocabulary.pad_index).to(device)  # [W]
    one_hot = isinstance(embedding, OneHot) and isinstance(model, (RecurrentClassifier, BagOfWordsClassifier))
    stand_in: _ScaledOnes | _ScaledVectors
    if one_hot:
        stand_in = _ScaledOnes()
        replaced: object = model.embedding_dropout
    else:
        with torch.no_grad():
            stand_in = _ScaledVectors(embedding(padded[None])[0])
        replaced = embedding
    changed = copy.deepcopy(model, {id(replaced): stand_in})

    def logit(scales: Tensor) -> Tensor:
        steps = len(scales)
        stand_in.scales = nn.functional.pad(scales.to(device), (0, width - len(ids)), value=1.0)  # [S, W]
        places = torch.arange(steps * width, device=device).view(steps, width)
        batch = padded.expand(steps, -1) if one_hot else places  # [S, W]
        return _of_class(changed(batch, torch.full((steps,), len(ids))), target)

    return logit
