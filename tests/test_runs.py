from __future__ import annotations

from pathlib import Path
from urllib.request import url2pathname

import pytest
from made_up_model import trained
from mlflow import MlflowClient

from sentexp.errors import SentexpError
from sentexp.runs import find_run
from sentexp.tracking.logged_model import register
from sentexp.tracking.store import open_store
from sentexp.trained_model import TrainedModel


class Recorded:
    """A store with runs and their models."""

    def __init__(self, folder: Path) -> None:
        self.uri = f"sqlite:///{folder}/mlflow.db"
        self.experiments = {name: open_store(self.uri, name).experiment_id for name in ("films", "books")}
        self.client = MlflowClient(self.uri)
        self.ids: dict[str, str] = {}

    def add(
        self,
        name: str,
        experiment: str = "films",
        *,
        model: bool = True,
        kind: str = "sentexp",
        ended: str = "FINISHED",
        **metrics: float,
    ) -> str:
        number = self.experiments[experiment]
        run_id = self.client.create_run(number, run_name=name, start_time=1000 + len(self.ids)).info.run_id
        for metric, value in metrics.items():
            self.client.log_metric(run_id, metric.replace("__", "/"), value)
        if model:
            from mlflow.entities import LoggedModelOutput

            logged = self.client.create_logged_model(number, name="model", source_run_id=run_id, model_type=kind)
            folder = Path(url2pathname(logged.artifact_location.removeprefix("file://"))) / "artifacts" / "model"
            trained().save(folder)
            self.client.finalize_logged_model(logged.model_id, "READY")
            self.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
            self.model_id = logged.model_id if kind == "sentexp" else self.model_id
        self.client.set_terminated(run_id, ended)
        self.ids[name] = run_id
        return run_id


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    recorded = Recorded(tmp_path_factory.mktemp("a store"))
    recorded.add("small", best__valid_accuracy=0.8, valid__loss=0.5)
    recorded.add("twice", best__valid_accuracy=0.7, valid__loss=0.4)
    recorded.first_of_two = recorded.ids["twice"]
    recorded.add("twice", best__valid_accuracy=0.6)
    recorded.add("book", "books", best__valid_accuracy=0.9)
    recorded.add("killed", ended="KILLED", model=False, best__valid_accuracy=0.99)
    recorded.add("sweep", model=False, best__valid_accuracy=1.0)
    recorded.add("newest", valid__loss=0.6)
    recorded.add("of another program", kind="", valid__loss=0.1)
    return recorded


def name_of(recorded: Recorded, run: str, **options: str) -> str:
    found = find_run(run, tracking_uri=recorded.uri, **options)
    assert TrainedModel.load(found.folder).labels == ["neg", "pos"]
    return found.name


def test_a_run_is_found_by_what_people_call_it(recorded: Recorded) -> None:
    for run in ("small", recorded.ids["small"], recorded.ids["small"][:12], f"runs:/{recorded.ids['small']}/model"):
        assert name_of(recorded, run) == "small"
    assert name_of(recorded, f"models:/{recorded.model_id}") == "newest"
    assert name_of(recorded, "latest") == "newest"
    assert name_of(recorded, "latest", experiment="books") == "book"


def test_the_best_run_has_a_model_and_the_lowest_loss_or_the_highest_of_other_metrics(recorded: Recorded) -> None:
    assert name_of(recorded, "best") == "book"
    assert name_of(recorded, "best", experiment="films") == "small"
    assert find_run("best", tracking_uri=recorded.uri, metric="valid/loss").recorded.run_id == recorded.first_of_two
    with pytest.raises(SentexpError, match=r"no finished run with a model has the metric test/nothing"):
        find_run("best", tracking_uri=recorded.uri, metric="test/nothing")


def test_a_registered_model_is_found_by_alias_and_version(recorded: Recorded) -> None:
    register(recorded.client, recorded.uri, "film judge@champion", recorded.model_id, recorded.ids["newest"])
    for uri in ("models:/film judge@champion", "models:/film judge/1"):
        assert name_of(recorded, uri) == "newest"


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("twice", ["2 runs", "twice (films"]),
        ("nothing", ["no such run or folder", "newest (films"]),
        ("killed", ["killed (films", "KILLED", "has recorded no model"]),
        ("models:/nothing@champion", ["models:/nothing@champion: not found"]),
        ("runs:/0123456789abcdef0123456789abcdef/model", ["not found"]),
        ("./nowhere", ["nowhere: no such folder"]),
    ],
)
def test_what_is_ambiguous_or_missing_is_told_with_the_candidates(
    recorded: Recorded, run: str, words: list[str]
) -> None:
    with pytest.raises(SentexpError) as refused:
        find_run(run, tracking_uri=recorded.uri)
    for word in words:
        assert word in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_experiment_or_a_store_that_is_not_there_is_told_and_not_made(recorded: Recorded, tmp_path: Path) -> None:
    with pytest.raises(SentexpError, match=r"flms: no such experiment in .*; did you mean films"):
        find_run("latest", tracking_uri=recorded.uri, experiment="flms")
    with pytest.raises(SentexpError, match="there are no runs"):
        find_run("latest", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_a_model_or_holds_one(tmp_path: Path) -> None:
    trained().save(tmp_path / "output" / "model")
    for folder in (tmp_path / "output", tmp_path / "output" / "model"):
        assert find_run(str(folder)).folder == tmp_path / "output" / "model"
    with pytest.raises(SentexpError, match="no trained model"):
        find_run(str(tmp_path))
