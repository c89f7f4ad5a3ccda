"""Compose, train and compare LSTM sentiment experiments: from the command line as `sentexp`, from a notebook as here.

    config    = compose("model=gru", "trainer.epochs=3")   the configuration, checked
    prepared  = prepare(config)                            reviews, text pipeline, corpora of token ids
    model     = build_model(config, prepared)              torch.nn.Module: ids [B, T], lengths [B] -> logits
    recipe    = build_recipe(config)                       a Recipe: optimizer, schedule, objective, trainer, machine
    result    = fit(model, prepared.corpora["train"], prepared.corpora["valid"], recipe)
    metrics   = evaluate(model, prepared.corpora["test"])  loss, accuracy, f1, roc_auc

`run(config)` does all of it, records the run and writes reports and the trained model; `load(RUN)` brings that model
back, to predict, evaluate and explain; `ensemble(RUN, RUN)` makes one model of several. Each part can be replaced by
your own: any torch module in place of `model`, any optimizer in the recipe.

One notebook, from words to predictions:

    >>> import sentexp
    >>> config = sentexp.compose("data.size=200", "trainer.epochs=2", "model.bidirectional=true", "tracking=none")
    >>> prepared = sentexp.prepare(config)
    >>> model = sentexp.build_model(config, prepared)
    >>> recipe = sentexp.build_recipe(config)
    >>> result = sentexp.fit(model, prepared.corpora["train"], prepared.corpora["valid"], recipe)
    >>> [entry["epoch"] for entry in result.history]
    [1, 2]
    >>> metrics = sentexp.evaluate(model, prepared.corpora["test"])
    >>> 0 <= metrics["accuracy"] <= 1
    True
    >>> trained = sentexp.load(sentexp.run(config).model_folder)
    >>> trained.predict(["not a bad film", "a bad film"]).shape  # probabilities [N, C]
    torch.Size([2, 2])

A mistake raises SentexpError with one line that names the key, the value and the way out. Importing this package
imports nothing heavy; what each of these names needs is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sentexp.config import compose
    from sentexp.evaluation import evaluate
    from sentexp.instantiate import build_recipe
    from sentexp.runner import build_model, prepare, run
    from sentexp.training import Recipe, fit
    from sentexp.use.ensembling import ensemble
    from sentexp.use.loaded import load

__version__ = "0.1.0"

__all__ = ["Recipe", "build_model", "build_recipe", "compose", "ensemble", "evaluate", "fit", "load", "prepare", "run"]

_PLACES = {
    "Recipe": ("sentexp.training.recipe", "Recipe"),
    "build_model": ("sentexp.runner", "build_model"),
    "build_recipe": ("sentexp.instantiate", "build_recipe"),
    "compose": ("sentexp.config", "compose"),
    "ensemble": ("sentexp.use.ensembling", "ensemble"),
    "evaluate": ("sentexp.evaluation", "evaluate"),
    "fit": ("sentexp.training.loop", "fit"),
    "load": ("sentexp.use.loaded", "load"),
    "prepare": ("sentexp.runner", "prepare"),
    "run": ("sentexp.runner", "run"),
}
"""Module and name of each public name."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, name_there = _PLACES[name]
    found = getattr(importlib.import_module(module), name_there)
    globals()[name] = found  # the next time Python finds it here
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
