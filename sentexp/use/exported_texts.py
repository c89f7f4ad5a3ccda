"""The texts that lie beside an exported program: an example of its use, and what is in the folder."""

from __future__ import annotations

from sentexp.text.pipeline import TextPipeline
from sentexp.trained_model import TrainedModel

EXAMPLE = '''"""Label texts with the program in this folder: python example.py "not bad at all" ..."""

import sys
from pathlib import Path

import numpy
import {package}
import yaml
from sentexp.instantiate import build_pipeline
from sentexp.lines import from_lines
from sentexp.text.vocabulary import Vocabulary

folder = Path(__file__).parent
config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
labels = from_lines((folder / "labels.txt").read_bytes())
pipeline = build_pipeline(config, Vocabulary.load(folder / "vocab.txt"))

texts = sys.argv[1:] or ["not bad at all", "a waste of time"]
corpus = pipeline.encode(texts)  # the token ids of all texts in turn
lengths = corpus.lengths.numpy()  # int64 [B]
ids = numpy.full((len(texts), corpus.width or lengths.max()), corpus.pad_index)  # int64 [B, T]
for row, (start, length) in enumerate(zip(corpus.offsets.tolist(), lengths)):
    ids[row, :length] = corpus.ids[start : start + length]

{run}
for text, row in zip(texts, probabilities):
    print(f"{{labels[row.argmax()]}}\\t{{row.max():.4f}}\\t{{text}}")
'''

RUN = {
    "onnx": """session = onnxruntime.InferenceSession(folder / "model.onnx")
(probabilities,) = session.run(None, {"ids": ids, "lengths": lengths})  # float32 [B, C]""",
    "torch": """program = torch.jit.load(folder / "model.pt")
with torch.no_grad():
    probabilities = program(torch.from_numpy(ids), torch.from_numpy(lengths)).numpy()  # float32 [B, C]""",
}
PACKAGES = {"onnx": "onnxruntime", "torch": "torch"}

README = """{file}     the program
config.yaml    the configuration of the run; its sections `text` and `tokenizer` say how texts become tokens
vocab.txt      one token per line; the first line is id 0. In a line \\\\ stands for \\, \\n for a line feed, \\r for CR
labels.txt     one label per line, in the order of the probabilities
example.py     texts on the command line -> labels; needs {package} and sentexp

The program
  ids             int64 [B, T]    token ids of B reviews, each padded on the right to T by any id
  lengths         int64 [B]       tokens of each review, 1 to T
  probabilities   float32 [B, C]  of the C labels

Without sentexp
  The program itself needs {package} alone. What your own code must do is what sentexp does to a text:
{steps}
  Compare with `sentexp predict RUN --json TEXT` before you rely on it.
"""


def example(to: str) -> str:
    """Return a program in Python that labels texts by the exported one."""
    return EXAMPLE.format(package=PACKAGES[to], run=RUN[to])


def readme(to: str, trained: TrainedModel) -> str:
    """Return what is in the folder, and what it takes to use the program without this package."""
    steps = [f"  {number}. {step}" for number, step in enumerate(_steps(trained.pipeline), start=1)]
    file = {"onnx": "model.onnx", "torch": "model.pt  "}[to]
    return README.format(file=file, package=PACKAGES[to], steps="\n".join(steps))


def _steps(pipeline: TextPipeline) -> list[str]:
    """Say what the pipeline does to a text."""
    clean, vocabulary = pipeline.clean, pipeline.vocabulary
    steps = ["replace each HTML tag by a space and each entity by its character"] if clean.html else []
    tokenizer = type(pipeline.tokenizer)
    steps.append(f"split it into tokens: {tokenizer.__module__}.{tokenizer.__name__}")
    drops = [name for name in ("stop_words", "punctuation", "numbers") if getattr(clean, name)]
    if drops:
        steps.append(f"drop tokens as text.clean says: {', '.join(drops).replace('_', ' ')}")
    if clean.lemmas:
        steps.append("replace each token by its lemma in spaCy's table")
    if clean.lowercase:
        steps.append("turn each token into lower case")
    bound = pipeline.max_length if pipeline.fix_length is None else pipeline.fix_length
    if bound is not None:
        steps.append(f"keep at most {bound:,} tokens: truncate={pipeline.truncate}, as config.yaml says")
    steps.append(f"look the tokens up in vocab.txt; one that is not in it is id {vocabulary.unk_index}")
    steps.append(f"a text without a token is one token of id {vocabulary.unk_index}")
    for token, where in ((pipeline.init_token, "before the first"), (pipeline.eos_token, "behind the last")):
        if token is not None:
            steps.append(f"put id {vocabulary.stoi[token]} {where} token; it counts in lengths")
    if pipeline.fix_length is not None:
        steps.append(f"pad to T={pipeline.fix_length:,} with id {vocabulary.pad_index}")
    return steps
