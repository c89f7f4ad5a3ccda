"""What the command line prints and how it exits. Each test starts the program as a user does."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sentexp.cli.commands import COMMANDS
from sentexp.config import compose
from sentexp.errors import SentexpError

HEAVY = "{'torch', 'mlflow', 'datasets', 'spacy', 'numpy', 'pandas', 'matplotlib', 'optuna'}"

TINY = ["data.size=200", "trainer.epochs=1", "model.hidden_size=8", "embedding.dim=8", "trainer.processes=1"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model.hiddensize=3"], ["model.hiddensize=3", "no such key", "did you mean hidden_size?"]),
        (["model=lstmm"], ["model=lstmm", "bag_of_words, gru, lstm, nb_ngrams", "did you mean lstm?"]),
        (["modle=lstm"], ["modle=lstm", "no such key", "did you mean model?"]),
        (["model.pooling=maxx"], ["model.pooling=maxx", "did you mean max?"]),
        (["+model.new=3"], ["model.new=3", "no such key"]),
        (["trainer=3"], ["group=option"]),
        (["model={"], ["model={", "override syntax"]),
        (["experiment=postfixed"], ["experiment=postfixed", "did you mean post_fixed?"]),
        (["trainer.device=cuda:99"], ["trainer.device=cuda:99"]),
        (["data=files", "data.path=nowhere.csv"], ["data.path=nowhere.csv", "no such file"]),
        (["model._target_=my.models.Conv"], ["model._target_=my.models.Conv", "cannot be imported"]),
        (["model.num_layers=1,2"], ["model.num_layers=1,2", "add -m: sentexp -m model.num_layers=1,2"]),
        (["epochs=3"], ["did you mean trainer.epochs=3?"]),
        (["sweep"], ["sweep: needs no word", "sentexp -m"]),
    ],
)
def test_a_mistake_is_one_line_and_status_2_and_a_notebook_gets_the_same_line(
    sentexp, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    program = sentexp(*arguments, "tracking=none")
    _, errors = program.communicate(timeout=120)
    assert program.returncode == 2
    assert len(errors.splitlines()) == 1
    assert errors.startswith("sentexp: ")
    for word in words:
        assert word in errors
    if arguments != ["trainer.device=cuda:99"]:  # what the machine lacks is known only when a run begins
        with pytest.raises(SentexpError) as refused:
            compose(*arguments, "tracking=none")
        assert errors == f"sentexp: {refused.value}\n"


@pytest.mark.parametrize("argument", ["model.hidden_size=0", "sweep.seeds=3", "sweep=lstm"])
def test_a_refused_configuration_leaves_nothing_behind(sentexp, tmp_path: Path, argument: str) -> None:
    program = sentexp(argument)
    _, errors = program.communicate(timeout=120)
    assert (program.returncode, len(errors.splitlines())) == (2, 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep.seeds=3"], "add -m: sentexp -m sweep.seeds=3"),
        (["-m", "--cfg", "job"], "--cfg shows one run, without -m"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate; expected key=value, or one of the options"),
        (["seed=1", "--config-dir", ".", "seed=2"], "seed=2: behind an option that follows other keys"),
        (["--config-dir", "nowhere"], "--config-dir nowhere: no such folder"),
    ],
)
def test_wrong_options_of_the_program_are_one_line(sentexp, arguments: list[str], words: str) -> None:
    program = sentexp(*arguments)
    output, errors = program.communicate(timeout=120)
    assert (program.returncode, output, len(errors.splitlines())) == (2, "", 1)
    assert words in errors


def test_the_version_is_ours_first(sentexp) -> None:
    output, _ = sentexp("--version").communicate(timeout=120)
    assert [line.split()[0] for line in output.splitlines()] == ["sentexp", "Hydra"]


def in_a_shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "SENTEXP_CACHE_DIR": str(folder)}
    script = f'sentexp() {{ {sys.executable} -m sentexp "$@"; }}; {command}'
    return subprocess.run(["bash", "-c", script], cwd=folder, env=environment, text=True, capture_output=True)


@pytest.mark.parametrize("option", ["--hydra-help", "--help", "help", "--cfg job"])
def test_a_reader_that_has_enough_ends_what_only_prints_without_a_word(option: str, tmp_path: Path) -> None:
    ended = in_a_shell(f"sentexp {option} | head -1", tmp_path)
    assert (len(ended.stdout.splitlines()), ended.stderr) == (1, "")


@pytest.mark.parametrize("option", ["--help", "--cfg job"])
def test_a_full_device_is_one_line(option: str, tmp_path: Path) -> None:
    ended = in_a_shell(f"sentexp {option} > /dev/full", tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "sentexp: output: No space left on device\n")


@pytest.mark.parametrize(("option", "status"), [("--version", 0), ("--help", 0), ("--frobnicate", 2), ("epochs=3", 2)])
def test_a_closed_output_changes_nothing(option: str, status: int, tmp_path: Path) -> None:
    ended = in_a_shell(f"sentexp {option} >&-", tmp_path)
    assert (ended.returncode, "Traceback" in ended.stderr) == (status, False)


def test_a_deleted_folder_is_one_line(tmp_path: Path) -> None:
    ended = in_a_shell("mkdir gone; cd gone; rmdir ../gone; sentexp seed=1", tmp_path)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert "the current folder has been deleted" in ended.stderr


@pytest.mark.parametrize("arguments", ["seed=1", "-m seed=1,2"])
def test_a_folder_in_which_hydra_finds_a_reference_is_one_line(arguments: str, tmp_path: Path) -> None:
    ended = in_a_shell(f"mkdir 'a${{seed}}'; cd 'a${{seed}}'; sentexp {arguments}", tmp_path)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert f"{tmp_path}/a${{seed}}: Hydra takes the ${{ " in ended.stderr
    assert list((tmp_path / "a${seed}").iterdir()) == []


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("sentexp 'data.path=${nothing}/a.csv' data=files", "data.path: Interpolation key 'nothing' not found"),
        ("MLFLOW_TRACKING_URI='sqlite:///${seed}.db' sentexp", "tracking.uri=sqlite:///${seed}.db: expected a text "),
    ],
)
def test_a_reference_that_leads_nowhere_or_comes_from_outside_is_one_line(
    command: str, said: str, tmp_path: Path
) -> None:
    ended = in_a_shell(command, tmp_path)
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)
    assert ended.stderr.startswith(f"sentexp: {said}")


def test_a_refused_address_is_shown_without_its_password(sentexp, monkeypatch) -> None:
    monkeypatch.setenv("REVIEWS", "r.csv")
    program = sentexp("data=files", 'data.path="http://ann:pw@${oc.env:REVIEWS}"')
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 2
    assert errors.startswith("sentexp: data.path=http://ann:***@r.csv: no such file")


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    name = 300 * "x"
    ended = in_a_shell(f"sentexp tracking=none hydra.run.dir={name}", tmp_path)
    assert (ended.returncode, ended.stderr) == (1, f"sentexp: File name too long: {name}\n")


def test_the_first_line_comes_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    arguments = ["sentexp", "model=gru", "tracking=none", f"hydra.run.dir={tmp_path}"]
    start = f"import sys; sys.argv = {arguments}; sys.modules['torch'] = None; from sentexp.cli import main; main()"
    output = subprocess.run([sys.executable, "-c", start], text=True, capture_output=True).stdout
    assert output == "start: data=demo tokenizer=spacy embedding=random model=gru optimizer=adam\n"


def test_the_last_garbage_collection_has_nothing_to_visit() -> None:
    start = "import gc, sys; sys.argv = ['sentexp', '--version']; from sentexp.cli import main; main(); "
    start += "print(gc.get_freeze_count() > 10_000)"
    assert subprocess.run([sys.executable, "-c", start], text=True, capture_output=True).stdout.endswith("True\n")


OWN_MODEL = """
from torch import nn
class Model(nn.Module):
    def __init__(self, embedding, num_classes):
        super().__init__()
        self.head = nn.Linear(embedding.no_such_thing, 1)
