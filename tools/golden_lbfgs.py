#!/usr/bin/env python3
"""Writes tests/golden/lbfgs/*.safetensors: ten steps of PyTorch's LBFGS on small problems, in f64.

Run in the project's root with Python 3, NumPy and PyTorch; the files are checked in. A file holds
x and y, the parameters before the first step (param.NAME) and after each (after.STEP.NAME), and
loss [10], the loss before each step. Metadata: "op" ("logistic": mean log(1 + exp(-y (x w + b)))
+ 0.01 sum w^2; "network": mean (tanh(x w + b) v - y)^2 + 0.01 (sum w^2 + sum v^2)), "attributes"
(the options) and the number of evaluations.
"""
import pathlib

import numpy as np
import torch

import golden_file

OUT = pathlib.Path("tests/golden/lbfgs")
STEPS = 10


def logistic(p, x, y):
    z = (x @ p["w"] + p["b"]) * y
    return torch.nn.functional.softplus(-z).mean() + 0.01 * (p["w"] ** 2).sum()


def network(p, x, y):
    penalty = 0.01 * ((p["w"] ** 2).sum() + (p["v"] ** 2).sum())
    return ((torch.tanh(x @ p["w"] + p["b"]) @ p["v"] - y) ** 2).mean() + penalty


MODELS = {"logistic": (logistic, {"w": (4, 1), "b": (1,)}),
          "network": (network, {"w": (4, 3), "b": (3,), "v": (3, 1)})}
OPTIONS = {
    "plain": dict(lr=0.3, max_iter=3),
    "plain_long": dict(lr=0.7, max_iter=5, history_size=4),
    "few_looks": dict(lr=0.5, max_iter=9, max_eval=4),
    "loose": dict(lr=0.7, max_iter=6, tolerance_grad=1e-2, tolerance_change=1e-3),
    "wolfe": dict(lr=1.0, max_iter=4, line_search_fn="strong_wolfe"),
    "wolfe_far": dict(lr=60.0, max_iter=2, line_search_fn="strong_wolfe", history_size=3),
    "wolfe_near": dict(lr=1e-3, max_iter=3, line_search_fn="strong_wolfe", history_size=2),
}


def write(model, name, options):
    torch.manual_seed(3)
    rng = np.random.default_rng(11)
    function, shapes = MODELS[model]
    x = torch.tensor(rng.standard_normal((24, 4)))
    y = torch.tensor(np.sign(rng.standard_normal((24, 1)) + x[:, :1].numpy()))
    p = {k: torch.nn.Parameter(torch.tensor(0.5 * rng.standard_normal(s)))
         for k, s in shapes.items()}
    tensors = {"x": x.numpy(), "y": y.numpy()}
    tensors.update({f"param.{k}": v.detach().numpy().copy() for k, v in p.items()})
    optimizer = torch.optim.LBFGS(p.values(), **options)

    def closure():
        optimizer.zero_grad()
        loss = function(p, x, y)
        loss.backward()
        return loss

    losses = []
    for step in range(1, STEPS + 1):
        losses.append(float(optimizer.step(closure)))
        for k, v in p.items():
            tensors[f"after.{step}.{k}"] = v.detach().numpy().copy()
    tensors["loss"] = np.array(losses)
    evaluations = optimizer.state[next(iter(p.values()))]["func_evals"]
    golden_file.write(OUT / f"{model}_{name}.safetensors", tensors,
                      {"op": model, "attributes": options, "evaluations": str(evaluations),
                       "torch": torch.__version__})
    print(model, name, losses[0], losses[-1], evaluations)


OUT.mkdir(parents=True, exist_ok=True)
for model in MODELS:
    for name, options in OPTIONS.items():
        write(model, name, options)
