#!/usr/bin/env python3
"""Writes tests/golden/optim/*.safetensors: PyTorch's first ten steps of each optimiser.

Run in the project's root with Python 3, NumPy and PyTorch; the files are checked in.
NAME_f64 and NAME_f32 hold, for parameters K = 0, 1, ...:
  param.K            before the first step
  grad.STEP.K        the gradient given to step STEP (1 .. 10), drawn at random
  after.STEP.K       the parameter after it
  state.NAME.K       the optimiser's own state after the tenth, by PyTorch's name
clip_NAME_f64 and _f32 hold grad.K, clipped.K and, for clipping by norm, total_norm.
Metadata: "op" and "attributes" (JSON) in PyTorch's words, "torch" its version.
"""
import pathlib

import torch

import golden_file

OUT = pathlib.Path("tests/golden/optim")
SHAPES = [(2, 3), (5,)]
STEPS = 10

CASES = {
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.05, momentum=0.9)),
    "sgd_nesterov": (torch.optim.SGD, dict(lr=0.05, momentum=0.9, nesterov=True)),
    "sgd_weight_decay": (torch.optim.SGD, dict(lr=0.1, weight_decay=0.1)),
    "sgd_nesterov_weight_decay": (torch.optim.SGD, dict(lr=0.05, momentum=0.8, nesterov=True,
                                                        weight_decay=0.05)),
    "adam": (torch.optim.Adam, dict(lr=0.01)),
    "adam_weight_decay": (torch.optim.Adam, dict(lr=0.02, betas=(0.8, 0.95), eps=1e-6,
                                                 weight_decay=0.1)),
    "adamw": (torch.optim.AdamW, dict(lr=0.01)),
    "adamw_options": (torch.optim.AdamW, dict(lr=0.02, betas=(0.85, 0.99), eps=1e-4,
                                              weight_decay=0.3)),
    "rmsprop": (torch.optim.RMSprop, dict(lr=0.01)),
    "rmsprop_momentum": (torch.optim.RMSprop, dict(lr=0.01, alpha=0.9, momentum=0.9)),
    "rmsprop_centered": (torch.optim.RMSprop, dict(lr=0.01, alpha=0.95, eps=1e-6, centered=True)),
    "rmsprop_all": (torch.optim.RMSprop, dict(lr=0.01, alpha=0.9, momentum=0.8, centered=True,
                                              weight_decay=0.1)),
    "adagrad": (torch.optim.Adagrad, dict(lr=0.1)),
    "adagrad_options": (torch.optim.Adagrad, dict(lr=0.1, lr_decay=0.05, weight_decay=0.1,
                                                  initial_accumulator_value=0.2)),
}

DTYPES = {"f64": torch.float64, "f32": torch.float32}


def array(t):
    return t.detach().clone().contiguous().numpy()


def steps(name, make, options, word, dtype):
    torch.manual_seed(7)
    params = [torch.nn.Parameter(torch.randn(s, dtype=torch.float64).to(dtype)) for s in SHAPES]
    tensors = {f"param.{k}": array(p) for k, p in enumerate(params)}
    optimizer = make(params, **options)
    for step in range(1, STEPS + 1):
        for k, p in enumerate(params):
            p.grad = torch.randn(p.shape, dtype=torch.float64).to(dtype)
            tensors[f"grad.{step}.{k}"] = array(p.grad)
        optimizer.step()
        for k, p in enumerate(params):
            tensors[f"after.{step}.{k}"] = array(p)
    for k, p in enumerate(params):
        for state, value in optimizer.state[p].items():
            if torch.is_tensor(value) and value.shape == p.shape:
                tensors[f"state.{state}.{k}"] = array(value)
    golden_file.write(OUT / f"{name}_{word}.safetensors", tensors,
                      {"op": f"torch.optim.{make.__name__}", "attributes": options,
                       "torch": torch.__version__})


def clip(name, function, attributes, word, dtype):
    torch.manual_seed(11)
    params = [torch.nn.Parameter(torch.zeros(s, dtype=dtype)) for s in SHAPES]
    for p in params:
        p.grad = torch.randn(p.shape, dtype=torch.float64).to(dtype)
    tensors = {f"grad.{k}": array(p.grad) for k, p in enumerate(params)}
    norm = function(params, **attributes)
    tensors |= {f"clipped.{k}": array(p.grad) for k, p in enumerate(params)}
    if norm is not None:
        tensors["total_norm"] = array(norm)
    golden_file.write(OUT / f"clip_{name}_{word}.safetensors", tensors,
                      {"op": f"torch.nn.utils.{function.__name__}", "attributes": attributes,
                       "torch": torch.__version__})


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for word, dtype in DTYPES.items():
        for name, (make, options) in CASES.items():
            steps(name, make, options, word, dtype)
        clip("norm", torch.nn.utils.clip_grad_norm_, dict(max_norm=1.0), word, dtype)
        clip("norm_inactive", torch.nn.utils.clip_grad_norm_, dict(max_norm=100.0), word, dtype)
        clip("value", torch.nn.utils.clip_grad_value_, dict(clip_value=0.5), word, dtype)


main()
