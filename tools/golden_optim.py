#!/usr/bin/env python3
"""Writes tests/golden/optim/*.safetensors: the first ten steps of each optimiser.

They are PyTorch's, but for Lamb, Lion and Lookahead, which are written here from their papers'
formulas, and the means over the steps, which are torch.optim.swa_utils'.

Run in the project's root with Python 3, NumPy and PyTorch; the files are checked in.
NAME_f64 and NAME_f32 hold, for parameters K = 0, 1, ...:
  param.K            before the first step
  grad.STEP.K        the gradient given to step STEP (1 .. 10), drawn at random
  after.STEP.K       the parameter after it
  state.NAME.K       the optimiser's own state after the tenth, by PyTorch's name
clip_NAME_f64 and _f32 hold grad.K, clipped.K and, for clipping by norm, total_norm.
Metadata: "op" and "attributes" (JSON) in PyTorch's words, "torch" its version.
"""
import math
import pathlib

import torch
import torch.optim.swa_utils

import golden_file

OUT = pathlib.Path("tests/golden/optim")
SHAPES = [(2, 3), (5,)]
STEPS = 10


class Paper(torch.optim.Optimizer):
    """An optimiser whose rule(w, g, state, options, t) changes w and its state."""

    def __init__(self, params, **options):
        super().__init__(params, dict(self.DEFAULTS, **options))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                for name in self.STATE:
                    state.setdefault(name, torch.zeros_like(p))
                state["t"] = state.get("t", 0) + 1
                self.rule(p, p.grad, state, group, state["t"])


class Lamb(Paper):
    """arXiv:1904.00962, algorithm 2, with the identity as phi."""
    DEFAULTS = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-6, weight_decay=0)
    STATE = ["exp_avg", "exp_avg_sq"]

    def rule(self, w, g, state, o, t):
        b1, b2 = o["betas"]
        m = state["exp_avg"].mul_(b1).add_((1 - b1) * g)
        v = state["exp_avg_sq"].mul_(b2).add_((1 - b2) * g * g)
        r = m / (1 - b1 ** t) / ((v / (1 - b2 ** t)).sqrt() + o["eps"]) + o["weight_decay"] * w
        a, b = float(w.norm()), float(r.norm())
        w.sub_(o["lr"] * (a / b if a > 0 and b > 0 else 1) * r)


class Lion(Paper):
    """arXiv:2302.06675, algorithm 2."""
    DEFAULTS = dict(lr=1e-4, betas=(0.9, 0.99), weight_decay=0)
    STATE = ["exp_avg"]

    def rule(self, w, g, state, o, t):
        b1, b2 = o["betas"]
        m = state["exp_avg"]
        c = torch.sign(b1 * m + (1 - b1) * g)
        w.sub_(o["lr"] * (c + o["weight_decay"] * w))
        m.mul_(b2).add_((1 - b2) * g)


