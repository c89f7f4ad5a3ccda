"""Makes objects of configuration nodes. A node is an option of the schema, or a mapping with a `_target_`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from sentexp.config import plain
from sentexp.errors import SentexpError, one_line
from sentexp.imports import import_object
from sentexp.machine.choose import Machine, choose_machine
from sentexp.machine.workload import Workload
from sentexp.schema import Config, TrainerConfig, own_keys
from sentexp.signature import accepted
from sentexp.text.cleaning import Cleaning
from sentexp.text.pipeline import TextPipeline
from sentexp.text.vocabulary import Vocabulary
from sentexp.training.recipe import Recipe


def build(node: Any, **runtime: Any) -> Any:
    """Call the node's `_target_` with its other keys and with those of `runtime` that it takes and the node lacks.

    Hydra is not shown the runtime arguments: it would turn lists and dataclasses among them into configurations.
    Raises SentexpError as `factory` does.
    """
    call = factory(node)
    return call(**{name: runtime[name] for name in accepted(call.func, runtime) if name not in call.keywords})


def factory(node: Any) -> functools.partial[Any]:
    """Return the node's `_target_` with its other keys, still to be called; nested nodes are instantiated.

    Keys that the program itself reads are left out; see `schema.key`.

    Raises SentexpError if the target cannot be imported or a nested node cannot be instantiated.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    values = plain(node)
    target = values.get("_target_")
    values = {name: value for name, value in values.items() if name not in own_keys(target)}
    try:
        import_object(str(target))
    except Exception as error:  # importing runs the user's code
        raise SentexpError(
            f"_target_={target}: cannot be imported ({one_line(error)}); expected package.module.name"
        ) from error
    try:
        return instantiate(values, _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise SentexpError(f"_target_={target}: {one_line(error.__cause__ or error)}") from error


def build_pipeline(config: Config | Mapping[str, Any], vocabulary: Vocabulary | None = None) -> TextPipeline:
    """Return the pipeline of the sections text, tokenizer and vocab; without `vocabulary`, `prepare` builds one.

    A key that a mapping lacks has the default of TextPipeline or Cleaning.
    """
    sections = plain(config)
    text = dict(sections["text"])
    return TextPipeline(
        clean=Cleaning(**text.pop("clean", {})),
        tokenizer=build(sections["tokenizer"]),
        **sections["vocab"],
        **text,
        vocabulary=vocabulary,
    )


def build_recipe(config: Config, machine: Machine | None = None) -> Recipe:
    """Return the recipe of the sections optimizer, schedule, objective, task and trainer, and of the seed.

    `machine` is where to train; None takes what trainer.device, precision, processes and threads choose, and one
    process where processes is auto. Raises SentexpError for a device that is not there.

    >>> from sentexp import build_recipe, compose
    >>> recipe = build_recipe(compose("trainer.device=cpu", "trainer.precision=fp32", "optimizer.lr=0.01"))
    >>> recipe.machine.device, recipe.machine.processes, recipe.trainer.batch_size
    (device(type='cpu'), 1, 64)
    >>> recipe.optimizer.keywords["lr"]
    0.01
    """
    if machine is None:
        machine = build_machine(config.trainer)
    schedule = plain(config.schedule)
    interval = schedule.pop("interval", "step")
    return Recipe(
        factory(config.optimizer),
        factory(schedule),
        machine,
        config.trainer,
        config.seed,
        build(config.objective),
        build(config.task),
        interval=interval,
    )


def build_machine(trainer: TrainerConfig, workload: Workload | None = None) -> Machine:
    """Return the machine that device, precision, processes and threads of the section trainer choose.

    `processes=auto` needs the size of the training to choose more than one. Raises SentexpError for a device that is
    not there.
    """
    return choose_machine(
        device=trainer.device,
        precision=trainer.precision,
        processes=trainer.processes,
        threads=trainer.threads,
        workload=workload,
    )
