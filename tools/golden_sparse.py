#!/usr/bin/env python3
"""Writes tests/golden/sparse/*.safetensors: ten steps of PyTorch's optimisers on the sparse
gradients of an embedding.

Run in the project's root with Python 3, NumPy and PyTorch; the files are checked in.
Each NAME.safetensors holds, in f64,
  weight                  before the first step
  index.STEP, dy.STEP     what step STEP (1 .. 10) looks up, and the gradient of the result: the
                          loss is sum(dy * embedding(index)); indices repeat, rows 7 and up never
                          come
  other.STEP, dz.STEP     a second look-up in the same table, where "kind" is "two"
  after.STEP              the weight after it
  state.NAME              the optimiser's own state after the tenth, by PyTorch's name
Metadata: "op" and "attributes" (JSON) in PyTorch's words, "kind", "padding" (-1: none), "torch"
its version.
"""
import pathlib

import torch

import golden_file

OUT = pathlib.Path("tests/golden/sparse")
ROWS, WIDTH, NAMED, STEPS = 16, 2, 7, 10

CASES = {
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.05, momentum=0.9)),
    "adam": (torch.optim.SparseAdam, dict(lr=0.01)),
    "adam_options": (torch.optim.SparseAdam, dict(lr=0.02, betas=(0.8, 0.95), eps=1e-3)),
    "adam_padding": (torch.optim.SparseAdam, dict(lr=0.01), dict(padding=2)),
    "adam_two": (torch.optim.SparseAdam, dict(lr=0.01), dict(kind="two")),
    "adam_bag_sum": (torch.optim.SparseAdam, dict(lr=0.01), dict(kind="sum")),
    "adagrad": (torch.optim.Adagrad, dict(lr=0.1)),
    "adagrad_options": (torch.optim.Adagrad, dict(lr=0.1, lr_decay=0.05,
                                                  initial_accumulator_value=0.2)),
    "adagrad_bag_mean": (torch.optim.Adagrad, dict(lr=0.1), dict(kind="mean")),
}


def dense(t):
    t = t.detach()
    return (t.to_dense() if t.is_sparse else t.clone()).contiguous().numpy()


def look_up(layer, kind, shape):
    index = torch.randint(0, NAMED, shape)
    y = layer(index)
    dy = torch.randn_like(y)
    return index, dy, (y * dy).sum()


def write(name, make, options, kind="one", padding=-1):
    torch.manual_seed(3)
    pad = dict(padding_idx=padding) if padding >= 0 else {}
    bag = kind in ("sum", "mean")
    layer = (torch.nn.EmbeddingBag(ROWS, WIDTH, mode=kind, sparse=True) if bag else
             torch.nn.Embedding(ROWS, WIDTH, sparse=True, **pad))
    tensors = {"weight": dense(layer.weight)}
    optimizer = make(layer.parameters(), **options)
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        index, dy, loss = look_up(layer, kind, (2, 4))
        tensors |= {f"index.{step}": index.numpy(), f"dy.{step}": dy.numpy()}
        if kind == "two":
            index, dy, more = look_up(layer, kind, (3,))
            tensors |= {f"other.{step}": index.numpy(), f"dz.{step}": dy.numpy()}
            loss = loss + more
        loss.backward()
        assert layer.weight.grad.is_sparse
        optimizer.step()
        tensors[f"after.{step}"] = dense(layer.weight)
    for state, value in optimizer.state[layer.weight].items():
        if torch.is_tensor(value) and value.shape == layer.weight.shape:
            tensors[f"state.{state}"] = dense(value)
    golden_file.write(OUT / f"{name}.safetensors", tensors,
                      {"op": f"torch.optim.{make.__name__}", "attributes": options, "kind": kind,
                       "padding": padding, "torch": torch.__version__})


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    torch.set_default_dtype(torch.float64)
    for name, (make, options, *more) in CASES.items():
        write(name, make, options, **(more[0] if more else {}))


main()