class Around:
    """What goes around any optimiser: the L1 penalty, Lookahead (arXiv:1907.08610, algorithm 1), a
    mean of the parameters."""

    def __init__(self, params, l1=0, lookahead=0, lookahead_alpha=0.5, ema=0, swa=False,
                 swa_start=0, swa_every=1):
        self.params, self.l1, self.k, self.alpha = params, l1, lookahead, lookahead_alpha
        self.slow = [p.detach().clone() for p in params]
        self.ema, self.swa, self.start, self.every = ema, swa, swa_start, swa_every
        self.model = torch.nn.ParameterList(params)
        self.average, self.t = None, 0

    @torch.no_grad()
    def before(self):
        for p in self.params:
            p.grad = p.grad + self.l1 * torch.sign(p)

    @torch.no_grad()
    def after(self):
        self.t += 1
        for p, slow in zip(self.params, self.slow):
            if self.k and self.t % self.k == 0:
                slow.add_(self.alpha * (p - slow))
                p.copy_(slow)
        fresh = self.average is None or (self.swa and self.t < self.start + self.every)
        if fresh:
            fn = (lambda a, p, n: self.ema * a + (1 - self.ema) * p) if self.ema else None
            self.average = torch.optim.swa_utils.AveragedModel(self.model, avg_fn=fn)
        if self.ema or (self.swa and self.t > self.start
                        and (self.t - self.start) % self.every == 0):
            self.average.update_parameters(self.model)

    def state(self, k):
        return ({"slow": self.slow[k]} if self.k else {}) | (
            {"average": list(self.average.parameters())[k]} if self.ema or self.swa else {})


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
    "sgd_dampening": (torch.optim.SGD, dict(lr=0.05, momentum=0.9, dampening=0.3)),
    "sgd_maximize": (torch.optim.SGD, dict(lr=0.05, momentum=0.5, dampening=0.1, weight_decay=0.1,
                                           maximize=True)),
    "adam_amsgrad": (torch.optim.Adam, dict(lr=0.02, betas=(0.8, 0.9), amsgrad=True,
                                            weight_decay=0.1)),
    "adam_maximize": (torch.optim.Adam, dict(lr=0.02, maximize=True, betas=(0, 0.9))),
    "adamw_amsgrad": (torch.optim.AdamW, dict(lr=0.02, betas=(0.9, 0.99), weight_decay=0.2,
                                              amsgrad=True, maximize=True)),
    "adamw_no_decay": (torch.optim.AdamW, dict(lr=0.02, weight_decay=0)),
    "nadam": (torch.optim.NAdam, dict()),
    "nadam_options": (torch.optim.NAdam, dict(lr=0.02, betas=(0.8, 0.95), eps=1e-6,
                                              weight_decay=0.05, momentum_decay=0.3)),
    "radam": (torch.optim.RAdam, dict()),
    "radam_options": (torch.optim.RAdam, dict(lr=0.02, betas=(0.8, 0.99), eps=1e-5,
                                              weight_decay=0.02)),
    "radam_never": (torch.optim.RAdam, dict(lr=0.02, betas=(0.9, 0.6))),
    "adamax": (torch.optim.Adamax, dict()),
    "adamax_options": (torch.optim.Adamax, dict(lr=0.02, betas=(0.8, 0.9), eps=1e-3,
                                                weight_decay=0.1, maximize=True)),
    "asgd": (torch.optim.ASGD, dict()),
    "asgd_options": (torch.optim.ASGD, dict(lr=0.05, lambd=0.3, alpha=0.6, t0=4,
                                            weight_decay=0.1, maximize=True)),
    "asgd_from_the_first": (torch.optim.ASGD, dict(lr=0.05, t0=0, lambd=0)),
    "rprop": (torch.optim.Rprop, dict()),
    "rprop_options": (torch.optim.Rprop, dict(lr=0.3, etas=(0.4, 1.5), step_sizes=(0.05, 0.5),
                                              maximize=True)),
    "adadelta": (torch.optim.Adadelta, dict()),
    "adadelta_options": (torch.optim.Adadelta, dict(lr=0.5, rho=0.7, eps=1e-3, weight_decay=0.1,
                                                    maximize=True)),
    "rmsprop_maximize": (torch.optim.RMSprop, dict(lr=0.01, maximize=True, weight_decay=0.1)),
    "adagrad_maximize": (torch.optim.Adagrad, dict(lr=0.1, maximize=True)),
    "lamb": (Lamb, dict()),
    "lamb_options": (Lamb, dict(lr=0.05, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1)),
    "lion": (Lion, dict()),
    "lion_options": (Lion, dict(lr=0.02, betas=(0.8, 0.95), weight_decay=0.2)),
    "l1": (torch.optim.SGD, dict(lr=0.05, weight_decay=0.1), dict(l1=0.3)),
    "lookahead": (torch.optim.SGD, dict(lr=0.1, momentum=0.9), dict(lookahead=3)),
    "lookahead_alpha": (torch.optim.Adam, dict(lr=0.05), dict(lookahead=4, lookahead_alpha=0.8)),
    "ema": (torch.optim.Adam, dict(lr=0.05), dict(ema=0.9)),
    "swa": (torch.optim.SGD, dict(lr=0.1), dict(swa=True)),
    "swa_late": (torch.optim.Adam, dict(lr=0.1, amsgrad=True),
                 dict(swa=True, swa_start=3, swa_every=2, lookahead=4)),
}

DTYPES = {"f64": torch.float64, "f32": torch.float32}


def array(t):
    return t.detach().clone().contiguous().numpy()


def steps(name, make, options, around, word, dtype):
    torch.manual_seed(7)
    params = [torch.nn.Parameter(torch.randn(s, dtype=torch.float64).to(dtype)) for s in SHAPES]
    tensors = {f"param.{k}": array(p) for k, p in enumerate(params)}
    optimizer, outer = make(params, **options), Around(params, **around)
    for step in range(1, STEPS + 1):
        for k, p in enumerate(params):
            p.grad = torch.randn(p.shape, dtype=torch.float64).to(dtype)
            tensors[f"grad.{step}.{k}"] = array(p.grad)
        outer.before()
        optimizer.step()
        outer.after()
        for k, p in enumerate(params):
            tensors[f"after.{step}.{k}"] = array(p)
    for k, p in enumerate(params):
        for state, value in optimizer.state[p].items():
            if torch.is_tensor(value) and value.shape == p.shape:
                tensors[f"state.{state}.{k}"] = array(value)
        for state, value in outer.state(k).items():
            tensors[f"state.{state}.{k}"] = array(value)
    golden_file.write(OUT / f"{name}_{word}.safetensors", tensors,
                      {"op": ("" if issubclass(make, Paper) else "torch.optim.") + make.__name__,
                       "attributes": dict(options, **around),
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
                      {"op": f"torch.nn.utils.{function.__name__}",
                       "attributes": {k: str(v) if v == math.inf else v
                                      for k, v in attributes.items()},
                       "torch": torch.__version__})


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    torch.set_default_dtype(torch.float64)  # of the scalars that PyTorch keeps as tensors
    for word, dtype in DTYPES.items():
        for name, (make, options, *around) in CASES.items():
            steps(name, make, options, around[0] if around else {}, word, dtype)
        clip("norm", torch.nn.utils.clip_grad_norm_, dict(max_norm=1.0), word, dtype)
        clip("norm_inactive", torch.nn.utils.clip_grad_norm_, dict(max_norm=100.0), word, dtype)
        for text, p in (("1", 1.0), ("3_5", 3.5), ("inf", math.inf)):
            clip(f"norm_{text}", torch.nn.utils.clip_grad_norm_, dict(max_norm=0.5, norm_type=p), word,
                 dtype)
        clip("value", torch.nn.utils.clip_grad_value_, dict(clip_value=0.5), word, dtype)


main()
