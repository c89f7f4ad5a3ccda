"""How the keys of a `_target_` of the user's own are checked."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentexp.signature import accepted, problems


class Conv:
    def __init__(self, embedding: Any, num_classes: int, hidden: int, kernel: int = 3, inner: Any = None) -> None: ...


class WithoutClasses:
    def __init__(self, embedding: Any, hidden: int = 3) -> None: ...


class Anything:
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


def vectors(vocabulary: Any, dim: int = 3, seed: int = 0) -> None: ...


def load(path: str) -> None: ...


def by_position(path: str, /) -> None: ...


def rule(params: Any, *, lr: float) -> None: ...


def no_parameters() -> None: ...


def shrink(optimizer: Any, total_steps: int, factor: float) -> None: ...


SIZE = 3
HERE = __name__
CONV = f"{HERE}.Conv"


def first_problem(group: str, target: str, **keys: Any) -> str | None:
    return next(problems(group, {"_target_": f"{HERE}.{target}", **keys}), None)


@pytest.mark.parametrize(
    ("group", "target", "keys"),
    [
        ("model", "Conv", {"hidden": 3}),
        ("model", "Conv", {"hidden": 3, "kernel": 5}),
        ("model", "Anything", {"whatever": 3}),
        ("embedding", "vectors", {"dim": 4}),
        ("embedding", "vectors", {"seed": 1}),  # what the option sets is not given by the program
        ("optimizer", "rule", {"lr": 0.1}),
        ("optimizer", "Anything", {"lr": 0.1}),
        ("schedule", "shrink", {"factor": 0.5}),
        ("schedule", "shrink", {"factor": 0.5, "total_steps": 7}),
        ("schedule", "shrink", {"factor": 0.5, "interval": "epoch"}),
        ("data", "load", {"path": "x"}),
        ("tracking", "no_parameters", {}),
        ("model", "Conv", {"hidden": 3, "_recursive_": False, "inner": {"_target_": "nowhere.Name"}}),
        ("model", "Conv", {"hidden": 3, "inner": [{"_target_": f"{HERE}.load", "path": "x"}]}),
        ("model", "Conv", {"hidden": 3, "inner": {"_target_": f"{HERE}.load", "_partial_": True}}),
        ("model", "Conv", {"hidden": 3, "inner": {"_target_": f"{HERE}.by_position", "_args_": ["x"]}}),
    ],
)
def test_a_call_that_fits_has_no_problem(group: str, target: str, keys: dict[str, Any]) -> None:
    assert first_problem(group, target, **keys) is None


@pytest.mark.parametrize("target", ["torch.optim.NAdam", "torch.optim.SGD"])
def test_optimizers_of_pytorch_fit(target: str) -> None:
    assert list(problems("optimizer", {"_target_": target, "lr": 0.1})) == []


@pytest.mark.parametrize(
    ("target", "keys"),
    [
        ("StepLR", {"step_size": 2}),
        ("OneCycleLR", {"max_lr": 0.1}),
        ("CosineAnnealingLR", {"T_max": 3, "interval": "epoch"}),
        ("ReduceLROnPlateau", {"patience": 2}),
    ],
)
def test_schedules_of_pytorch_fit(target: str, keys: dict[str, Any]) -> None:
    assert list(problems("schedule", {"_target_": f"torch.optim.lr_scheduler.{target}", **keys})) == []


@pytest.mark.parametrize(
    ("group", "target", "keys", "message"),
    [
        (
            "model", "Conv", {"hiden": 3},
            f"model.hiden=3: {CONV} takes no such argument; did you mean hidden? (it takes hidden, kernel, inner)",
        ),
        (
            "model", "Conv", {"kernel": 3},
            f"model.hidden: {CONV} needs a value for it: +model.hidden=... (it takes hidden, kernel, inner)",
        ),
        (
            "model", "Conv", {"hidden": 3, "num_classes": 2},
            f"model.num_classes=2: the program itself gives this argument to {CONV}; expected no such key",
        ),
        (
            "model", "WithoutClasses", {},
            f"model._target_={HERE}.WithoutClasses: takes no argument num_classes, which the program gives",
        ),
        ("model", "Conv", {"hidden": 3, "_partial_": True}, "model._partial_=true: the program itself decides this"),
        ("model", "Conv", {"hidden": 3, "_convert_": "all"}, "model._convert_=all: the program itself decides this"),
        ("model", "Conv", {"_args_": [1]}, "model._args_=[1]: the program itself decides this"),
        ("data", "no_parameters", {"path": None},
         f"data.path=null: {HERE}.no_parameters takes no such argument (it takes none)"),
        ("data", "load", {"path": "x", "password": "db://a:b@c"}, "data.password=db://a:***@c:"),
        ("data", "by_position", {}, f"data._target_={HERE}.by_position: takes path by position only"),
        ("optimizer", "no_parameters", {},
         f"optimizer._target_={HERE}.no_parameters: takes nothing by position; the program gives it the parameters"),
        ("optimizer", "rule", {"lr": 0.1, "params": []}, "optimizer.params=[]: the program itself gives this argument"),
        ("optimizer", "rule", {}, f"optimizer.lr: {HERE}.rule needs a value for it: +optimizer.lr=..."),
        ("schedule", "shrink", {"factor": 1, "interval": "epok"},
         "schedule.interval=epok: not one of step, epoch; did you mean epoch?"),
        ("model", "Conv", {"hidden": 3, "inner": {"_target_": f"{HERE}.load", "pth": "x"}},
         f"model.inner.pth=x: {HERE}.load takes no such argument; did you mean path? (it takes path)"),
        ("model", "Conv", {"hidden": 3, "inner": {"a": [{"_target_": "nowhere.Name"}]}},
         "model.inner.a.0._target_=nowhere.Name: cannot be imported (ModuleNotFoundError: No module named 'nowhere')"),
        ("model", "Conv", {"hidden": 3, "inner": {"_target_": f"{HERE}.by_position", "_args_": [1, 2]}},
         f"model.inner._target_={HERE}.by_position: takes 1 by position; _args_ holds 2"),
        ("model", "SIZE", {}, f"model._target_={HERE}.SIZE: is int, expected a class or a function"),
        ("model", "Cov", {},
         f"model._target_={HERE}.Cov: cannot be imported (ImportError: {HERE} has no Cov; did you mean Conv?); "
         "expected package.module.name"),
    ],
)  # fmt: skip
def test_a_call_that_does_not_fit_is_one_line_with_the_nearest_name(
    group: str, target: str, keys: dict[str, Any], message: str
) -> None:
    found = first_problem(group, target, **keys)
    assert found is not None
    assert found.startswith(message)
    assert "\n" not in found


NAMES = st.sampled_from(["a", "b", "c", "d"])


@given(
    required=st.lists(NAMES, unique=True),
    optional=st.lists(NAMES, unique=True),
    keywords=st.booleans(),
    given_keys=st.lists(NAMES, unique=True),
)
def test_keys_have_no_problem_exactly_if_python_would_take_them(
    required: list[str], optional: list[str], keywords: bool, given_keys: list[str]
) -> None:
    optional = [name for name in optional if name not in required]
    parameters = [*required, *(f"{name}=0" for name in optional), *(["**others"] if keywords else [])]
    namespace: dict[str, Any] = {}
    exec(f"def function({', '.join(parameters)}): ...", namespace)
    global generated
    generated = namespace["function"]
    try:
        inspect.signature(generated).bind(**dict.fromkeys(given_keys, 1))
        fits = True
    except TypeError:
        fits = False
    assert (first_problem("data", "generated", **dict.fromkeys(given_keys, 1)) is None) == fits


generated: Any = None


def test_runtime_arguments_go_to_targets_that_name_them_or_take_any() -> None:
    assert accepted(vectors, ["vocabulary", "seed", "progress"]) == {"vocabulary", "seed"}
    assert accepted(Anything, ["vocabulary", "seed"]) == {"vocabulary", "seed"}
    assert accepted(no_parameters, ["vocabulary"]) == set()
    assert accepted(dict.fromkeys, ["vocabulary"]) in ({"vocabulary"}, set())  # a built-in function
