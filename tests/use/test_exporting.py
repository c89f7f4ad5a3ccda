from __future__ import annotations

import itertools
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest
import torch
from made_up_model import BAG_OF_WORDS, RECURRENT, trained
from torch import Tensor, nn

from sentexp.embedding.table import Embedding
from sentexp.errors import SentexpError
from sentexp.text.corpus import Corpus
from sentexp.trained_model import TrainedModel
from sentexp.use.exporting import export

FILES = {"onnx": "model.onnx", "torch": "model.pt"}
TEXTS = ["good", "a bad film", "not good, not bad " * 9, "nothing known", ""]
BOTH = pytest.mark.parametrize("to", ["onnx", "torch"])
SLOW = pytest.mark.slow

CELLS, DIRECTIONS, DEPTHS = ("lstm", "gru"), (False, True), (1, 2)
POOLINGS = ("last", "max", "mean", "concat", "attention")
RECURRENT_MODELS = [
    {**RECURRENT, "cell": cell, "bidirectional": both, "num_layers": layers, "pooling": pooling}
    for cell, both, layers, pooling in itertools.product(CELLS, DIRECTIONS, DEPTHS, POOLINGS)
]
NGRAMS = {"_target_": "sentexp.model.nb_ngrams.NbNgramsClassifier"}


def run(file: Path, ids: Tensor, lengths: Tensor) -> Tensor:
    if file.suffix == ".pt":
        with torch.jit.optimized_execution(False):
            return torch.jit.load(file)(ids, lengths)
    session = onnxruntime.InferenceSession(file)
    return torch.from_numpy(session.run(None, {"ids": ids.numpy(), "lengths": lengths.numpy()})[0])


