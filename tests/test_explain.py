"""What a mistake in the words of the command line is turned into."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf.errors import ConfigKeyError

from sentexp.config import compose
from sentexp.errors import SentexpError
from sentexp.explain import explain, mistakes_explained, only_in_a_sweep, with_m


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
        ("model.num_layers=1,2", r"model\.num_layers=1,2: .* add -m: sentexp -m model\.num_layers=1,2"),
        ("model=lstm,gru", r"model=lstm,gru: several values; to run each, add -m: sentexp -m model=lstm,gru"),
        ("seed=choice(1,2)", r"seed=choice\(1,2\): several values; .* add -m: sentexp -m 'seed=choice\(1,2\)'"),
        ("epochs=3", r"epochs=3: no such key; did you mean trainer\.epochs=3\?"),
        ("+epochs=3", r"epochs=3: no such key; did you mean trainer\.epochs=3\?"),
        ("epoch=3", r"epoch=3: no such key; did you mean trainer\.epochs=3\?"),
        ("lr=0.1", r"lr=0\.1: no such key; did you mean optimizer\.lr=0\.1\?"),
        ("model.lr=0.1", r"model\.lr=0\.1: no such key; did you mean optimizer\.lr=0\.1\?"),
        ("hidden_size=64", r"hidden_size=64: no such key; did you mean model\.hidden_size=64\?"),
        (
            "path=a.csv",
            r"path=a\.csv: no such key; did you mean data\.path=a\.csv \(with data=files, hub, imdb or "
            r"imdb_unlabelled\) or tokenizer\.path=.* or "
            r"embedding\.path=a\.csv \(with embedding=fasttext, glove or word2vec\)\?",
        ),
        ("momentum=0.9", r"momentum=0\.9: .* mean optimizer\.momentum=0\.9 \(with optimizer=rmsprop or sgd\)\?"),
        ("optimizer.momentun=0.9", r"optimizer\.momentun=0\.9: .* optimizer\.momentum=0\.9 \(with optimizer=.*\)\?"),
        (
            "optimizer.momentum=3",
            r"optimizer\.momentum=3: no such key; expected optimizer=rmsprop or sgd beside it \(there are betas, .*\)",
        ),
        ("+optimizer.momentum=3", r"optimizer\.momentum=3: .*; expected optimizer=rmsprop or sgd beside it .*"),
        ("embedding.path=a", r"embedding\.path=a: .*; expected embedding=fasttext, glove or word2vec beside it .*"),
        ("trainer.epochs", r"trainer\.epochs: no value; expected trainer\.epochs=\.\.\..*"),
        ("tracking.run_name=it's", r".*, or 'tracking\.run_name=\"it'\"'\"'s\"' around a text"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_that_names_key_value_and_way_out(override: str, message: str) -> None:
    with pytest.raises(SentexpError, match=f"^{message}$"):
        compose(override)


@pytest.mark.parametrize(
    "override",
    ["sweep=lstm", "sweep.seeds=3", "+sweep.space.seed='choice(1,2)'", "hydra/launcher=pool", "hydra.sweep.dir=here"],
)
def test_what_only_a_sweep_reads_is_refused_in_a_single_run_with_the_command_that_reads_it(override: str) -> None:
    refusal = only_in_a_sweep(["seed=1", override], ["seed=1", override])
    assert refusal == f"{override}: a single run does not read it; for a sweep, add -m: {with_m(['seed=1', override])}"
    assert only_in_a_sweep(["seed=1", "hydra.run.dir=here", "experiment=imdb"], []) is None


def test_an_error_that_is_no_mistake_of_the_users_stays_as_it_is() -> None:
    with pytest.raises(ValueError, match="ours"), mistakes_explained(["model=lstm"]):
        raise ValueError("ours")


def test_a_key_that_the_chosen_option_lacks_is_refused_with_those_that_have_it() -> None:
    with pytest.raises(
        SentexpError, match=r"^model\.hidden_size=16: no such key; expected model=gru or lstm beside it"
    ):
        compose("model.hidden_size=16", "model=bag_of_words")
    with pytest.raises(SentexpError, match=r"^momentum=0\.9: no such key; did you mean optimizer\.momentum=0\.9\?$"):
        compose("momentum=0.9", "optimizer=sgd")


def test_an_option_of_the_users_own_has_keys_too(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("defaults: [lstm]\nwidth: 3\n")
    with pytest.raises(SentexpError, match=r"^model\.width=4: no such key; expected model=mine beside it"):
        compose(f"hydra.searchpath=[file://{tmp_path}]", "model.width=4")
    with pytest.raises(SentexpError, match=r"expected model=gru, lstm or mine beside it"):
        compose(f"hydra.searchpath=[file://{tmp_path}]", "model.cell=gru", "model=bag_of_words")


@pytest.mark.parametrize(
    ("arguments", "end"),
    [
        (
            ["model=lstm,bag_of_words", "model.hidden_size=16,32"],
            "model=bag_of_words; to leave it out there: 'model.hidden_size=tag(lstm,choice(16,32))'",
        ),
        (
            ["model=choice(nb_ngrams,gru,bag_of_words,lstm)", "model.hidden_size=16"],
            "model=nb_ngrams or bag_of_words; to leave it out there: 'model.hidden_size=tag(gru,lstm,choice(16))'",
        ),
        (
            ["model=lstm,bag_of_words", "model.hidden_size=tag(log,int(interval(4,9)))"],
            "model=bag_of_words; to leave it out there: 'model.hidden_size=tag(lstm,log,int(interval(4,9)))'",
        ),
        (
            ["model=lstm,bag_of_words", "model.hidden_size=tag(lstm,bag_of_words,range(4,9))"],
            "model=bag_of_words; to leave it out there: 'model.hidden_size=tag(lstm,range(4,9))'",
        ),
    ],
)
def test_a_key_that_some_options_of_a_sweep_lack_is_refused_with_the_mark_to_leave_it_out(
    arguments: list[str], end: str
) -> None:
    error = ConfigCompositionException("could not override")
    error.__cause__ = ConfigKeyError("no such key")
    error.__cause__.full_key, error.__cause__.parent_node = "model.hidden_size", None
    assert explain(error, arguments) == f"{arguments[1]}: no such key with {end}"


def test_there_is_no_mark_for_values_that_hydra_has_no_tag_for() -> None:
    error = ConfigCompositionException("could not override")
    error.__cause__ = ConfigKeyError("no such key")
    error.__cause__.full_key, error.__cause__.parent_node = "embedding.thaw_after", None
    said = explain(error, ["embedding=glove,random", "embedding.thaw_after=null,2"])
    assert said.startswith(
        "embedding.thaw_after=null,2: no such key; expected embedding=fasttext, glove, ppmi_svd or word2vec "
    )
