"""A trained model as one file that runs without this package: ONNX or TorchScript, checked against the original.

The exported program takes `ids`, int64 [B, T], right-padded, and `lengths`, int64 [B], of any B and T, and returns
`probabilities`, float32 [B, C].

Why TorchScript and not a torch.export program: torch.export takes an LSTM and a GRU apart into one step per token of
its example, so the result would take reviews of that one length.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sentexp.atomic import whole_file
from sentexp.batches import Batches
from sentexp.errors import SentexpError, one_line
from sentexp.model.recurrent import GRU, LSTM, run_layers
from sentexp.text.corpus import Corpus
from sentexp.trained_ensemble import Predictor, single
from sentexp.training.losses import probabilities
from sentexp.use.exported_texts import example, readme

# Shapes: B reviews in a batch, T tokens in the longest of them, C classes, E input features, H hidden_size

TOLERANCE = 1e-5
"""Greatest difference of a probability from the original's."""

BATCH_SIZES = (1, 7)
"""Reviews per batch in the check."""

SENTENCES = (
    "good",
    "not good",
    "not bad at all",
    "I did not like this film, and nobody that I know did.",
    "It begins slowly. " * 5 + "Then it gets better!",
    "The first half is dull, the second one is not, and in the end I was moved. " * 8,
    "There is a good story in it, which nobody tells; the music is loud, and the actors are tired. " * 30,
    "wonderful " * 700,
)
"""Texts of several lengths, for the check."""

Program = Callable[[Tensor, Tensor], Tensor]
"""From ids [B, T] and lengths [B] to probabilities [B, C]."""


@dataclass(frozen=True)
class Exported:
    """What `export` has written."""

    file: Path
    """The program."""
    difference: float
    """Greatest difference of a probability from the original's, among `texts`."""
    texts: int
    """How many were compared."""


