"""From nodes of the configuration to objects. With the runner, the only place that knows hydra.utils.instantiate."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from torch import nn

from sentexp.errors import SentexpError
from sentexp.text.cleaning import Cleaning
from sentexp.text.pipeline import TextPipeline
from sentexp.text.vocabulary import Vocabulary


def build(node: Mapping[str, Any], **runtime: Any) -> Any:
    """What the node's `_target_` makes of its other keys and of `runtime`.

    Hydra is not shown the runtime arguments: it would turn lists and dataclasses among them into configurations.
    Raises SentexpError if the target cannot be imported.
    """
    return factory(node)(**runtime)


def factory(node: Mapping[str, Any]) -> functools.partial[Any]:
    """The node's `_target_` with its other keys, still to be called. Raises SentexpError if it cannot be imported."""
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        return instantiate(dict(node), _partial_=True, _convert_="all")
    except InstantiationException as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise SentexpError(f"_target_={node.get('_target_')}: {reason}; expected something importable") from error


def build_pipeline(config: Mapping[str, Any], vocabulary: Vocabulary | None = None) -> TextPipeline:
    """The pipeline of config's text, tokenizer and vocab; without `vocabulary`, `prepare` builds it."""
    text = dict(config["text"])
    return TextPipeline(
        clean=Cleaning(**text.pop("clean")),
        tokenizer=build(config["tokenizer"]),
        **config["vocab"],
        **text,
        vocabulary=vocabulary,
    )


def build_model(config: Mapping[str, Any], embedding: nn.Module, num_classes: int, unk_index: int) -> nn.Module:
    """The model of config's model, on top of `embedding`."""
    return build(config["model"], embedding=embedding, num_classes=num_classes, unk_index=unk_index)