def equals_the_original(model: TrainedModel, to: str, folder: Path) -> None:
    """Compare on sizes that `export` itself does not try."""
    file = export(model, to, folder, TEXTS).file
    generator = torch.Generator().manual_seed(1)
    for batch, longest in ((1, 1), (5, 1), (1, 300), (4, 33)):
        ids = torch.randint(0, 9, (batch, longest), generator=generator)
        lengths = torch.randint(1, longest + 1, (batch,), generator=generator)
        logits = model.model.eval()(ids, lengths).detach()
        expected = logits.softmax(1) if logits.dim() == 2 else torch.stack([1 - logits.sigmoid(), logits.sigmoid()], 1)
        torch.testing.assert_close(run(file, ids, lengths), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("to", ["torch", pytest.param("onnx", marks=SLOW)])
@pytest.mark.parametrize("one_hot", [False, True], ids=["vectors", "one_hot"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_recurrent_program_equals_its_model_at_all_sizes(cell, one_hot, to, tmp_path: Path) -> None:
    equals_the_original(trained({**RECURRENT, "cell": cell}, one_hot=one_hot), to, tmp_path)


@SLOW
@BOTH
@pytest.mark.parametrize("one_hot", [False, True], ids=["vectors", "one_hot"])
@pytest.mark.parametrize("model", RECURRENT_MODELS, ids=lambda model: "-".join(map(str, list(model.values())[1:7])))
def test_so_it_does_with_every_depth_direction_and_pooling(model, one_hot, to, tmp_path: Path) -> None:
    equals_the_original(trained(model, one_hot=one_hot), to, tmp_path)


@pytest.mark.parametrize("cell", ["lstm", pytest.param("gru", marks=SLOW)])
def test_both_cells_become_operators_of_onnx(cell, tmp_path: Path) -> None:
    equals_the_original(trained({**RECURRENT, "cell": cell}), "onnx", tmp_path)
    import onnx

    operators = [node.op_type for node in onnx.load(tmp_path / "model.onnx").graph.node]
    assert operators.count(cell.upper()) == 4  # two layers, two directions; no step of its own for each token


@pytest.mark.parametrize("to", ["torch", pytest.param("onnx", marks=SLOW)])
@pytest.mark.parametrize("one_hot", [False, True], ids=["vectors", "one_hot"])
@pytest.mark.parametrize("pooling", ["mean", "max", "sum"])
def test_a_bag_of_words_equals_its_model_at_all_sizes(pooling, one_hot, to, tmp_path: Path) -> None:
    equals_the_original(trained({**BAG_OF_WORDS, "pooling": pooling}, one_hot=one_hot), to, tmp_path)


@pytest.mark.parametrize("to", ["torch", pytest.param("onnx", marks=SLOW)])
@pytest.mark.parametrize("change", [{"ignore_padding": False}, {"pooling": "last"}])
def test_three_labels_and_padding_that_counts(change, to, tmp_path: Path) -> None:
    equals_the_original(trained({**RECURRENT, **change}, labels=("a", "b", "c")), to, tmp_path)


def solved_ngrams() -> TrainedModel:
    made_up = trained(NGRAMS)
    corpus = made_up.pipeline.encode(["a good film", "not bad", "bad", "a bad film", "not good", "good"])
    labelled = Corpus(corpus.ids, corpus.offsets, torch.tensor([1, 1, 0, 0, 0, 1]), corpus.pad_index)
    made_up.model.solve(labelled)  # type: ignore[operator]
    return made_up


@BOTH
def test_n_grams_equal_their_model_at_all_sizes(to, tmp_path: Path) -> None:
    equals_the_original(solved_ngrams(), to, tmp_path)


@BOTH
def test_the_example_answers_as_the_model(to, tmp_path: Path) -> None:
    model = trained(BAG_OF_WORDS)
    export(model, to, tmp_path, TEXTS)
    expected = model.predict(["a good film", "bad"])
    command = [sys.executable, str(tmp_path / "example.py"), "a good film", "bad"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert [line[0] for line in lines] == [model.labels[row] for row in expected.argmax(1).tolist()]
    assert [float(line[1]) for line in lines] == pytest.approx(expected.max(1).values.tolist(), abs=1e-4)


def test_the_folder_says_what_a_text_needs_and_keeps_passwords_out(tmp_path: Path) -> None:
    export(trained(BAG_OF_WORDS, fix_length=7), "torch", tmp_path, TEXTS)
    names = ["README.txt", "config.yaml", "example.py", "labels.txt", "model.pt", "vocab.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    readme = (tmp_path / "README.txt").read_text()
    for step in ("BasicTokenizer", "lower case", "at most 7 tokens", "not in it is id 0", "pad to T=7 with id 1"):
        assert step in readme
    assert "secret" not in (tmp_path / "config.yaml").read_text()


class LooksAtValues(nn.Module):
    """Another answer for a batch that begins with id 3; what a trace cannot know."""

    def __init__(self, embedding: nn.Module) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        sums = self.embedding(ids).sum((1, 2))
        return -sums if ids[0, 0].item() == 3 else sums


def test_a_program_that_differs_is_refused_and_no_file_is_left(tmp_path: Path) -> None:
    model = replace(trained(), model=LooksAtValues(Embedding(torch.randn(9, 4))))
    with pytest.raises(SentexpError, match=r"differ by .* expected at most 1e-05"):
        export(model, "torch", tmp_path, TEXTS)
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_the_exporter_refuses_is_one_line_and_no_file_is_left(tmp_path: Path) -> None:
    model = replace(trained(), model=LooksAtValues(Embedding(torch.randn(9, 4))))
    with pytest.raises(
        SentexpError, match=r"--to onnx: LooksAtValues cannot be exported: .*; expected a model"
    ) as said:
        export(model, "onnx", tmp_path, TEXTS)
    assert "\n" not in str(said.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named_with_its_extra(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SentexpError, match=r"--to onnx: needs onnxruntime; expected pip install .*\[onnx\]"):
        export(trained(BAG_OF_WORDS), "onnx", tmp_path, TEXTS)


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SentexpError, match=r"--output .*file/inner"):
        export(trained(BAG_OF_WORDS), "torch", tmp_path / "file" / "inner", TEXTS)
