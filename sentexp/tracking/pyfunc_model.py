"""The model as MLflow loads it. MLflow executes this file on its own, as the `python_model` of `logged_model`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext


class SentimentModel(PythonModel):
    """A trained model or an ensemble from the artifact `model`."""

    def load_context(self, context: PythonModelContext) -> None:
        from sentexp.trained_ensemble import load_predictor

        # whoever loads an MLflow model runs the code that came with it, such as this file
        self._trained = load_predictor(Path(context.artifacts["model"]), trust=True)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame | pd.Series:
        """Return one row per review, with its index: the likeliest label, and probability_<label> for each label.

        With the model_config {"probabilities": False} only the labels, as a series. Raises MlflowException for the
        first value that is no text: a server answers it with status 400 and the reason.
        """
        from sentexp.errors import SentexpError
        from sentexp.trained_model import as_texts

        trained, column = self._trained, model_input["text"]
        if len(column) == 1 and isinstance(column.iloc[0], (list, np.ndarray)):  # MLflow's view of {"text": [...]}
            column = pd.Series(list(column.iloc[0]), dtype=object)
        try:
            texts = as_texts(column, column.index)
        except SentexpError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error
        probabilities = trained.predict(texts).numpy()  # [N, C]
        labels = pd.Series([trained.labels[row] for row in probabilities.argmax(1)], column.index, name="label")
        if not context.model_config.get("probabilities", True):
            return labels
        names = [f"probability_{label}" for label in trained.labels]
        table = pd.DataFrame(probabilities, columns=names, index=column.index)
        table.insert(0, "label", labels)
        return table


set_model(SentimentModel())