"""


def test_a_run_that_fails_in_own_code_says_where_and_keeps_the_traceback(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(OWN_MODEL)
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "own.yaml").write_text("_target_: models.Model\n")
    # the installed command does not put the current folder on Python's path, unlike -c
    script = "import sys; sys.path.remove(''); from sentexp.cli import main; main()"
    ended = in_a_shell(
        f'{sys.executable} -c "{script}" --config-dir mine model=own data.size=60 tracking=none hydra.run.dir=out',
        tmp_path,
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "model._target_=models.Model: cannot be built: AttributeError" in ended.stderr
    assert "(models.py, line 6)" in ended.stderr
    assert "Traceback" in (tmp_path / "out" / "sentexp.log").read_text()


def test_help_lists_groups_options_and_examples_without_importing_anything_heavy(sentexp) -> None:
    program = sentexp("--help")
    output, _ = program.communicate(timeout=120)
    assert program.returncode == 0
    commands = [f"sentexp {name} " for name in COMMANDS]
    for word in ("model: bag_of_words, gru, lstm, nb_ngrams", "hidden_size: 128", "sentexp shapes=true", *commands):
        assert word in output
    heavy = f"import sys, sentexp.cli; print({HEAVY} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", heavy], text=True, capture_output=True, check=True).stdout == "set()\n"


@pytest.mark.parametrize("arguments", [["--help"], ["-h", "model=gru"], ["--hydra-help"]])
def test_the_help_is_hydras_own(arguments: list[str]) -> None:
    start = (
        f"import sys; sys.argv = {['sentexp', *arguments]}; from sentexp import cli; from sentexp.cli import training; "
    )
    quick, hydras = (
        subprocess.run([sys.executable, "-c", start + call], text=True, capture_output=True, check=True).stdout
        for call in ("cli.main()", "training._main()")
    )
    assert quick == hydras
    assert "model: bag_of_words, gru, lstm, nb_ngrams" in quick or "hydra/launcher: " in quick


def test_a_configuration_is_accepted_without_importing_anything_heavy() -> None:
    program = f"import sys; from sentexp import compose; compose(); print({HEAVY} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], text=True, capture_output=True).stdout == "set()\n"


def test_one_run_prints_epochs_test_figures_and_where_it_is(sentexp, tmp_path: Path) -> None:
    program = sentexp(*TINY, "model.bidirectional=true")
    output, errors = program.communicate(timeout=300)
    assert program.returncode == 0, errors
    assert "epoch 1/1  train loss" in output
    assert "test accuracy" in output
    assert f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db" in output
    assert (tmp_path / "mlflow.db").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_was_stopped_is_recorded_as_killed_and_goes_on(
    number: int, status: int, sentexp, tmp_path: Path
) -> None:
    store = f"tracking.uri=sqlite:///{tmp_path}/runs.db"
    program = sentexp(*TINY, "trainer.epochs=50", store)
    assert program.stdout is not None
    for line in program.stdout:
        if line.startswith("epoch 1/"):
            break
    program.send_signal(number)
    began = time.monotonic()
    output, errors = program.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert program.returncode == status
    assert "Traceback" not in errors
    command = next(line for line in output.splitlines() if "go on with: " in line).rpartition("go on with: ")[2]

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{tmp_path}/runs.db")

    def only_run() -> Any:
        (run,) = client.search_runs([client.get_experiment_by_name("sentexp").experiment_id])  # type: ignore[union-attr]
        return run

    assert only_run().info.status == "KILLED"
    folder = shlex.split(command)[1].partition("=")[2]
    for name in ("latest", only_run().info.run_id[:8], only_run().info.run_name, folder):
        again = sentexp(f"trainer.resume={name}", store, "--cfg", "job")
        output, errors = again.communicate(timeout=60)
        assert again.returncode == 0, errors
        assert f"resume: {folder}" in output
    program = sentexp(*shlex.split(command)[1:], "trainer.early_stopping=1")
    output, errors = program.communicate(timeout=200)
    assert program.returncode == 0, errors
    assert "resume: after step" in output
    assert only_run().info.status == "FINISHED"
    assert (Path(folder) / "model" / "weights.pt").is_file()
    program = sentexp(f"trainer.resume={folder}")
    assert program.communicate(timeout=60)[1].startswith(f"sentexp: {folder}: no checkpoint in it; expected")
    assert program.returncode == 2


def test_one_that_was_stopped_goes_on_alone_and_not_in_a_sweep(sentexp) -> None:
    program = sentexp("-m", "trainer.resume=somewhere", "seed=1,2")
    assert program.communicate(timeout=60)[1] == (
        "sentexp: trainer.resume=somewhere: is for a single run; expected sweep.resume=FOLDER with -m\n"
    )


def test_train_is_the_word_for_what_happens_without_one(sentexp) -> None:
    with_word, without = (sentexp(*words, "--cfg", "job", "seed=3") for words in (["train"], []))
    assert with_word.communicate(timeout=60) == without.communicate(timeout=60)
    assert with_word.returncode == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sentexp pred", {"predict"}),
        ("sentexp predict --inp", {"--input"}),
        ("sentexp data --outp", {"--output"}),
        ("sentexp data tokenizer=spacy model=g", {"model=gru"}),
        ("sentexp model.hidden", {"model.hidden_size="}),
    ],
)
def test_tab_completes_commands_their_options_and_keys(sentexp, monkeypatch, line: str, words: set[str]) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    output, _ = sentexp("-sc", "query=bash").communicate(timeout=60)
    assert words <= set(output.split())
    assert ("model=" in output.split()) is False
