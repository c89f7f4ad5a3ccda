"""Every command and program in the README runs, on small data where it would take long.

So do the programs for many machines, to which it links.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sentexp.cli.commands import is_command
from sentexp.runs import find_run
from sentexp.trained_model import TrainedModel

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line.partition("  #")[0].strip() for language, block in BLOCKS if language == "sh" for line in block.splitlines()
]
PROGRAMS = [block for language, block in BLOCKS if language == "python"]
BEYOND = (ROOT / "experiments" / "beyond_one_machine" / "README.md").read_text(encoding="utf-8")
PROGRAMS_OF_MANY_MACHINES = re.findall(r"^```python\n(.*?)^```", BEYOND, re.MULTILINE | re.DOTALL)

QUICK = ["trainer.epochs=1", "model.hidden_size=8", "trainer.processes=1"]
SMALL = {  # what makes an example small, by the words that tell it apart
    "data.path=reviews.csv": [],
    "data.train=": [],
    "data.path=folder": [],
    "--help": None,
    "shapes=true": ["data.size=200"],
    "sentexp -m": ["data.size=100", "tracking=none"],  # a recorded sweep is seen in the tests of its driver
    "": ["data.size=200"],
}
RESUMES = "trainer.resume="
NAMED = "tracking.run_name="
OFFLINE = ("data=hub", "data=imdb", "experiment=imdb", "experiment=imdb_lm", "experiment=imdb_semi")


def sentexp_commands() -> list[str]:
    return [command for command in COMMANDS if command.startswith("sentexp ") and "-sc" not in command]


def small(command: str) -> list[str]:
    """Return the arguments of an example, with those that make it small where it needs no network."""
    arguments = shlex.split(command)[1:]
    if not any(word in arguments for word in OFFLINE):
        further = next(words for part, words in SMALL.items() if part in command)
        arguments += [] if further is None else [*QUICK, *further]
        if "model=nb_ngrams" in arguments or any(word.startswith("model.hidden_size=tag") for word in arguments):
            arguments.remove("model.hidden_size=8")
    return arguments


def needs_a_run(command: str) -> bool:
    return is_command(shlex.split(command)[1:])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that holds the files of the examples."""
    for language, block in BLOCKS:
        if language == "yaml":
            file = tmp_path / re.findall(r"^# (mine/\S+)$", block, re.MULTILINE)[0]
            file.parent.mkdir(parents=True)
            file.write_text(block)
    rows = [(f"really {word} film number {number}", label) for number in range(30) for word, label in LABELLED]
    csv = "review,stars\n" + "".join(f"{text},{label}\n" for text, label in rows)
    (tmp_path / "reviews.csv").write_text(csv)
    jsonl = "".join(f'{{"text": "{text}", "label": "{label}"}}\n' for text, label in rows)
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text(jsonl)
    for number, (text, label) in enumerate(rows):
        place = tmp_path / "folder" / ("pos" if label == 5 else "neg")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.txt").write_text(text)
    return tmp_path


LABELLED = [("good", 5), ("bad", 1)]


def run_in(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment_in(folder), text=True, capture_output=True
    )


def environment_in(folder: Path) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW")}
    environment |= {"SENTEXP_CACHE_DIR": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])  # as if activated
    return environment


def test_no_line_of_the_text_is_wider_than_the_code() -> None:
    text = re.sub(r"^```.*?^```", "", README, flags=re.MULTILINE | re.DOTALL)
    assert [line for line in text.splitlines() if len(line) > 120 and not line.startswith("|")] == []


def test_the_readme_leads_to_the_programs_for_many_machines() -> None:
    assert "(experiments/beyond_one_machine/)" in README
    assert [program.partition("\n")[0] for program in PROGRAMS_OF_MANY_MACHINES] == [
        "import mlflow, ray",
        "import mlflow",
    ]


def test_the_readme_has_its_two_commands_on_one_line_each() -> None:
    first = [command for command in COMMANDS if command.endswith("-m sentexp model.bidirectional=true")]
    second = [command for command in COMMANDS if command.endswith("-m pytest")]
    assert len(first) == len(second) == 1
    for command in (*first, *second):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e ")


