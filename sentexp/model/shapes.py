"""The way of one batch through a model, as a table: named dimensions, sizes and parameters, step by step."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sentexp.embedding.table import OneHot
from sentexp.model.bag_of_words import BagOfWordsClassifier
from sentexp.model.classifier import RecurrentClassifier

WIDTH = 100

Row = tuple[str, str, Sequence[int] | None, int | None]
"""Step, named dimensions, sizes, parameters."""


def describe(
    model: RecurrentClassifier | BagOfWordsClassifier,
    ids: Tensor,
    lengths: Tensor,
    words: Sequence[str] | None = None,
) -> str:
    """The way of ids [B, T] with lengths [B] through `model`: a table of at most 100 columns.

    Sizes are those of the tensors of one real forward pass, made here in evaluation mode and without gradients.
    `words` are those of the first review, shown with their numbers.
    """
    seen = _Recorder(model)(ids, lengths)
    rows = _recurrent_rows(model, seen) if isinstance(model, RecurrentClassifier) else _bag_rows(model, seen)
    total = sum(parameter.numel() for parameter in model.parameters())
    frozen = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
    lines = [type(model).__name__, ""]
    lines += textwrap.wrap(_legend(model, ids), WIDTH, subsequent_indent="  ")
    if words is not None:
        lines += ["", *_first_review(ids, lengths, words)]
    lines += ["", *_table(rows)]
    lines.append(f"{'parameters in all':<{WIDTH - 14}}{total:>14,}")
    if frozen:
        lines.append(f"{'of them not trained (frozen)':<{WIDTH - 14}}{frozen:>14,}")
    return "\n".join(lines)


class _Recorder:
    """Runs a model once and keeps the sizes of what goes into and comes out of its parts, under the parts' names."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def __call__(self, ids: Tensor, lengths: Tensor) -> dict[str, Any]:
        seen: dict[str, Any] = {"ids": ids.shape, "lengths": lengths.shape}
        handles = [
            part.register_forward_hook(_keep(seen, name)) for name, part in self.model.named_children()
        ]
        training = self.model.training
        passes = _DensePasses()
        try:
            self.model.eval()
            with torch.no_grad(), passes:
                seen["logits"] = self.model(ids, lengths).shape
        finally:
            self.model.train(training)
            for handle in handles:
                handle.remove()
        seen["passes"] = passes.sizes
        return seen


