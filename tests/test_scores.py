from __future__ import annotations

import pytest

from sentexp.errors import SentexpError
from sentexp.scores import f1_of, positive_class


@pytest.mark.parametrize(
    ("given", "labels", "place"), [("True", ["false", "true"], 1), ("1.0", ["0", "1"], 1), ("a", ["a", "b"], 0)]
)
def test_the_positive_label_is_named_as_the_data_or_yaml_has_it(given: str, labels: list[str], place: int) -> None:
    assert positive_class(given, labels) == place


def test_without_a_name_the_last_label_is_positive_and_a_wrong_one_is_refused() -> None:
    assert positive_class(None, ["a", "b"]) == 1
    with pytest.raises(SentexpError, match=r"evaluation\.positive=pso: not one of neg, pos; did you mean pos\?"):
        positive_class("pso", ["neg", "pos"])
    with pytest.raises(SentexpError, match=r"evaluation\.positive=b: expected null, since there are 3 labels"):
        positive_class("b", ["a", "b", "c"])


def test_it_is_said_whose_f1_is_meant() -> None:
    assert f1_of(["neg", "pos"], 0) == "neg"
    assert f1_of(["a", "b", "c"], 2) == "mean of 3 labels"
