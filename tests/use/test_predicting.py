from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from made_up_model import trained

from sentexp.data.columns import Columns
from sentexp.errors import SentexpError
from sentexp.use.predicting import SMALL_BYTES, Counts, _growing, predict_file, predictions, tokenizers_for

TEXTS = ["A good film", "bad", "", "xyzzy plugh", "not good at all"]


def run(source: Path, target: Path, processes: int = 0) -> tuple[Counts, list[str], list[int]]:
    problems: list[str] = []
    rows: list[int] = []
    model, columns = trained(), Columns()
    counts = predict_file(
        model, source, target, columns, processes=processes, on_bad=problems.append, on_rows=rows.append
    )
    return counts, problems, rows


def test_predictions_are_those_of_the_model_however_the_texts_are_cut() -> None:
    model = trained()
    exact = model.predict(TEXTS)
    for cut in ([TEXTS], [[text] for text in TEXTS], [TEXTS[:2], [], TEXTS[2:]]):
        found = [one for chunk in predictions(model, cut) for one in chunk]
        assert [one.probabilities["pos"] for one in found] == pytest.approx(exact[:, 1].tolist(), abs=1e-6)
        assert [one.label for one in found] == [model.labels[row] for row in exact.argmax(1).tolist()]


def test_the_share_of_known_words_is_told() -> None:
    (found,) = predictions(trained(), [TEXTS])
    assert [one.known_words for one in found] == pytest.approx([1, 1, 0, 0, 0.5])


@pytest.mark.parametrize("processes", [0, 1, 2])
def test_a_file_is_predicted_row_by_row_beside_its_own_columns(processes, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sentexp.use.tables.ROWS_PER_CHUNK", 2)
    source, target = tmp_path / "a.csv", tmp_path / "b.csv"
    pd.DataFrame({"n": range(5), "text": TEXTS}).to_csv(source, index=False)
    counts, problems, rows = run(source, target, processes)
    assert (counts, problems, rows) == (Counts(5, 0, 2), [], [2, 2, 1])
    table = pd.read_csv(target, keep_default_na=False)
    assert list(table) == ["n", "text", "label", "probability_neg", "probability_pos", "known_words"]
    assert table["text"].tolist() == TEXTS
    assert table["probability_pos"].tolist() == pytest.approx(trained().predict(TEXTS)[:, 1].tolist(), abs=1e-6)


@pytest.mark.parametrize(
    ("bytes", "cores", "processes"),
    [(SMALL_BYTES, 8, 0), (SMALL_BYTES + 1, 1, 0), (SMALL_BYTES + 1, 2, 1), (10**9, 4, 1), (10**9, 16, 4)],
)
def test_few_processes_tokenize_beside_the_model(bytes: int, cores: int, processes: int) -> None:
    assert tokenizers_for(bytes, cores) == processes


def test_a_row_without_a_text_keeps_its_place_without_a_prediction(tmp_path: Path) -> None:
    source, target = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    source.write_text('{"text": "good"}\n{"text": [1]}\n{"text": "bad"}\nnot json\n')
    counts, problems, _ = run(source, target)
    assert counts == Counts(3, 2, 0)
    assert [problem.partition(": ")[0] for problem in problems] == [f"{source}:2", f"{source}:4"]
    assert pd.read_json(target, lines=True)["label"].isna().tolist() == [False, True, False]


def test_columns_of_the_same_name_are_kept_beside_the_predicted_ones(tmp_path: Path) -> None:
    source, first, second = (tmp_path / name for name in ("a.csv", "b.csv", "c.csv"))
    source.write_text("text,label\ngood,pos\n")
    run(source, first)
    assert list(pd.read_csv(first))[:3] == ["text", "label", "predicted_label"]
    with pytest.raises(SentexpError, match=r"has the columns predicted_known_words, .* already"):
        run(first, second)


def test_a_file_without_rows_gives_one_without_rows(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text\n")
    assert run(tmp_path / "a.csv", tmp_path / "b.csv")[0] == Counts(0, 0, 0)
    assert (tmp_path / "b.csv").read_text() == ""


def test_the_first_chunks_are_small_and_all_texts_are_in_one() -> None:
    chunks = list(_growing(iter(map(str, range(10_000)))))
    assert list(map(len, chunks)) == [250, 500, 1000, 2000, 2000, 2000, 2000, 250]
    assert [text for chunk in chunks for text in chunk] == list(map(str, range(10_000)))