@pytest.mark.slow
def test_each_command_works_on_the_newest_run(folder: Path) -> None:
    for command in sentexp_commands():
        # the runs that one of the commands makes an ensemble of; the LSTM is the newest
        if NAMED in command and not any(word in command.split() for word in OFFLINE):
            trained = run_in(folder, "-m", "sentexp", *small(command))
            assert trained.returncode == 0, trained.stderr
    for command in filter(needs_a_run, sentexp_commands()):
        if command.startswith("sentexp demo"):
            continue  # it goes on until it is ended; see below
        done = run_in(folder, "-m", "sentexp", *shlex.split(command)[1:])
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_demo_answers_until_it_is_interrupted(folder: Path) -> None:
    assert run_in(folder, "-m", "sentexp", *QUICK, "data.size=200").returncode == 0
    (command,) = (command for command in sentexp_commands() if command.startswith("sentexp demo"))
    words = [sys.executable, "-m", *shlex.split(command), "--port", "0"]
    with subprocess.Popen(words, cwd=folder, env=environment_in(folder), stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            address = program.stdout.readline().removeprefix("demo: ").split()[0]
            with urllib.request.urlopen(address, timeout=60) as page:
                assert "Type a review" in page.read().decode()
            program.send_signal(signal.SIGINT)
            assert program.wait(timeout=60) == 130
        finally:
            program.kill()


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on(folder: Path) -> None:
    words = [sys.executable, "-m", "sentexp", *QUICK, "data.size=200", "trainer.epochs=100"]
    with subprocess.Popen(words, cwd=folder, env=environment_in(folder), stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert any(line.startswith("epoch 1/") for line in program.stdout)
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=60)
    (command,) = (command for command in sentexp_commands() if RESUMES in command)
    done = run_in(folder, "-m", *shlex.split(command), "trainer.early_stopping=1")
    assert done.returncode == 0, done.stderr
    assert "resume: after step" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", [command for command in sentexp_commands() if not needs_a_run(command) and RESUMES not in command]
)
def test_each_example_runs(command: str, folder: Path) -> None:
    arguments = small(command)
    needs_network = any(word in arguments for word in OFFLINE)
    arguments = [argument for argument in arguments if not argument.startswith("data.path=FOLDER")]
    done = run_in(folder, "-m", "sentexp", *arguments)
    if needs_network:  # without one, it says so in one line and names the way round it, or the run that is not there
        assert done.returncode == 2
        assert ("no such run" if "experiment=imdb_semi" in arguments else "data.path=FOLDER") in done.stderr
        assert len(done.stderr.splitlines()) == 1
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_first_command_trains_in_the_time_it_takes_to_read_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # on all cores, as it is typed
    done = run_in(folder, "-m", "sentexp", "model.bidirectional=true")
    assert done.returncode == 0, done.stderr
    accuracy = re.search(r"test accuracy ([\d.]+)", done.stdout)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.95


@pytest.mark.slow
def test_the_programs_run_on_a_run_of_the_command_line(folder: Path) -> None:
    quick = ", ".join(f'"{word}"' for word in [*QUICK, "data.size=200"])
    notebook = next(program for program in PROGRAMS if "compose" in program).replace('"trainer.epochs=3"', quick)
    done = run_in(folder, "-c", notebook + "\nprint(result.location.run_id)")
    assert done.returncode == 0, done.stderr
    *_, accuracy, run_id = done.stdout.split()
    assert 0 <= float(accuracy) <= 1
    loading = next(program for program in PROGRAMS if "RUN_ID" in program).replace("RUN_ID", run_id)
    loading = loading.replace("model.predict", "answer = model.predict").replace(
        "mlflow.models.e", "found = mlflow.models.e"
    )
    done = run_in(folder, "-c", f"{loading}\nprint(answer.columns[0], found.metrics['accuracy_score'])")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^label [01]\.[05]$", done.stdout, re.MULTILINE)


