"""A trained model as an MLflow model that loads anywhere, without pickle.

It is a "model from code": MLflow keeps pyfunc_model.py, a copy of this package, the user's own modules and the folder
of the trained model. The loaded model's `predict` takes a DataFrame with a column text and returns one with the same
index, and the columns label and probability_<label> for each label. MLflow's evaluation of classifiers takes one column
alone, which a model loaded without its probabilities returns:

    mlflow.models.evaluate(
        "runs:/RUN_ID/model", frame, targets="label", model_type="classifier", model_config={"probabilities": False}
    )
"""

from __future__ import annotations

import importlib.util
import logging
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sentexp
from sentexp.machine.temporary import temporary_folder
from sentexp.model_folder import LABELS, read_config, read_configs, read_labels

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, LoggedModelOutput, Run
    from mlflow.models import ModelSignature

FOLDER = "artifacts/model"
"""Where the folder of the trained model lies in an MLflow model: `artifacts` and the name that `log_model` is given."""

TYPE, LANGUAGE_MODEL = "sentexp", "sentexp language model"
"""MLflow's types of the models, by which they are told from those of other programs: what predicts labels, and what
only starts a classifier."""

NAME = "model"
"""Name of the model in its run: runs:/RUN_ID/model."""

REQUIREMENTS = (
    "torch", "numpy", "pandas", "pyarrow", "PyYAML", "hydra-core", "omegaconf", "filelock", "spacy",
    "spacy-lookups-data", "xxhash",
)  # fmt: skip
"""Distributions that loading and predicting import. Listed here because MLflow would take ten seconds to find them."""

NOT_OWN = {"sentexp", "__main__", *sys.stdlib_module_names}
"""Modules that are there wherever the model is loaded, and that of a notebook, which has no file."""

INSTALLED = {"site-packages", "dist-packages"}
"""Folders of installed modules."""

EXAMPLE = "A film that could have been dull, and is not."
"""Example of an input, shown in MLflow's pages."""


def log_model(client: MlflowClient, experiment_id: str, run_id: str, params: Mapping[str, str], folder: Path) -> str:
    """Record the folder of a trained model or an ensemble as the model of a run, and return its URI, models:/ID.

    A client does it, as mlflow.pyfunc.log_model needs the tracking URI and the active run of the process to be set.
    Of a language model, which predicts no labels, MLflow keeps the folder alone.
    """
    from mlflow.entities import LoggedModelOutput

    from sentexp.trained_model import is_language_model  # with PyTorch, for which a store need not wait

    kind = LANGUAGE_MODEL if is_language_model(read_config(folder)) else TYPE
    logged = client.create_logged_model(
        experiment_id, name=NAME, source_run_id=run_id, params=dict(params), model_type=kind
    )
    try:
        with temporary_folder() as scratch, _quiet():
            path = scratch / NAME
            if kind == LANGUAGE_MODEL:
                shutil.copytree(folder, path / FOLDER)
            else:
                _save_pyfunc(path, folder, logged, run_id)
            client.log_model_artifacts(logged.model_id, str(path))
    except BaseException:
        client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    client.finalize_logged_model(logged.model_id, "READY")
    step = len(_outputs(client.get_run(run_id)))
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=step)])
    return f"models:/{logged.model_id}"


def _save_pyfunc(path: Path, folder: Path, logged: LoggedModel, run_id: str) -> None:
    """Write the folder of a trained model or an ensemble to `path` as the MLflow model `logged`."""
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import Model

    code = dict.fromkeys(path for config in read_configs(folder) for path in user_code(config))
    mlflow.pyfunc.save_model(
        path=str(path),
        mlflow_model=Model(
            artifact_path=logged.artifact_location, run_id=run_id, model_id=logged.model_id, model_uuid=logged.model_id
        ),
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"model": folder.absolute().as_uri()},  # of a plain path MLflow would decode the %41
        code_paths=[str(Path(sentexp.__file__).parent), *map(str, code)],
        pip_requirements=requirements(),
        signature=signature(read_labels(folder / LABELS)),
        model_config={"probabilities": True},
        input_example=pd.DataFrame({"text": [EXAMPLE]}),
    )