def _keep(seen: dict[str, Any], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def hook(part: nn.Module, inputs: Any, outputs: Any) -> None:
        seen[name] = {"in": _sizes(inputs), "out": _sizes(outputs)}

    return hook


def _sizes(tensors: Any) -> list[torch.Size]:
    return [tensor.shape for tensor in (tensors if isinstance(tensors, tuple) else (tensors,)) if tensor is not None]


class _DensePasses(TorchFunctionMode):
    """Keeps the sizes of each call of the dense kernels: of the input, the outputs, the hidden (and cell) state."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[list[torch.Size]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (torch.lstm, torch.gru):
            self.sizes.append([args[0].shape, *_sizes(result)])
        return result


def _recurrent_rows(model: RecurrentClassifier, seen: dict[str, Any]) -> list[Row]:
    rnn, pooling = model.rnn, model.pooling
    one_hot = isinstance(model.embedding, OneHot)
    features = "D*H" if rnn.bidirectional else "H"
    pooled = f"3*{features}" if pooling.kind == "concat" else features
    rows: list[Row] = [("word numbers", "[B, T]", seen["ids"], None), ("lengths", "[B]", seen["lengths"], None)]
    rows += _dropout_row("word dropout", model.word_dropout.p)
    if one_hot:
        rows.append(("one-hot, looked up in the weights", "[B, T]", seen["rnn"]["in"][0], None))
    else:
        rows.append(("embedding", "[B, T, E]", seen["rnn"]["in"][0], _count(model.embedding)))
    rows += _dropout_row("embedding dropout", model.embedding_dropout.p)
    gates = "4*H" if rnn.mode == "LSTM" else "3*H"
    for number, (read, written, *state) in enumerate(seen["passes"]):
        layer, backward = divmod(number, 2 if rnn.bidirectional else 1)
        if layer > 0 and not backward:
            rows += _dropout_row("dropout", rnn.dropout)
        width = features if layer > 0 else (gates if one_hot else "E")
        ending = f"_l{layer}" + "_reverse" * backward
        count = sum(p.numel() for name, p in rnn.named_parameters() if name.endswith(ending))
        rows.append((f"{rnn.mode} layer {layer + 1}, {'backward' if backward else 'forward'}", "", None, count))
        rows.append(("  reads, time first", f"[T, B, {width}]", read, None))
        rows.append(("  writes", "[T, B, H]", written, None))
        for name, size in zip(("hidden", "cell"), state, strict=False):        # a GRU has no cell state
            rows.append((f"  {name} state after the last step", "[1, B, H]", size, None))
    outputs, h_n = seen["rnn"]["out"]
    states = "L*D" if rnn.bidirectional else "L"
    rows.append(("outputs", f"[B, T, {features}]", outputs, None))
    rows.append(("h_n, of each review's last token", f"[{states}, B, H]", h_n, None))
    rows.append((f"pooling: {pooling.kind}", f"[B, {pooled}]", seen["pooling"]["out"][0], _count(pooling)))
    return rows + _head_rows(model, seen)


def _bag_rows(model: BagOfWordsClassifier, seen: dict[str, Any]) -> list[Row]:
    rows: list[Row] = [("word numbers", "[B, T]", seen["ids"], None), ("lengths", "[B]", seen["lengths"], None)]
    rows += _dropout_row("word dropout", model.word_dropout.p)
    pooled = "[B, V]"
    if not isinstance(model.embedding, OneHot):
        pooled = "[B, E]"
        rows.append(("embedding", "[B, T, E]", seen["embedding"]["out"][0], _count(model.embedding)))
    rows += _dropout_row("embedding dropout", model.embedding_dropout.p)
    rows.append((f"pooling: {model.pooling} of the vectors", pooled, seen["head"]["in"][0], None))
    return rows + _head_rows(model, seen)


def _head_rows(model: RecurrentClassifier | BagOfWordsClassifier, seen: dict[str, Any]) -> list[Row]:
    one = model.head.out_features == 1
    return [
        *_dropout_row("output dropout", model.output_dropout.p),
        ("linear", "[B, 1]" if one else "[B, C]", seen["head"]["out"][0], _count(model.head)),
        ("logits", "[B]" if one else "[B, C]", seen["logits"], None),
    ]


def _dropout_row(name: str, p: float) -> list[Row]:
    return [(f"{name}, p = {p:g}, while training", "", None, None)] if p > 0 else []


def _count(part: nn.Module) -> int:
    return sum(parameter.numel() for parameter in part.parameters())


def _legend(model: RecurrentClassifier | BagOfWordsClassifier, ids: Tensor) -> str:
    dimensions = [f"B={ids.shape[0]} reviews", f"T={ids.shape[1]} tokens in the longest"]
    if isinstance(model.embedding, OneHot):
        dimensions.append(f"V={model.embedding.num_embeddings} words in the vocabulary")
    else:
        dimensions.append(f"E={model.embedding.embedding_dim} numbers a word")
    if isinstance(model, RecurrentClassifier):
        directions = 2 if model.rnn.bidirectional else 1
        dimensions.append(f"H={model.rnn.hidden_size} hidden")
        dimensions.append(f"D={directions} direction" + "s" * (directions > 1))
        dimensions.append(f"L={model.rnn.num_layers} layer" + "s" * (model.rnn.num_layers > 1))
    dimensions.append(f"C={max(2, model.head.out_features)} classes")
    return ", ".join(dimensions)


def _first_review(ids: Tensor, lengths: Tensor, words: Sequence[str]) -> list[str]:
    shown = 12
    own = int(lengths[0])
    pairs = [f"{word} {number}" for word, number in zip(words, ids[0].tolist(), strict=False)][: min(own, shown)]
    more = f" ... ({own} tokens, then {ids.shape[1] - own} of padding)"
    return textwrap.wrap("first review: " + ", ".join(pairs) + more, WIDTH, subsequent_indent="  ")


def _table(rows: list[Row]) -> list[str]:
    cells = [("step", "dimensions", "sizes", "parameters")]
    cells += [
        (step, names, "" if size is None else str(list(size)), f"{count:,}" if count else "")
        for step, names, size, count in rows
    ]
    lines = [f"{step:<42}{names:<20}{sizes:<24}{count:>14}".rstrip() for step, names, sizes, count in cells]
    return [lines[0], "-" * WIDTH, *lines[1:], "-" * WIDTH]
