from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pandas as pd
import pytest
from made_up_model import BAG_OF_WORDS, trained
from rich.console import Console

from sentexp.trained_model import TrainedModel
from sentexp.use.comparing import Comparison, compare
from sentexp.use.comparison_report import MOST_ON_PAGE, comparison_page, print_comparison, write_comparison
from sentexp.use.judging import load_reviews


@pytest.fixture
def compared(config) -> Comparison:
    own = config(reviews=200)
    opposite = TrainedModel(trained().pipeline, trained().model, ["pos", "neg"], trained().config)
    models = [("model=lstm", "a" * 32, trained()), ("./folder", None, trained(BAG_OF_WORDS)), ("<i>", None, opposite)]
    return compare(models, load_reviews(own, ["test"]), own)


def printed(compared: Comparison) -> str:
    output = io.StringIO()
    print_comparison(compared, Console(file=output, width=80))
    return output.getvalue()


def test_the_terminal_shows_models_parameters_metrics_and_tests_in_80_columns(compared: Comparison) -> None:
    text = printed(compared)
    assert max(map(len, text.splitlines())) <= 80
    for word in ("aaaaaaaa", "folder", "model.hidden_size", "A C: 6; B: -", "95 % interval", "McNemar p", "Bonferroni"):
        assert word in text
    assert f"{len(compared.disagreements)} reviews on which they disagree" in text
    assert text.count("\ntrue ") == 5


def test_one_test_needs_no_word_about_several_and_what_does_not_differ_is_said(compared: Comparison) -> None:
    two = dataclasses.replace(
        compared,
        contestants=compared.contestants[::2],
        tests=compared.tests[1:],
        parameters=compared.parameters[:0],
        disagreements=compared.disagreements[:0],
        notes=["C: seen"],
    )
    text = printed(two)
    assert "Bonferroni" not in text
    assert "no parameter differs" in text
    assert "\n0 reviews on which they disagree\n" in text
    assert "C: seen" in text
    page = comparison_page(two)
    assert "no parameter differs" in page
    assert "C: seen" in page


def test_transductive_models_stand_in_a_table_of_their_own(compared: Comparison, tmp_path: Path) -> None:
    a, b, c = compared.contestants
    apart = dataclasses.replace(compared, contestants=[a, dataclasses.replace(b, transductive=True), c])
    text, page = printed(apart), comparison_page(apart)
    assert max(map(len, text.splitlines())) <= 80
    inductive, transductive = text.index("\ninductive\n"), text.index("\n* transductive")
    rows = [
        text.index(f"\n{letter} ", start)
        for letter, start in (("A", inductive), ("C", inductive), ("B*", transductive))
    ]
    assert inductive < rows[0] < rows[1] < transductive < rows[2]
    assert text.count("B* ") == 3  # among the models, the metrics and the tests
    section = page[page.index("<h2>Metrics") : page.index("<h2>Differences")]
    assert section.count("<table>") == 2
    assert section.index("<td>C</td>") < section.index("<p>* transductive") < section.index("<td>B*</td>")
    write_comparison(apart, tmp_path)
    for name, expected in {"metrics": {"A": False, "B": True, "C": False}, "tests": {"B": True, "C": False}}.items():
        table = pd.read_csv(tmp_path / f"{name}.csv")
        assert table.groupby("run")["transductive"].first().to_dict() == expected
    assert "* transductive" not in printed(compared) + comparison_page(compared)


def test_the_tables_hold_what_is_printed(compared: Comparison, tmp_path: Path) -> None:
    write_comparison(compared, tmp_path)
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    assert len(metrics) == 3 * 6
    assert set(metrics["run"]) == {"A", "B", "C"}
    tests = pd.read_csv(tmp_path / "tests.csv")
    assert list(tests.columns)[:3] == ["run", "metric", "difference to A"]
    one = tests[(tests["run"] == "C") & (tests["metric"] == "accuracy")].iloc[0]
    assert one["McNemar p of accuracy"] == pytest.approx(compared.tests[1].p, rel=1e-4)
    assert pd.read_csv(tmp_path / "parameters.csv")["parameter"].tolist() == compared.parameters["parameter"].tolist()
    assert pd.read_csv(tmp_path / "disagreements.csv")["text"].tolist() == compared.disagreements["text"].tolist()
    page = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert "src=" not in page


def test_reviews_and_names_cannot_put_anything_into_the_page(compared: Comparison) -> None:
    nasty = "<script>alert(1)</script>"
    page = comparison_page(dataclasses.replace(compared, disagreements=compared.disagreements.assign(text=nasty)))
    assert nasty not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == len(compared.disagreements)
    assert "<i>" not in page


def test_the_page_shows_the_first_of_many_disagreements_and_says_so(compared: Comparison) -> None:
    many = pd.concat([compared.disagreements] * 8, ignore_index=True)
    page = comparison_page(dataclasses.replace(compared, disagreements=many))
    assert page.count("not bad") + page.count("a good film") == MOST_ON_PAGE
    assert f"the {MOST_ON_PAGE} first, disagreements.csv has all" in page
