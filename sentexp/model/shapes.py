"""One batch's way through a model as a table: the sizes and parameters of each step."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from sentexp.embedding.table import OneHot
from sentexp.model.bag_of_words import BagOfWordsClassifier
from sentexp.model.classifier import RecurrentClassifier

# Shapes: B reviews in a batch, T tokens in the longest of them, C classes; a table's legend explains its other letters

WIDTH = 100

Row = tuple[str, str, Sequence[int] | None, int | None]
"""Step, named dimensions, sizes, parameters."""


def describe(model: nn.Module, ids: Tensor, lengths: Tensor, tokens: Sequence[str] | None = None) -> str:
    """Show how token ids [B, T] with lengths [B] pass through `model`: a table of at most 100 columns.

    The sizes are those of one real forward pass, made here in evaluation mode and without gradients.
    RecurrentClassifier and BagOfWordsClassifier get named dimensions. Any other model gets one row per module that was
    called and called no other, in the order of the calls; after several calls it shows the sizes of the first.
    `tokens` are those of the first review, shown with their ids.
    """
    lines = [type(model).__name__, ""]
    # A subclass may have another forward, which the named tables do not know.
    if type(model) is RecurrentClassifier or type(model) is BagOfWordsClassifier:
        legend, table = _legend(model, ids), _named_table(model, ids, lengths)
    else:
        legend, table = _batch_legend(ids), _table_of_calls(model, ids, lengths)
    lines += _wrapped(", ".join(_unbroken(dimension) for dimension in legend), WIDTH)
    if tokens is not None:
        lines += ["", *_first_review(ids, lengths, tokens)]
    lines += ["", *table]
    total = _count(model)
    frozen = sum(parameter.numel() for parameter in model.parameters() if not parameter.requires_grad)
    lines.append(f"{'parameters in all':<{WIDTH - 14}}{total:>14,}")
    if frozen:
        lines.append(f"{'of them not trained (frozen)':<{WIDTH - 14}}{frozen:>14,}")
    return "\n".join(lines)


def _logits(model: nn.Module, ids: Tensor, lengths: Tensor, hooks: Iterable[RemovableHandle]) -> Tensor:
    """Run `model` in evaluation mode and without gradients, then remove `hooks` and restore each module's mode."""
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            logits: Tensor = model(ids, lengths)
    finally:
        for module, training in modes.items():
            module.training = training
        for hook in hooks:
            hook.remove()
    return logits


@dataclass
class _Call:
    """The calls of one module: the sizes of the first, and how many there were."""

    inputs: list[torch.Size]
    outputs: list[torch.Size]
    times: int = 1


@dataclass
class _Calls:
    """Hooks that record the calls of those modules that call no other, in the order of their first calls."""

    of: dict[nn.Module, _Call] = field(default_factory=dict)
    finished: int = 0
    _finished_before: list[int] = field(default_factory=list)

    def watch(self, module: nn.Module) -> list[RemovableHandle]:
        return [
            module.register_forward_pre_hook(self._enter),
            module.register_forward_hook(self._leave, with_kwargs=True),
        ]

    def _enter(self, module: nn.Module, inputs: Any) -> None:
        self._finished_before.append(self.finished)

    def _leave(self, module: nn.Module, inputs: Any, named_inputs: Any, outputs: Any) -> None:
        if self._finished_before.pop() == self.finished:
            if module in self.of:
                self.of[module].times += 1
            else:
                self.of[module] = _Call(list(_all_sizes([inputs, named_inputs])), list(_all_sizes(outputs)))
        self.finished += 1


def _all_sizes(values: Any) -> Iterator[torch.Size]:
    """Yield the sizes of all tensors in nested tuples, lists and mappings; a PackedSequence counts as its data."""
    if isinstance(values, Tensor):
        yield values.shape
    elif isinstance(values, PackedSequence):
        yield values.data.shape
    elif isinstance(values, (tuple, list, Mapping)):
        for value in values.values() if isinstance(values, Mapping) else values:
            yield from _all_sizes(value)


def _table_of_calls(model: nn.Module, ids: Tensor, lengths: Tensor) -> list[str]:
    calls, names = _Calls(), {module: name for name, module in model.named_modules() if name}
    logits = _logits(model, ids, lengths, [hook for module in names for hook in calls.watch(module)])
    rows = [("token ids", _unbroken(f"[B, T] = {list(ids.shape)}"), 0), ("lengths", f"[B] = {list(lengths.shape)}", 0)]
    for module, call in calls.of.items():
        step = f"{names[module]}: {type(module).__name__}" + f" x {call.times}" * (call.times > 1)
        rows.append((step, f"{_listed(call.inputs)} -> {_listed(call.outputs)}", _count(module)))
    rows.append(("logits", f"{'[B]' if logits.dim() == 1 else '[B, C]'} = {list(logits.shape)}", 0))
    shown = {parameter for module in calls.of for parameter in module.parameters()}
    others = sum(parameter.numel() for parameter in set(model.parameters()) - shown)
    if others:
        rows.append(("parameters outside of these modules", "", others))
    lines = [f"{'step':<42}{'sizes':<44}{'parameters':>14}", "-" * WIDTH]
    for step, sizes, count in rows:
        counts = [f"{count:,}" if count else ""]
        cells = itertools.zip_longest(_wrapped(step, 40), _wrapped(sizes, 43), counts, fillvalue="")
        lines += [f"{name:<42}{size:<44}{number:>14}".rstrip() for name, size, number in cells]
    return [*lines, "-" * WIDTH]


