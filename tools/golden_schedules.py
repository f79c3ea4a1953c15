#!/usr/bin/env python3
"""Writes tests/golden/schedules/*.safetensors: what 40 steps of each schedule use.

Run in the project's root with Python 3, NumPy and PyTorch; the files are small and checked in.
lr and momentum are those of SGD with lr 0.1 and momentum 0.9, by PyTorch's schedulers; warm-up is
written here as a function of the step, for LambdaLR. metric: what ReduceLROnPlateau was fed after
each step. Metadata: "op" and "attributes" (JSON) in PyTorch's words, "torch" its version.
"""
import math
import pathlib

import torch

import golden_file

OUT = pathlib.Path("tests/golden/schedules")
STEPS = 40
S = torch.optim.lr_scheduler


class Warmup(S.LambdaLR):
    def __init__(self, optimizer, warmup, decay="linear", steps=STEPS):
        def factor(t):
            if t < warmup:
                return t / warmup
            p = min((t - warmup) / (steps - warmup), 1)
            return {"linear": 1 - p, "cosine": (1 + math.cos(math.pi * p)) / 2,
                    "inverse_sqrt": math.sqrt(warmup / t), "constant": 1}[decay]
        super().__init__(optimizer, factor)


CASES = {
    "constant": (S.ConstantLR, dict()),
    "constant_options": (S.ConstantLR, dict(factor=0.3, total_iters=8)),
    "step": (S.StepLR, dict(step_size=7)),
    "step_options": (S.StepLR, dict(step_size=3, gamma=0.7)),
    "multi_step": (S.MultiStepLR, dict(milestones=[5, 6, 30])),
    "multi_step_options": (S.MultiStepLR, dict(milestones=[11], gamma=1.5)),
    "exponential": (S.ExponentialLR, dict(gamma=0.9)),
    "polynomial": (S.PolynomialLR, dict()),
    "polynomial_options": (S.PolynomialLR, dict(total_iters=30, power=2.5)),
    "linear": (S.LinearLR, dict()),
    "linear_options": (S.LinearLR, dict(start_factor=0.2, end_factor=0.7, total_iters=17)),
    "linear_down": (S.LinearLR, dict(start_factor=1.0, end_factor=0.1, total_iters=40)),
    "cosine": (S.CosineAnnealingLR, dict(T_max=40)),
    "cosine_options": (S.CosineAnnealingLR, dict(T_max=9, eta_min=0.02)),
    "restarts": (S.CosineAnnealingWarmRestarts, dict(T_0=7)),
    "restarts_options": (S.CosineAnnealingWarmRestarts, dict(T_0=4, T_mult=2, eta_min=0.01)),
    "restarts_three": (S.CosineAnnealingWarmRestarts, dict(T_0=1, T_mult=3)),
    "one_cycle": (S.OneCycleLR, dict(max_lr=0.5, total_steps=40)),
    "one_cycle_options": (S.OneCycleLR, dict(max_lr=0.5, total_steps=45, pct_start=0.15,
                                             div_factor=10, final_div_factor=50,
                                             base_momentum=0.7, max_momentum=0.99)),
    "one_cycle_linear": (S.OneCycleLR, dict(max_lr=0.2, epochs=4, steps_per_epoch=10,
                                            anneal_strategy="linear", cycle_momentum=False)),
    "one_cycle_three": (S.OneCycleLR, dict(max_lr=0.3, total_steps=40, three_phase=True)),
    "one_cycle_three_linear": (S.OneCycleLR, dict(max_lr=0.3, total_steps=41, three_phase=True,
                                                  pct_start=0.4, anneal_strategy="linear")),
    "cyclic": (S.CyclicLR, dict(base_lr=0.01, max_lr=0.2, step_size_up=6)),
    "cyclic_slow": (S.CyclicLR, dict(base_lr=0.01, max_lr=0.2)),
    "cyclic_triangular2": (S.CyclicLR, dict(base_lr=0.01, max_lr=0.2, step_size_up=4,
                                            step_size_down=7, mode="triangular2")),
    "cyclic_exp_range": (S.CyclicLR, dict(base_lr=0.02, max_lr=0.3, step_size_up=5, gamma=0.95,
                                          mode="exp_range", base_momentum=0.6,
                                          max_momentum=0.95)),
    "cyclic_no_momentum": (S.CyclicLR, dict(base_lr=0.02, max_lr=0.3, step_size_up=9,
                                            step_size_down=2, cycle_momentum=False)),
    "warmup": (Warmup, dict(warmup=7)),
    "warmup_cosine": (Warmup, dict(warmup=10, decay="cosine", steps=30)),
    "warmup_inverse_sqrt": (Warmup, dict(warmup=5, decay="inverse_sqrt")),
    "warmup_constant": (Warmup, dict(warmup=12, decay="constant")),
    "plateau": (S.ReduceLROnPlateau, dict()),
    "plateau_options": (S.ReduceLROnPlateau, dict(factor=0.5, patience=2, threshold=0.05,
                                                  cooldown=3, min_lr=0.004)),
    "plateau_at_once": (S.ReduceLROnPlateau, dict(factor=0.9, patience=0, threshold=0,
                                                  threshold_mode="abs")),
    "plateau_max": (S.ReduceLROnPlateau, dict(mode="max", factor=0.3, patience=3)),
    "plateau_max_abs": (S.ReduceLROnPlateau, dict(mode="max", factor=0.3, patience=1, eps=1e-3,
                                                  threshold=0.1, threshold_mode="abs")),
}


def rates(name, make, options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, momentum=0.9)
    schedule = make(optimizer, **options)
    metric = 1 / (1 + torch.arange(STEPS, dtype=torch.float64)) + 0.05 * torch.randn(
        STEPS, dtype=torch.float64)
    plateau = make is S.ReduceLROnPlateau
    lr, momentum = [], []
    for step in range(STEPS):
        lr.append(optimizer.param_groups[0]["lr"])
        momentum.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if step < STEPS - 1:
            schedule.step(*([metric[step].item()] if plateau else []))
    tensors = {"lr": torch.tensor(lr, dtype=torch.float64).numpy(),
               "momentum": torch.tensor(momentum, dtype=torch.float64).numpy()}
    if plateau:
        tensors["metric"] = metric.numpy()
    golden_file.write(OUT / f"{name}.safetensors", tensors,
                      {"op": make.__name__, "attributes": options, "torch": torch.__version__})


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    for name, (make, options) in CASES.items():
        rates(name, make, options)


main()
