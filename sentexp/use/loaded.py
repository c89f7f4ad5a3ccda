"""A trained model and the run that it came from, as a notebook uses them: `sentexp.load`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from sentexp.errors import SentexpError
from sentexp.lines import printable
from sentexp.report.notebook import notebook_table
from sentexp.runs import METRIC, FoundRun, find_run
from sentexp.trained_ensemble import Predictor, load_predictor

if TYPE_CHECKING:
    import pandas as pd

    from sentexp.data.reviews import Reviews
    from sentexp.use.evaluating import Evaluation
    from sentexp.use.explanation import Explanation

# Shapes: N texts, C classes

NO_DATA = "data=demo"
"""Stands for the data where reviews are in hand: a configuration has some, and none are loaded from there."""


def load(
    run: str | Path,
    *,
    tracking_uri: str | None = None,
    experiment: str | None = None,
    metric: str = METRIC,
    device: str = "cpu",
    trust: bool = False,
) -> LoadedModel:
    """Load a trained model, ready to predict on `device`; `run` is a folder or what `find_run` takes.

    >>> from sentexp import compose, load, run
    >>> result = run(compose("data.size=200", "trainer.epochs=1", "tracking=none"))
    >>> model = load(result.model_folder)
    >>> model.predict(["a good film"]).shape  # probabilities [N, C]
    torch.Size([1, 2])
    >>> model.evaluate().metrics["test/accuracy"].value == result.metrics["test/accuracy"]
    True
    >>> [token.text for token in model.explain("not bad at all").tokens]
    ['not', 'bad', 'at', 'all']

    Raises SentexpError as `find_run` and `TrainedModel.load` do; see there for `trust`.
    """
    found = find_run(str(run), tracking_uri=tracking_uri, experiment=experiment, metric=metric)
    return LoadedModel(load_predictor(found.folder, device, trust=trust), found)


@dataclass(frozen=True)
class LoadedModel:
    """A trained model after its run. `load` makes it; the commands of the same names do the same."""

    trained: Predictor
    """The model itself: its pipeline, its torch module, its configuration; or an ensemble of several."""
    run: FoundRun
    """Where it was found."""

    @property
    def labels(self) -> list[str]:
        """Name of each class."""
        return self.trained.labels

    def predict(self, texts: Sequence[str | None]) -> Tensor:
        """Return the probability of each class, float32 [N, C]; see `TrainedModel.predict`."""
        return self.trained.predict(texts)

    def evaluate(
        self,
        *overrides: str,
        reviews: Reviews | pd.DataFrame | None = None,
        config_dir: Path | str | None = None,
        threshold_for: str = "accuracy",
    ) -> Evaluation:
        """Judge the model on the test reviews of its own run, of other data, or on reviews in hand.

            model.evaluate()
            model.evaluate("data=files", "data.path=new.csv", "data.label_map={1: negative, 5: positive}")
            model.evaluate(reviews=pandas.DataFrame({"text": ["not bad"], "label": ["positive"]}))

        The figures are those of `sentexp evaluate`, which takes the same overrides; nothing is recorded or written.
        `reviews` is a table with the columns text and label, of which every row is judged, or what a data source
        returns, of which the split test is. `config_dir` and `threshold_for` are as on the command line.

        Raises SentexpError for overrides, labels or texts that do not fit.
        """
        from sentexp import messages  # datasets and scikit-learn, for which predictions need not wait
        from sentexp.data.reviews import Reviews
        from sentexp.schema import THRESHOLD_METRICS
        from sentexp.use.evaluating import evaluate
        from sentexp.use.judging import load_reviews, part_of, reviews_in_hand
        from sentexp.use.recorded_config import composed_over

        if threshold_for not in THRESHOLD_METRICS:
            raise SentexpError(f"threshold_for={threshold_for}: expected one of {', '.join(THRESHOLD_METRICS)}")
        of_data = [word for word in overrides if word.lstrip("+").startswith("data")]
        if reviews is not None and of_data:
            raise SentexpError(f"{of_data[0]}: expected no keys of data beside reviews=...")
        words = overrides if reviews is None else (NO_DATA, *overrides)
        folder = None if config_dir is None else Path(config_dir)
        config = composed_over(self.trained.config, words, folder, trust=self.trained.trusted)
        with messages.shown():
            if reviews is None:
                reviews = load_reviews(config)
            else:
                config = dataclasses.replace(config, data=None)
                reviews = part_of(reviews) if isinstance(reviews, Reviews) else reviews_in_hand(reviews, self.labels)
            return evaluate(self.trained, reviews, config, threshold_for)

    def explain(self, text: str, label: str | None = None) -> Explanation:
        """Tell what each token contributes to the logit of `label`; see `sentexp.use.explaining.explain`.

        Needs the extra `explain`; takes no ensemble. A notebook shows the result as the text in colours.
        """
        from sentexp.use.explaining import explain  # matplotlib's colours, for which predictions need not wait

        return explain(self.trained, text, label)

    def __repr__(self) -> str:
        return f"LoadedModel({printable(', '.join([self.run.name, *(f'{k} {v}' for k, v in self._facts())]))})"

    def _repr_html_(self) -> str:
        where = str(self.run.recorded) if self.run.recorded is not None else str(self.run.folder)
        return notebook_table(f"Model of {self.run.name}", self._facts(), [where])

    def _facts(self) -> list[tuple[str, str]]:
        from sentexp.data.labels import shortened

        return [*self.trained.facts(), ("labels", shortened(self.labels))]
