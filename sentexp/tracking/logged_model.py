"""A trained model as an MLflow model that loads anywhere, with pickle switched off.

It is a pyfunc made from code: the file of the model class, this package beside it, and the trained folder. Loading
gives `predict(DataFrame with a column text) -> DataFrame with label and probability_<label> for each label`.
"""

from __future__ import annotations

import importlib.util
import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

import sentexp

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

NAME = "model"

REQUIREMENTS = (
    "torch", "numpy", "pandas", "hydra-core", "omegaconf", "filelock", "datasets", "spacy", "spacy-lookups-data",
)  # fmt: skip
"""What loading and predicting import; given to MLflow because finding it out takes it ten seconds."""

EXAMPLE = "A film that could have been dull, and is not."


def log_model(client: MlflowClient, experiment_id: str, run_id: str, params: Mapping[str, str], folder: Path) -> str:
    """Logs the folder that TrainedModel.save wrote as the model of a run; returns its URI, models:/ID.

    Done by the client and not by mlflow.pyfunc.log_model, which needs the process's tracking URI and active run set.
    """
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model

    from sentexp.trained_model import CONFIG, LABELS, read_labels

    labels = read_labels(folder / LABELS)
    config = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
    logged = client.create_logged_model(
        experiment_id, name=NAME, source_run_id=run_id, params=dict(params), model_type="sentexp"
    )
    try:
        with tempfile.TemporaryDirectory() as scratch, _quiet():
            path = Path(scratch) / NAME
            mlflow.pyfunc.save_model(
                path=str(path),
                mlflow_model=Model(
                    artifact_path=logged.artifact_location, run_id=run_id, model_id=logged.model_id,
                    model_uuid=logged.model_id,
                ),
                python_model=str(Path(__file__).with_name("pyfunc_model.py")),
                artifacts={"model": str(folder)},
                code_paths=[str(Path(sentexp.__file__).parent), *map(str, user_code(config))],
                pip_requirements=requirements(),
                signature=signature(labels),
                input_example=pd.DataFrame({"text": [EXAMPLE]}),
            )  # fmt: skip
            client.log_model_artifacts(logged.model_id, str(path))
    except BaseException:
        client.finalize_logged_model(logged.model_id, "FAILED")
        raise
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return f"models:/{logged.model_id}"


def signature(labels: list[str]) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    probabilities = [ColSpec(DataType.float, f"probability_{label}") for label in labels]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "text")]),
        outputs=Schema([ColSpec(DataType.string, "label"), *probabilities]),
    )


def requirements() -> list[str]:
    """The installed versions, as pip takes them from its index (a build such as 2.13.0+cpu is not there)."""
    found = []
    for name in REQUIREMENTS:
        try:
            found.append(f"{name}=={version(name).partition('+')[0]}")
        except PackageNotFoundError:
            continue  # an extra that is not installed is not used either
    return found


def user_code(config: Mapping[str, Any]) -> list[Path]:
    """Modules of the user's own that the model is built from (a tokenizer by dotted path, a model class).

    They go with the model; those installed as packages are left out.
    """
    tokenizer, model = config.get("tokenizer", {}), config.get("model", {})
    found = []
    for dotted in (tokenizer.get("path"), tokenizer.get("_target_"), model.get("_target_")):
        top = str(dotted or "").split(".")[0]
        spec = importlib.util.find_spec(top) if top and top != "sentexp" else None
        if spec is None or spec.origin in (None, "built-in", "frozen"):
            continue
        origin = Path(str(spec.origin))
        code = origin.parent if spec.submodule_search_locations else origin
        if not {"site-packages", "dist-packages"} & set(code.parts) and "lib-dynload" not in code.parts:
            found.append(code)
    return list(dict.fromkeys(found))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's hints on how a model could be logged otherwise."""
    logger = logging.getLogger("mlflow")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