def newest_model(run: Run) -> str | None:
    """Return the id of the model that a run has recorded last, as one that goes on longer records another."""
    last = max(_outputs(run), key=lambda output: output.step, default=None)
    return None if last is None else last.model_id


def _outputs(run: Run) -> list[LoggedModelOutput]:
    return run.outputs.model_outputs if run.outputs is not None else []


def register(client: MlflowClient, uri: str, name: str, model_id: str, run_id: str) -> None:
    """Add a recorded model as the next version of the registered model `NAME` or `NAME@ALIAS`, and point the alias,
    which is ALIAS or else `newest`, to it. A model of this run that is there already gets the alias alone. The store at
    `uri` is the registry as well."""
    import mlflow
    from mlflow.exceptions import MlflowException

    name, _, alias = name.partition("@")
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for known in client.search_model_versions(f"name = '{name}'"):
        if known.run_id == run_id:
            client.set_registered_model_alias(name, alias or "newest", known.version)
            return
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)  # a client looks the model up there, whatever its own address is
    try:
        version = client.create_model_version(name, f"models:/{model_id}", run_id=run_id, model_id=model_id)
    finally:
        mlflow.set_tracking_uri(before)
    client.set_registered_model_alias(name, alias or "newest", version.version)


def signature(labels: list[str]) -> ModelSignature:
    """Return the columns that the model takes and returns."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import AnyType

    probabilities = [ColSpec(DataType.float, f"probability_{label}") for label in labels]
    return ModelSignature(
        # why not string: MLflow would refuse a column that is all null, and not say which row holds a number
        inputs=Schema([ColSpec(AnyType(), "text")]),
        outputs=Schema([ColSpec(DataType.string, "label"), *probabilities]),
    )


def requirements() -> list[str]:
    """Return REQUIREMENTS with the installed versions, without suffixes such as +cpu, which pip's index lacks."""
    found = []
    for name in REQUIREMENTS:
        try:
            found.append(f"{name}=={version(name).partition('+')[0]}")
        except PackageNotFoundError:
            continue  # an extra that is not installed, so the model does not use it
    return found


def user_code(config: Mapping[str, Any]) -> list[Path]:
    """Return the user's own modules that loading the model imports: of its tokenizer, embedding and model.

    Each is the file of a module or the folder of a package; they are recorded with the model. Installed modules are
    left out.
    """
    paths = [path for group in ("tokenizer", "embedding", "model") for path in _targets(config.get(group))]
    paths.append(str(config.get("tokenizer", {}).get("path", "")))  # the function of tokenizer=callable
    modules = dict.fromkeys(path.split(".")[0] for path in paths)
    return [code for module in modules if module not in NOT_OWN for code in _code_of(module)]


def _targets(node: Any) -> Iterator[str]:
    """Yield each `_target_` in a section, however deep it stands."""
    if isinstance(node, Mapping):
        yield from [str(node["_target_"])] if "_target_" in node else []
        yield from _targets(list(node.values()))
    elif isinstance(node, list):
        for inner in node:
            yield from _targets(inner)


def _code_of(module: str) -> list[Path]:
    """Return the file or the folders of a top-level module; none if it is installed, or not a module."""
    spec = importlib.util.find_spec(module) if module.isidentifier() else None
    if spec is None:
        return []
    if spec.submodule_search_locations:  # a package, with or without __init__.py
        found = [Path(folder) for folder in spec.submodule_search_locations]
    else:
        found = [Path(spec.origin)] if spec.has_location and spec.origin else []
    return [code for code in found if not INSTALLED & set(code.parts)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence MLflow's hints on other ways to log a model."""
    logger = logging.getLogger("mlflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