@pytest.mark.slow
def test_a_recorded_model_predicts_a_file_and_serves(folder: Path) -> None:
    quick = [*QUICK, "data.size=200", "evaluation.baseline=false"]
    done = run_in(folder, "-m", "sentexp", *quick)
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.split("/runs/")[1].split()[0]
    predicting, serving, asking = (
        shlex.split(command.replace("RUN_ID", run_id))[1:]
        for command in COMMANDS
        if command.startswith(("mlflow models", "curl"))
    )
    (folder / "reviews.csv").write_text('text,stars\n"good, or so",5\n3,1\n')
    done = run_in(folder, "-m", "mlflow", *predicting)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout.splitlines()[-1])["predictions"]) == 2

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
    address, _, content = (word.replace("5001", port) for word in asking)
    command = [sys.executable, "-m", "mlflow", *(word.replace("5001", port) for word in serving)]
    with subprocess.Popen(
        command, cwd=folder, env=environment_in(folder), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        try:
            wait_for(f"http://localhost:{port}/ping", server)
            assert [row["label"] in LABELS for row in ask(address, content)["predictions"]] == [True]
            assert [row["label"] in LABELS for row in ask(address, records({"text": None}))["predictions"]] == [True]
            for wrong, why in {
                records({"text": "a"}, {"text": 3}): "row 1: 3 is not a text; expected texts",
                records({"review": "a"}): "Model is missing inputs ['text']",
                records(): "Model is missing inputs ['text']",
                "[]": "The input must be a JSON dictionary",
            }.items():
                answer = ask(address, wrong, status=400)
                assert why in answer["message"]
                assert "stack_trace" not in answer
        finally:
            os.killpg(server.pid, signal.SIGTERM)


def recorded_run(folder: Path) -> str:
    """Train on little data, and return the id of the run; reviews.csv becomes a table with a column text."""
    done = run_in(folder, "-m", "sentexp", *QUICK, "data.size=200", "evaluation.baseline=false")
    assert done.returncode == 0, done.stderr
    rows = "".join(f"really {word} film number {number}\n" for number in range(3000) for word, _ in LABELLED)
    (folder / "reviews.csv").write_text(f"text\n{rows}")
    return done.stdout.split("/runs/")[1].split()[0]


def check_labelled(folder: Path, run_id: str) -> None:
    """Check that the parquet files in `labelled` hold the answers of the recorded model, each beside its text."""
    table = pd.read_parquet(folder / "labelled").set_index("text")
    found = table["found"].apply(pd.Series).add_prefix("predicted_") if "found" in table else table
    texts = pd.read_csv(folder / "reviews.csv")["text"]
    model = TrainedModel.load(find_run(run_id, tracking_uri=f"sqlite:///{folder}/mlflow.db").folder)
    expected = model.predict(list(texts))
    assert len(found) == len(texts)
    assert found.loc[texts, "predicted_label"].tolist() == [model.labels[row] for row in expected.argmax(1).tolist()]
    assert found.loc[texts, "predicted_probability_positive"].tolist() == pytest.approx(
        expected[:, 1].tolist(), abs=1e-5
    )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ray", "pyspark"])
def test_a_recorded_model_labels_a_table_on_ray_and_on_spark(engine: str, folder: Path) -> None:
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"needs {engine}, which is not installed")
    if engine == "pyspark" and shutil.which("java") is None:
        pytest.skip("needs Java")
    run_id = recorded_run(folder)
    (program,) = (program for program in PROGRAMS_OF_MANY_MACHINES if engine in program)
    done = run_in(folder, "-c", program.replace("RUN_ID", run_id))
    assert done.returncode == 0, done.stderr[-3000:]
    check_labelled(folder, run_id)


LABELS = ("negative", "positive")


def records(*rows: dict[str, object]) -> str:
    return json.dumps({"dataframe_records": rows})


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server has ended"
        try:
            urllib.request.urlopen(address).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


def ask(address: str, content: str, status: int = 200) -> dict[str, Any]:
    """Post JSON and return the answer, as `curl --json` does."""
    request = urllib.request.Request(
        f"http://{address}", content.encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request) as response:
            found, answer = response.status, response.read()
    except urllib.error.HTTPError as error:
        found, answer = error.code, error.read()
    assert found == status, answer
    return json.loads(answer)