def export(predictor: Predictor, to: str, folder: Path | str, texts: Sequence[str] = SENTENCES) -> Exported:
    """Write a trained model as a program (`onnx` or `torch`) into `folder`, with what is needed to use it beside it.

    >>> from sentexp import compose, load, run
    >>> from sentexp.use.exporting import export
    >>> result = run(compose("data.size=200", "trainer.epochs=1", "tracking=none"))
    >>> export(load(result.model_folder).trained, "torch", result.model_folder.parent / "exported").file.name
    'model.pt'

    The file appears only if it gives what the original gives for `texts`, alone and padded in batches. Raises
    SentexpError if it does not, if the model cannot be exported or is an ensemble, and if a package of the extra `onnx`
    is missing.
    """
    trained = single(predictor, "export")
    if not texts:
        raise SentexpError("export: no text to check the program with; expected one or more")
    write = {"onnx": _write_onnx, "torch": _write_torchscript}[to]
    folder = Path(folder)
    model = ProbabilityModel(copy.deepcopy(trained.model).cpu().float()).eval().requires_grad_(False)
    corpus = trained.pipeline.encode(texts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / {"onnx": "model.onnx", "torch": "model.pt"}[to]
        with whole_file(file) as unfinished, torch.no_grad():
            with _explained(trained.model, to), _silent():
                program = write(model, unfinished)
            difference = _greatest_difference(program, model, corpus)
            if not difference <= TOLERANCE:  # also for NaN
                raise SentexpError(
                    f"export: the program's probabilities differ by {difference:.1e} from the model's; expected at "
                    f"most {TOLERANCE:.0e}: a model that decides by the values of a batch cannot be exported"
                )
        trained.save_texts(folder)
        (folder / "example.py").write_text(example(to), encoding="utf-8")
        (folder / "README.txt").write_text(readme(to, trained), encoding="utf-8")
    except OSError as error:
        raise SentexpError(f"--output {folder}: {one_line(error)}; expected a folder to write to") from error
    return Exported(file, difference, len(texts))


class ProbabilityModel(nn.Module):
    """A classifier with probabilities [B, C] for its logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return probabilities(self.model(ids, lengths))


def _greatest_difference(program: Program, model: Program, corpus: Corpus) -> float:
    """Compare both on the reviews in batches of each of BATCH_SIZES."""
    rows = torch.arange(len(corpus))
    batches = Batches(corpus).of([part for size in BATCH_SIZES for part in rows.split(size)])
    differences = [(program(batch.ids, batch.lengths) - model(batch.ids, batch.lengths)).abs() for batch in batches]
    return float(torch.cat([difference.flatten() for difference in differences]).max())


def _examples() -> tuple[Tensor, Tensor]:
    """Return ids [B, T] and lengths [B] to trace with; no two of the sizes are equal, and none is 1."""
    return torch.zeros(3, 7, dtype=torch.int64), torch.tensor([7, 4, 2])


def _write_torchscript(model: ProbabilityModel, file: Path) -> Program:
    torch.jit.save(torch.jit.trace(model, _examples(), check_trace=False), str(file))
    program = torch.jit.load(str(file))

    def run(ids: Tensor, lengths: Tensor) -> Tensor:
        with torch.jit.optimized_execution(False):  # no compiling for the sizes of a batch that comes once
            return program(ids, lengths)

    return run


def _write_onnx(model: ProbabilityModel, file: Path) -> Program:
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise SentexpError(
            f"--to onnx: needs {error.name}; expected pip install -c constraints.txt -e '.[onnx]'"
        ) from None
    any_size = torch.export.Dim.DYNAMIC
    program = torch.onnx.export(
        _with_onnx_cells(model),
        _examples(),
        dynamo=True,
        dynamic_shapes={"ids": {0: any_size, 1: any_size}, "lengths": {0: any_size}},
        input_names=["ids", "lengths"],
        output_names=["probabilities"],
        verbose=False,
    )
    assert program is not None  # it is for dynamo=True
    program.save(str(file))
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return lambda ids, lengths: torch.from_numpy(
        session.run(["probabilities"], {"ids": ids.numpy(), "lengths": lengths.numpy()})[0]
    )


GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""Places of ONNX's gates (LSTM: i o f c, GRU: z r h) among PyTorch's (i f g o, r z n)."""


class _OnnxLSTM(LSTM):
    def forward(  # type: ignore[override]
        self, inputs: Tensor, lengths: Tensor, scale: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        return run_layers(self, inputs, lengths, scale, _onnx_pass)


class _OnnxGRU(GRU):
    def forward(  # type: ignore[override]
        self, inputs: Tensor, lengths: Tensor, scale: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        return run_layers(self, inputs, lengths, scale, _onnx_pass)


def _with_onnx_cells(model: nn.Module) -> nn.Module:
    """Copy `model` with cells that run on ONNX's operators LSTM and GRU, their weights in ONNX's order of gates."""
    model = copy.deepcopy(model)
    for name, cell in list(model.named_modules()):
        if type(cell) is LSTM or type(cell) is GRU:
            kind = _OnnxLSTM if cell.mode == "LSTM" else _OnnxGRU
            onnx_cell = kind(
                cell.input_size,
                cell.hidden_size,
                cell.num_layers,
                bias=cell.bias,
                batch_first=True,
                bidirectional=cell.bidirectional,
            ).eval()
            order = GATES[cell.mode]
            weights = {key: value.chunk(len(order)) for key, value in cell.state_dict().items()}
            onnx_cell.load_state_dict({key: torch.cat([parts[n] for n in order]) for key, parts in weights.items()})
            model.set_submodule(name, onnx_cell.requires_grad_(False))
    return model


def _onnx_pass(cell: nn.RNNBase, inputs: Tensor, weights: list[Tensor]) -> Tensor:
    """Run one direction of one layer by ONNX's operator, as `dense_pass` does: [T, B, E] -> [T, B, H].

    torch.export itself would write one step per token of the example.
    """
    own = [weight.unsqueeze(0) for weight in weights[:2]]  # [1, G*H, E], [1, G*H, H]
    if cell.bias:
        own.append(torch.cat(weights[2:]).unsqueeze(0))  # [1, 2*G*H]
    attributes: dict[str, Any] = {"hidden_size": cell.hidden_size}
    if cell.mode == "GRU":
        attributes["linear_before_reset"] = 1  # PyTorch's way
    outputs = torch.onnx.ops.symbolic(
        cell.mode,
        [inputs, *own],
        attributes,
        dtype=inputs.dtype,
        shape=(inputs.shape[0], 1, inputs.shape[1], cell.hidden_size),
    )  # [T, 1, B, H]
    return outputs.squeeze(1)


@contextmanager
def _explained(model: nn.Module, to: str) -> Iterator[None]:
    """Say as one line what torch's exporters do not take."""
    try:
        yield
    except SentexpError:
        raise
    except Exception as error:  # there is no one class of what they raise
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = one_line(cause)
        raise SentexpError(
            f"--to {to}: {type(model).__name__} cannot be exported: {reason}; expected a model of operations on "
            "tensors alone, without a look at their values"
        ) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Keep back what the exporters tell about themselves; what is wrong with a program is found by the check."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
