"""The model as MLflow loads it. MLflow runs this file by itself: it is the `python_model` of `logged_model`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class SentimentModel(PythonModel):
    def load_context(self, context: PythonModelContext) -> None:
        from sentexp.trained_model import TrainedModel

        self._trained = TrainedModel.load(Path(context.artifacts["model"]))

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """A row for each review: label, the likeliest, and probability_<label> for each label."""
        trained = self._trained
        probabilities = trained.predict(list(model_input["text"])).numpy()  # [N, C]
        table = pd.DataFrame(probabilities, columns=[f"probability_{label}" for label in trained.labels])
        table.insert(0, "label", [trained.labels[row] for row in probabilities.argmax(1)])
        return table


set_model(SentimentModel())