def _listed(sizes: list[torch.Size]) -> str:
    return ", ".join(_unbroken(str(list(size))) for size in sizes) or "no tensor"


def _unbroken(text: str) -> str:
    """Make `_wrapped` keep `text` on one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _wrapped(text: str, width: int) -> list[str]:
    lines = textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def _named_table(model: RecurrentClassifier | BagOfWordsClassifier, ids: Tensor, lengths: Tensor) -> list[str]:
    seen: dict[str, Any] = {"ids": ids.shape, "lengths": lengths.shape}
    hooks = [part.register_forward_hook(_keep(seen, name)) for name, part in model.named_children()]
    with _DensePasses() as passes:
        seen["logits"] = _logits(model, ids, lengths, hooks).shape
    seen["passes"] = passes.sizes
    return _table(_recurrent_rows(model, seen) if isinstance(model, RecurrentClassifier) else _bag_rows(model, seen))


def _keep(seen: dict[str, Any], name: str) -> Callable[[nn.Module, Any, Any], None]:
    def hook(part: nn.Module, inputs: Any, outputs: Any) -> None:
        seen[name] = {"in": _sizes(inputs), "out": _sizes(outputs)}

    return hook


def _sizes(tensors: Any) -> list[torch.Size]:
    return [tensor.shape for tensor in (tensors if isinstance(tensors, tuple) else (tensors,)) if tensor is not None]


class _DensePasses(TorchFunctionMode):
    """Records, for each call of a dense kernel, the sizes of its input, outputs, hidden state and cell state."""

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
    rows: list[Row] = [("token ids", "[B, T]", seen["ids"], None), ("lengths", "[B]", seen["lengths"], None)]
    rows += _dropout_row("word dropout", model.word_dropout.p)
    if one_hot:
        rows.append(("one-hot, looked up in the weights", "[B, T]", seen["rnn"]["in"][0], None))
    else:
        rows.append(("embedding", "[B, T, E]", seen["rnn"]["in"][0], _count(model.embedding)))
    rows += _dropout_row("embedding dropout", model.embedding_dropout.p)
    gates = "4*H" if rnn.mode == "LSTM" else "3*H"
    for number, (before, after, *state) in enumerate(seen["passes"]):
        layer, backward = divmod(number, 2 if rnn.bidirectional else 1)
        if layer > 0 and not backward:
            rows += _dropout_row("dropout", rnn.dropout)
        width = features if layer > 0 else (gates if one_hot else "E")
        ending = f"_l{layer}" + "_reverse" * backward
        count = sum(p.numel() for name, p in rnn.named_parameters() if name.endswith(ending))
        rows.append((f"{rnn.mode} layer {layer + 1}, {'backward' if backward else 'forward'}", "", None, count))
        rows.append(("  inputs, time first", f"[T, B, {width}]", before, None))
        rows.append(("  outputs, time first", "[T, B, H]", after, None))
        for name, size in zip(("hidden", "cell"), state, strict=False):        # a GRU has no cell state
            rows.append((f"  {name} state after the last step", "[1, B, H]", size, None))
    outputs, h_n = seen["rnn"]["out"]
    states = "L*D" if rnn.bidirectional else "L"
    rows.append(("outputs", f"[B, T, {features}]", outputs, None))
    rows.append(("h_n, after each review's last token", f"[{states}, B, H]", h_n, None))
    rows.append((f"pooling: {pooling.kind}", f"[B, {pooled}]", seen["pooling"]["out"][0], _count(pooling)))
    return rows + _head_rows(model, seen)


def _bag_rows(model: BagOfWordsClassifier, seen: dict[str, Any]) -> list[Row]:
    rows: list[Row] = [("token ids", "[B, T]", seen["ids"], None), ("lengths", "[B]", seen["lengths"], None)]
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


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _batch_legend(ids: Tensor) -> list[str]:
    return [f"B={ids.shape[0]} reviews", f"T={ids.shape[1]} tokens in the longest"]


def _legend(model: RecurrentClassifier | BagOfWordsClassifier, ids: Tensor) -> list[str]:
    dimensions = _batch_legend(ids)
    if isinstance(model.embedding, OneHot):
        dimensions.append(f"V={model.embedding.num_embeddings} tokens in the vocabulary")
    else:
        dimensions.append(f"E={model.embedding.embedding_dim} numbers per token")
    if isinstance(model, RecurrentClassifier):
        directions = 2 if model.rnn.bidirectional else 1
        dimensions.append(f"H={model.rnn.hidden_size} hidden")
        dimensions.append(f"D={directions} direction" + "s" * (directions > 1))
        dimensions.append(f"L={model.rnn.num_layers} layer" + "s" * (model.rnn.num_layers > 1))
    dimensions.append(f"C={max(2, model.head.out_features)} classes")
    return dimensions


def _first_review(ids: Tensor, lengths: Tensor, tokens: Sequence[str]) -> list[str]:
    shown = 12
    own = int(lengths[0])
    pairs = [f"{token} {number}" for token, number in zip(tokens, ids[0].tolist(), strict=False)][: min(own, shown)]
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
