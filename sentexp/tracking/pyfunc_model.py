"""The model as MLflow loads it. MLflow executes this file on its own, as the `python_model` of `logged_model`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class SentimentModel(PythonModel):
    """A TrainedModel from the artifact `model`."""

    def load_context(self, context: PythonModelContext) -> None:
        from sentexp.trained_model import TrainedModel

        self._trained = TrainedModel.load(Path(context.artifacts["model"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return one row per review: the likeliest label, and probability_<label> for each label."""
        trained = self._trained
        probabilities = trained.predict(list(model_input["text"])).numpy()  # [N, C]
        table = pd.DataFrame(probabilities, columns=[f"probability_{label}" for label in trained.labels])
        table.insert(0, "label", [trained.labels[row] for row in probabilities.argmax(1)])
        return table


set_model(SentimentModel())
