"""LSTM and GRU over right-padded reviews, exact at every length, on the dense kernels of oneDNN and cuDNN.

Packing (`pack_padded_sequence`) is exact too, but on a CPU the time of its backward pass grows with the square of the
length (pytorch/pytorch#149194). Here nothing is packed:

- In right-padded input, step t of the forward direction has seen only tokens 0..t, so the output at `lengths - 1` is
  exact whatever the padding holds.
- The backward direction is a forward pass over each review reversed within its own length, with its outputs reversed
  back in the same way.

Each direction of each layer is thus one dense call. Inside, tensors are time-major, as both kernels need them; callers
see batch-first views of them, so nothing is transposed in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Shapes: B reviews in a batch, T tokens in the longest of them, E input features, V tokens in the vocabulary,
# H hidden_size, D directions (1 or 2), L layers, G gates (4 in an LSTM, 3 in a GRU)


STATES = {"LSTM": 2, "GRU": 1}
"""States that a cell hands on from token to token."""


class LSTM(nn.LSTM):
    """nn.LSTM whose result on padded input equals nn.LSTM's on packed input; same parameters and state_dict.

    Always batch-first; no projections. Hochreiter & Schmidhuber (1997); both directions: Graves & Schmidhuber
    (2005).
    """

    def forward(  # type: ignore[override]
        self, inputs: Tensor, lengths: Tensor, scale: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run on vectors [B, T, E] or token ids [B, T], as `run_layers` does: outputs [B, T, D*H], h_n [L*D, B, H]."""
        return run_layers(self, inputs, lengths, scale)


