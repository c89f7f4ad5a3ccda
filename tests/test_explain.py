"""What a mistake in the words of the command line is turned into."""

from __future__ import annotations

import pytest

from sentexp.config import compose
from sentexp.errors import SentexpError
from sentexp.explain import mistakes_explained


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.hiden_size=3", r"model\.hiden_size=3: no such key; did you mean hidden_size\? \(there are .*"),
        ("model=lstmm", r"model=lstmm: not one of bag_of_words, gru, lstm, nb_ngrams; did you mean lstm\?"),
        ("modle=lstm", r"modle=lstm: no such key; did you mean model\? \(there are cache_dir, .*\)"),
        ("trainer=3", r"Config group override must be .* Got int: expected group=option"),
        ("model={", r"model=\{: not Hydra's override syntax; expected key=value, or model=\"'\.\.\.'\" around a text"),
        ("evaluation.metrics.a=b.c", r"evaluation\.metrics\.a=b\.c: no such key; expected \+evaluation\.metrics\.a=.*"),
        ("model.hidden_size=${oops}", r"model\.hidden_size: Interpolation key 'oops' not found"),
        ("~nothing", r".*'nothing' does not exist.*"),
        ("model.num_layers=1,2", r".*'model\.num_layers=1,2'.*"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_key_value_and_way_out(override: str, message: str) -> None:
    with pytest.raises(SentexpError, match=f"^{message}$"):
        compose(override)


def test_an_error_that_is_no_mistake_of_the_users_stays_as_it_is() -> None:
    with pytest.raises(ValueError, match="ours"), mistakes_explained(["model=lstm"]):
        raise ValueError("ours")
