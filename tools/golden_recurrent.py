#!/usr/bin/env python3
"""Writes tests/golden/recurrent/*.safetensors: PyTorch's RNN, GRU and LSTM with gradients.

Run in the project's root with Python 3, NumPy and PyTorch; the files are small, f64, and checked
in. Each holds x, h0, c0 (where given), lengths (i64), the module's parameters by their names,
y, h, c, "cotangent.<result>" (drawn at random) and "grad.<name>" of x, h0, c0 and every
parameter. Lengths are packed sequences. Metadata: "op" and "attributes" (JSON) in PyTorch's
words, "torch" its version.
"""
import itertools
import pathlib

import torch
from torch import nn
from torch.nn.utils import rnn as packing

import golden_file

OUT = pathlib.Path("tests/golden/recurrent")
INPUTS, UNITS, STEPS, BATCH = 3, 4, 5, 3
LENGTHS = [3, 5, 1]


def rand(*shape):
    return torch.randn(shape, dtype=torch.float64)


def array(t):
    return t.detach().clone().contiguous().numpy()


def call(module, x, states, lengths):
    if lengths is None:
        return module(x, states)
    packed = packing.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False,
                                          batch_first=module.batch_first)
    y, states = module(packed, states)
    return packing.pad_packed_sequence(y, batch_first=module.batch_first)[0], states


def case(name, kind, states=False, lengths=None, **attributes):
    module = getattr(nn, kind)(INPUTS, UNITS, **attributes).double()
    rows = module.num_layers * (2 if module.bidirectional else 1)
    shape = (BATCH, STEPS) if module.batch_first else (STEPS, BATCH)
    given = {"x": rand(*shape, INPUTS)}
    if states:
        given["h0"] = rand(rows, BATCH, module.proj_size or UNITS)
        if kind == "LSTM":
            given["c0"] = rand(rows, BATCH, UNITS)
    leaves = {k: v.clone().requires_grad_() for k, v in given.items()}
    start = None
    if states:
        start = (leaves["h0"], leaves["c0"]) if kind == "LSTM" else leaves["h0"]
    y, last = call(module, leaves["x"], start, lengths)
    results = dict(zip("yhc", (y, *last) if kind == "LSTM" else (y, last)))
    cotangents = {k: rand(*v.shape) for k, v in results.items()}
    sum((results[k] * cotangents[k]).sum() for k in results).backward()
    leaves |= dict(module.named_parameters())
    tensors = {k: array(v) for k, v in (leaves | results).items()}
    tensors |= {f"cotangent.{k}": array(v) for k, v in cotangents.items()}
    tensors |= {f"grad.{k}": array(v.grad) for k, v in leaves.items()}
    if lengths is not None:
        tensors["lengths"] = torch.tensor(lengths).numpy()
    golden_file.write(OUT / f"{name}.safetensors", tensors,
                      {"op": kind, "attributes": attributes | {"hidden_size": UNITS},
                       "torch": torch.__version__})


def main():
    torch.manual_seed(5)
    OUT.mkdir(parents=True, exist_ok=True)
    for kind in ("RNN", "GRU", "LSTM"):
        low = kind.lower()
        for layers, both in itertools.product((1, 2), (False, True)):
            name = f"{low}_{layers}{'_both' if both else ''}"
            case(name, kind, num_layers=layers, bidirectional=both)
            case(f"{name}_lengths", kind, states=True, lengths=LENGTHS, num_layers=layers,
                 bidirectional=both, batch_first=both)
        case(f"{low}_states", kind, states=True)
        case(f"{low}_no_bias", kind, states=True, bias=False, bidirectional=True)
    case("rnn_relu", "RNN", states=True, nonlinearity="relu", num_layers=2, bidirectional=True)
    case("lstm_projected", "LSTM", states=True, proj_size=2)
    case("lstm_projected_lengths", "LSTM", states=True, lengths=LENGTHS, proj_size=3,
         num_layers=2, bidirectional=True, batch_first=True)


main()
