"""What a training lowers: the loss of the labelled reviews, and further terms that make the model smooth.

Adversarial training (Goodfellow et al., 2015; for text Miyato et al., 2017) adds the loss at word vectors that were
moved to where it grows fastest. Virtual adversarial training moves them to where the answer changes fastest, which
needs no label, and lowers the change. Entropy minimisation (Grandvalet & Bengio, 2005) asks for decided answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sentexp.batches import Batch
from sentexp.errors import SentexpError
from sentexp.machine.choose import Machine
from sentexp.model.contract import has_movable_vectors
from sentexp.model.pooling import own_tokens
from sentexp.training.losses import correct, divergence_sum, entropy_sum

# Shapes: B reviews in a batch, T tokens in the longest of them, E embedding.dim, C classes, K terms

TERMS = ("adversarial", "virtual_adversarial", "entropy")

LossSum = Callable[[Tensor, Tensor], Tensor]
"""Takes logits and labels, returns the sum of the reviews' losses."""


@dataclass(frozen=True)
class Objective:
    """The weights of the terms that are added to the mean loss of the labelled reviews."""

    adversarial: float = 0.0
    """Weight of the mean loss at moved vectors, over the labelled reviews."""
    virtual_adversarial: float = 0.0
    """Weight of the mean divergence, in nats, of the answers at moved vectors from those at the vectors as they are,
    over the labelled and the unlabelled reviews."""
    entropy: float = 0.0
    """Weight of the mean entropy of the answers, in nats, over the labelled and the unlabelled reviews."""
    epsilon: float = 2.0
    """How far the vectors of a review are moved: the L2 norm over its tokens, as a multiple of the root mean square of
    their numbers. So the scale of the word vectors does not matter. Miyato et al. and Sachan et al. take 5; a
    model that started at random, with 4,000 reviews, stayed at chance with it."""
    xi: float = 1.0
    """The same for the trial step by which the direction of `virtual_adversarial` is found; for two classes it is known
    without one."""
    unlabelled_batch_size: int | None = None
    """Unlabelled reviews per step, over all processes; None: none is read."""
    ramp_up: int = 0
    """Steps over which the three weights grow from 0 to what they are (Laine & Aila, 2017): a model that knows no label
    yet is soon so smooth that it learns none."""

    def at(self, step: int) -> Objective:
        """Return the objective with the weights of step number `step`, counted from 1."""
        if step >= self.ramp_up:
            return self
        weights = {term: getattr(self, term) * step / self.ramp_up for term in TERMS}
        return replace(self, **weights)

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms that have a weight."""
        return tuple(term for term in TERMS if getattr(self, term) > 0)

    @property
    def reads_unlabelled(self) -> bool:
        """True if there is a term for which unlabelled reviews are read."""
        return self.unlabelled_batch_size is not None and (self.virtual_adversarial > 0 or self.entropy > 0)

    def check(self, model: nn.Module) -> None:
        """Raise SentexpError if there are terms for which the vectors of `model` cannot be moved."""
        if self.terms and not has_movable_vectors(model):
            raise SentexpError(
                f"objective: {', '.join(self.terms)} works on word vectors, and {type(model).__name__} does not show "
                "its own (methods embed and classify); expected objective=supervised, or another model"
            )


def supervised() -> Objective:
    """Return the objective without further terms."""
    return Objective()


def adversarial(weight: float, epsilon: float, ramp_up: int = 0) -> Objective:
    """Return the objective with the loss at moved vectors."""
    return Objective(adversarial=weight, epsilon=epsilon, ramp_up=ramp_up)


def virtual_adversarial(
    weight: float, epsilon: float, xi: float, unlabelled_batch_size: int | None, ramp_up: int = 0
) -> Objective:
    """Return the objective with the change of the answers at moved vectors."""
    return Objective(
        virtual_adversarial=weight,
        epsilon=epsilon,
        xi=xi,
        unlabelled_batch_size=unlabelled_batch_size,
        ramp_up=ramp_up,
    )


@dataclass(frozen=True)
class Sizes:
    """Numbers of reviews in a whole step."""

    labelled: int
    unlabelled: int = 0


def add_gradients(
    objective: Objective, model: nn.Module, batch: Batch, loss_of: LossSum | None, sizes: Sizes, machine: Machine
) -> Tensor:
    """Add the gradients of all terms over one batch to those of the model's parameters.

    Without `loss_of` the batch counts as unlabelled. Returns the sum of losses, the number of correct answers (both 0
    without `loss_of`) and, for each of `objective.terms`, the sum over the reviews, float32 [2 + K].

    All passes over the batch have the same dropout.
    """
    passes = _Passes(model, batch, machine)
    answers = passes.logits.detach().float().requires_grad_()  # [B] or [B, C]
    sums = dict.fromkeys(("loss", "correct", *objective.terms), answers.new_zeros(()))
    both = sizes.labelled + sizes.unlabelled
    by_loss = slopes = None  # of the loss, and of all that is lowered in the first pass, by the logits
    if loss_of is not None:
        loss = loss_of(answers, batch.labels)
        (by_loss,) = torch.autograd.grad(loss, answers)
        slopes = by_loss / sizes.labelled
        sums |= {"loss": loss.detach(), "correct": correct(answers, batch.labels).float()}
    if objective.entropy > 0:
        entropy = entropy_sum(answers)
        (by_entropy,) = torch.autograd.grad(entropy, answers)
        slopes = by_entropy * (objective.entropy / both) + (0 if slopes is None else slopes)
        sums["entropy"] = entropy.detach()

    hostile = by_loss if objective.adversarial > 0 else None
    towards_loss, towards_change = passes.first(slopes, hostile, objective.virtual_adversarial > 0, objective)
    if towards_loss is not None and loss_of is not None:
        moved = loss_of(passes.moved(towards_loss, objective.epsilon), batch.labels)
        (moved * (objective.adversarial / sizes.labelled)).backward()
        sums["adversarial"] = moved.detach()
    if towards_change is not None:
        change = divergence_sum(answers.detach(), passes.moved(towards_change, objective.epsilon))
        (change * (objective.virtual_adversarial / both)).backward()
        sums["virtual_adversarial"] = change.detach()
    passes.finish()
    return torch.stack(list(sums.values()))


class _Passes:
    """The passes of one batch through a model: the first one, and those with moved vectors."""

    def __init__(self, model: nn.Module, batch: Batch, machine: Machine) -> None:
        self._model = model
        self._batch = batch
        self._machine = machine
        with machine.autocast():
            self._embedded = model.embed(batch.ids)  # type: ignore[operator]  # [B, T, E]
        self._vectors = self._embedded.detach().requires_grad_()
        """Gathers the gradients of all passes, which go on into `embed` at once."""
        self._generator = _generator(batch.ids.device)
        self._dropout = self._generator.get_state()
        self.logits = self._classify(self._vectors)
        """The logits of the vectors that have not been moved, [B] or [B, C]."""
        self._drawn = self._generator.get_state()
        with torch.no_grad():
            self._own = own_tokens(batch.ids, batch.lengths).unsqueeze(2)  # [B, T, 1]
            numbers = batch.lengths * self._vectors.shape[2]
            squares = (self._vectors * self._own).square().sum((1, 2)) / numbers
            self._scale = squares.sqrt().view(-1, 1, 1)  # root mean square of each review's vectors, [B, 1, 1]

    def first(
        self, slopes: Tensor | None, by_loss: Tensor | None, virtual: bool, objective: Objective
    ) -> tuple[Tensor | None, Tensor | None]:
        """Add the gradients of what the first pass lowers, with `slopes` by the logits.

        Returns the directions in which the loss, with the slopes `by_loss`, and the answer change fastest, each of
        length 1 per review, [B, T, E]; None for what is not asked for.
        """
        if self.logits.dim() > 1:
            to_loss = self._pulled_back(by_loss) if by_loss is not None else None
            to_change = self._by_trial(objective.xi) if virtual else None
            if slopes is not None:
                self.logits.backward(slopes.to(self.logits.dtype))
            return to_loss, to_change
        # With one logit per review, whatever depends on it has the gradient of the logit, but for a factor.
        if slopes is not None:
            self.logits.backward(slopes.to(self.logits.dtype))
            assert self._vectors.grad is not None
            direction = _unit(self._vectors.grad * self._own) * slopes.sign().view(-1, 1, 1)
        else:
            direction = self._pulled_back(torch.ones_like(self.logits))
        to_loss = direction * by_loss.sign().view(-1, 1, 1) if by_loss is not None else None
        to_change = None
        if virtual:  # a trial step from a random place would end in this direction, or as often in the opposite one
            with self._drawing():
                signs = torch.randint(0, 2, (len(direction), 1, 1), device=direction.device)
            to_change = direction * (2 * signs - 1)
        return to_loss, to_change

    def moved(self, direction: Tensor, distance: float) -> Tensor:
        """Return the logits at vectors moved in `direction` by `distance` times their root mean square."""
        return self._classify(self._vectors + direction * (distance * self._scale))

    def finish(self) -> None:
        """Pass the gradients of the vectors on to the parameters behind them."""
        self._generator.set_state(self._drawn)
        if self._embedded.requires_grad:
            self._embedded.backward(self._vectors.grad)

    def _classify(self, vectors: Tensor) -> Tensor:
        self._generator.set_state(self._dropout)
        with self._machine.autocast():
            return self._model.classify(vectors, self._batch.lengths)  # type: ignore[operator]

    def _pulled_back(self, slopes: Tensor) -> Tensor:
        """Return the direction of the vectors' gradient of what has `slopes` by the logits."""
        slopes = slopes.to(self.logits.dtype)
        (gradient,) = torch.autograd.grad(self.logits, self._vectors, slopes, retain_graph=True)
        return _unit(gradient * self._own)

    def _by_trial(self, distance: float) -> Tensor:
        """Return the direction in which the answers change fastest, found from a random one (one power iteration)."""
        vectors = self._vectors.detach()
        with self._drawing():
            start = torch.randn(vectors.shape, device=vectors.device)
        trial = (_unit(start * self._own) * (distance * self._scale)).requires_grad_()
        change = divergence_sum(self.logits.detach(), self._classify(vectors + trial))
        (gradient,) = torch.autograd.grad(change, trial)
        return _unit(gradient * self._own)

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """Draw numbers that are not those of the dropout."""
        self._generator.set_state(self._drawn)
        yield
        self._drawn = self._generator.get_state()


def _unit(vectors: Tensor) -> Tensor:
    """Scale the vectors of each review [B, T, E] to an L2 norm of 1; zeros stay zeros."""
    norms = vectors.flatten(1).float().norm(dim=1).view(-1, 1, 1)
    return vectors / norms.masked_fill(norms == 0, 1)


def _generator(device: torch.device) -> torch.Generator:
    """Return the generator that dropout draws from."""
    return torch.cuda.default_generators[device.index or 0] if device.type == "cuda" else torch.default_generator