class GRU(nn.GRU):
    """nn.GRU whose result on padded input equals nn.GRU's on packed input. Cho et al. (2014).

    PyTorch does not use oneDNN's GRU: on a CPU this runs PyTorch's own, several small kernels per token.
    """

    def forward(  # type: ignore[override]
        self, inputs: Tensor, lengths: Tensor, scale: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Run on vectors [B, T, E] or token ids [B, T], as `run_layers` does: outputs [B, T, D*H], h_n [L*D, B, H]."""
        return run_layers(self, inputs, lengths, scale)


def flattened(weights: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    """Copy `weights` into one flat buffer of `dtype` and return views of it.

    cuDNN needs one buffer with the parameters in this order; given anything else it warns and builds one in each call.
    """
    flat = torch.cat([weight.reshape(-1) for weight in weights]).to(dtype)
    pieces = flat.split([weight.numel() for weight in weights])
    return [piece.view(weight.shape) for piece, weight in zip(pieces, weights, strict=True)]


def dense_pass(cell: nn.RNNBase, inputs: Tensor, weights: list[Tensor]) -> Tensor:
    """Run one direction of one layer, from the first token to the last: inputs [T, B, E] -> outputs [T, B, H].

    `weights` are those of `parameters`, of any type; it computes in that of the inputs.
    """
    start = inputs.new_zeros(1, inputs.shape[1], cell.hidden_size)             # [1, B, H]
    return pass_from([start] * STATES[cell.mode], cell, inputs, weights)[0]


def pass_from(start: list[Tensor], cell: nn.RNNBase, inputs: Tensor, weights: list[Tensor]) -> tuple[Tensor, ...]:
    """Run as `dense_pass` does, from the states `start`, STATES[cell.mode] times [1, B, H] in the type of the inputs.

    Returns the outputs [T, B, H] and the states after the last token, each [1, B, H]: an LSTM's hidden and cell state,
    a GRU's hidden state.
    """
    weights = flattened(weights, inputs.dtype)
    # cuDNN keeps what the backward pass needs only if told that it trains; oneDNN checks the grad mode itself.
    train = torch.is_grad_enabled()
    if cell.mode == "LSTM":
        return torch.lstm(inputs, start, weights, cell.bias, 1, 0.0, train, False, False)
    return torch.gru(inputs, start[0], weights, cell.bias, 1, 0.0, train, False, False)


Kernel = Callable[[nn.RNNBase, Tensor, list[Tensor]], Tensor]
"""What runs one direction of one layer; arguments and result are those of `dense_pass`."""


def run_layers(
    cell: nn.RNNBase, inputs: Tensor, lengths: Tensor, scale: Tensor | None = None, kernel: Kernel = dense_pass
) -> tuple[Tensor, Tensor]:
    """Run every layer and direction of `cell` over each review, up to its length.

    `inputs` are vectors [B, T, E], or token ids [B, T] that stand for one-hot vectors (E = V), each multiplied by
    its `scale` [B, T] if that is given. Returns the last layer's outputs [B, T, D*H], finite but meaningless past
    a review's length, and each layer's state after a review's last token, h_n [L*D, B, H], in nn.LSTM's order.

    Under `torch.autocast` it computes in autocast's type, and the results have that type.
    Vectors past a review's length may be anything, NaN too: neither results nor gradients depend on them. Gradients
    of gradients are right where PyTorch has them for the kernel.

    Raises ValueError for an empty batch, for lengths outside 1..T, for vectors of another size than the cell's, and
    for a cell with projections. Lengths on a GPU are not checked, since the host would have to wait for them: there a
    wrong length is an index error of the GPU.
    """
    check_lengths(lengths, batch=inputs.shape[0], longest=inputs.shape[1])
    device = inputs.device
    one_hot = not inputs.is_floating_point()
    if cell.proj_size:
        raise ValueError(f"proj_size={cell.proj_size}: expected 0, since the dense kernels have no projections")
    if not one_hot and inputs.shape[2] != cell.input_size:  # the kernels would read other numbers
        raise ValueError(f"vectors of {inputs.shape[2]} numbers: expected input_size={cell.input_size}")
    dtype = next(cell.parameters()).dtype
    if torch.is_autocast_enabled(device.type):
        dtype = torch.get_autocast_dtype(device.type)
    lengths = lengths.to(device, torch.int64)
    end = (lengths - 1).view(1, -1, 1).expand(1, -1, cell.hidden_size)         # [1, B, H]
    reverse = Reversal(lengths, inputs.shape[1])
    layer = inputs.transpose(0, 1)                                             # [T, B, E], one-hot [T, B]
    if not one_hot and not being_exported():
        layer = without_odd_padding(layer, lengths)
    factors = None if scale is None else scale.t()                             # [T, B]
    states = []
    # Cast here, not by autocast, which casts weights one by one and for PyTorch's GRU at every token.
    with torch.autocast(device.type, enabled=False):
        for number in range(cell.num_layers):
            if number > 0:
                layer = F.dropout(layer, cell.dropout, cell.training)
            if layer.is_floating_point():
                layer = layer.to(dtype)
            directions = []
            for backward in (False, True)[: 1 + cell.bidirectional]:
                weights = parameters(cell, number, backward)
                vectors = reverse(layer) if backward else layer                # [T, B, E], one-hot [T, B]
                if one_hot and number == 0:
                    scales = reverse(factors) if backward and factors is not None else factors
                    vectors, weights = look_up(vectors, scales, weights, dtype)    # [T, B, G*H]
                outputs = kernel(cell, vectors, weights)                       # [T, B, H]
                states.append(outputs.gather(0, end))                          # [1, B, H]
                directions.append(reverse(outputs) if backward else outputs)
            layer = torch.cat(directions, dim=2) if cell.bidirectional else directions[0]   # [T, B, D*H]
    return layer.transpose(0, 1), torch.cat(states)


def without_odd_padding(vectors: Tensor, lengths: Tensor) -> Tensor:
    """Return `vectors` [T, B, E] with zeros past a review's length if anything in them is not finite.

    The backward pass multiplies padding by zero, and zero times NaN is NaN. To look costs less than to copy, but on a
    GPU the host would have to wait for the answer: there all are copied.
    """
    if vectors.device.type == "cpu" and bool(vectors.detach().sum().isfinite()):
        return vectors
    step = torch.arange(vectors.shape[0], device=lengths.device).unsqueeze(1)  # [T, 1]
    return vectors.masked_fill((step >= lengths).unsqueeze(2), 0)


def being_exported() -> bool:
    """Return True while a model is traced for a program without this package: there are no values to look at yet."""
    return torch.compiler.is_compiling() or torch.jit.is_tracing()


def check_lengths(lengths: Tensor, batch: int, longest: int) -> None:
    """Raise ValueError unless there are `batch` lengths, at least one, and (if on the CPU) each in 1..`longest`."""
    if being_exported():
        return
    if batch == 0 or lengths.shape != (batch,):
        raise ValueError(f"lengths of shape {list(lengths.shape)} for {batch} reviews: expected one each, and a review")
    if lengths.device.type == "cpu":
        shortest, most = int(lengths.min()), int(lengths.max())
        if shortest < 1 or most > longest:
            raise ValueError(f"lengths from {shortest} to {most}: expected 1 to {longest}, the width of the batch")


def parameters(cell: nn.RNNBase, layer: int, backward: bool) -> list[Tensor]:
    """Return weight_ih, weight_hh and, if `cell` has them, bias_ih, bias_hh of one direction of one layer."""
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if cell.bias else 2]
    return [getattr(cell, f"{name}_l{layer}" + "_reverse" * backward) for name in names]


def layers_of(cell: nn.RNNBase) -> list[list[nn.Parameter]]:
    """Return the parameters of each layer, both directions together, from the top."""
    numbers = reversed(range(cell.num_layers))
    named = [(name.removesuffix("_reverse"), parameter) for name, parameter in cell.named_parameters()]
    return [[parameter for name, parameter in named if name.endswith(f"_l{number}")] for number in numbers]


def look_up(
    ids: Tensor, scale: Tensor | None, weights: list[Tensor], dtype: torch.dtype
) -> tuple[Tensor, list[Tensor]]:
    """Return input-gate pre-activations by column look-up, and weights in which `weight_ih` is the identity.

    weight_ih [G*H, V] times the one-hot vector of an id is one column of it, so the product for `ids` [T, B] is a
    look-up [T, B, G*H]. The kernel multiplies it by the identity, which is exact: one times the value, plus zeros.
    """
    weight_ih = weights[0]
    if ids.device.type == "cpu" and not being_exported():
        # Only the columns of ids that occur become rows: a third of the time of a strided look-up.
        present, ids = ids.unique(return_inverse=True)
        weight_ih = weight_ih.index_select(1, present)
    gates = F.embedding(ids, weight_ih.t().contiguous()).to(dtype)             # [T, B, G*H]
    if scale is not None:
        gates = gates * scale.unsqueeze(2).to(dtype)
    identity = torch.eye(len(weight_ih), dtype=weight_ih.dtype, device=weight_ih.device)
    return gates, [identity, *weights[1:]]


def reverse_within(values: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each row of `values` [B, T, ...] within its own first `lengths` [B] entries; padding stays where it is.

    Raises ValueError if a length is not in 1..T. After Graves & Schmidhuber (2005), section 2.
    """
    check_lengths(lengths, values.shape[0], values.shape[1])
    return Reversal(lengths, values.shape[1])(values.transpose(0, 1)).transpose(0, 1)


class Reversal:
    """Reverses reviews within their own lengths, for time-major tensors [T, B, ...] of one batch."""

    def __init__(self, lengths: Tensor, longest: int) -> None:
        step = torch.arange(longest, device=lengths.device).unsqueeze(1)       # [T, 1]
        mirrored = torch.where(step < lengths, lengths - 1 - step, step)       # [T, B]
        review = torch.arange(lengths.shape[0], device=lengths.device)         # [B]
        self.rows = (mirrored * lengths.shape[0] + review).view(-1)            # [T*B]

    def __call__(self, values: Tensor) -> Tensor:
        if being_exported():  # without gradients, of which an exported program has none
            return permuted(values, self.rows)
        reversed_values: Tensor = _Permuted.apply(values, self.rows)
        return reversed_values


def permuted(values: Tensor, rows: Tensor) -> Tensor:
    """Put the T*B rows of `values` [T, B, ...] in the order of `rows` [T*B]."""
    return values.flatten(0, 1).index_select(0, rows).view(values.shape)


class _Permuted(torch.autograd.Function):
    """Permutation of the T*B rows of `values` [T, B, ...] by `rows`, which is its own inverse.

    Its gradient is thus the same permutation: a copy of rows, where autograd would add them up one by one.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        return permuted(values, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        return _Permuted.apply(gradient, rows), None  # applied, so that the gradient has gradients too
