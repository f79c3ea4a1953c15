#!/usr/bin/env python3
"""Writes tests/golden/steps/*.safetensors: whole training steps of small models, and schedules.

Run in the project's root with Python 3, NumPy and PyTorch; the files are small and checked in.
Each model's file holds, for steps s = 0 .. 9 along the first axis, x and y (the batch of each step),
loss (before the step), and
  before.NAME        parameters and buffers before the first step, f32, by PyTorch's names
  after.NAME         the same after the tenth, computed in f64
  result             what the model makes of x[0] after that, in evaluation mode
Metadata: "op" and "attributes" (JSON), "torch" its version.
schedules.safetensors holds learning rates by step: NAME.TOTAL for lr 0.1 over TOTAL steps.
"""
import pathlib

import torch
import torch.nn.functional as F

import golden_file

OUT = pathlib.Path("tests/golden/steps")
STEPS = 10


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(6, 8)
        self.fc2 = torch.nn.Linear(8, 7)
        self.fc3 = torch.nn.Linear(7, 3)

    def forward(self, x):
        return self.fc3(F.gelu(self.fc2(torch.tanh(self.fc1(x)))))


class Convnet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(2, 4, 3, padding=1)
        self.bn1 = torch.nn.BatchNorm2d(4)
        self.conv2 = torch.nn.Conv2d(4, 6, 3, stride=2, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(6)
        self.fc = torch.nn.Linear(6, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc(x.mean((2, 3)))


class Regression(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(5, 9)
        self.fc2 = torch.nn.Linear(9, 2)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))


def array(t, dtype):
    return t.detach().clone().to(dtype).contiguous().numpy()


def state(model, word, dtype):
    return {f"{word}.{k}": array(v, dtype) for k, v in model.state_dict().items()}


def train(name, model, loss_of, make, options, x_shape, classes, clip=None, attributes=None):
    """Everything starts from f32 numbers, so that the f64 computation begins where glia does."""
    model = model.float().double()
    x = torch.randn(STEPS, *x_shape).double()
    batch = x_shape[0]
    y = (torch.randint(classes, (STEPS, batch)) if classes else
         torch.randn(STEPS, batch, 2).double())
    tensors = state(model, "before", torch.float32)
    optimizer = make(model.parameters(), **options)
    losses = []
    for s in range(STEPS):
        model.train()
        optimizer.zero_grad()
        loss = loss_of(model(x[s]), y[s])
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    tensors |= state(model, "after", torch.float64)
    tensors |= {"x": array(x, torch.float32), "loss": array(torch.tensor(losses).double(), torch.float64),
                "y": array(y, torch.int64 if classes else torch.float32),
                "result": array(model(x[0]), torch.float64)}
    golden_file.write(OUT / f"{name}.safetensors", tensors,
                      {"op": f"{type(model).__name__} with torch.optim.{make.__name__}",
                       "attributes": dict(options, clip=clip, **(attributes or {})),
                       "torch": torch.__version__})


def schedules():
    tensors = {}
    for total in (1, 2, 3, 7, 10, 100):
        def rates(make, **options):
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
            schedule = make(optimizer, **options)
            lr = []
            for _ in range(total):
                lr.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                schedule.step()
            return array(torch.tensor(lr, dtype=torch.float64), torch.float64)

        s = torch.optim.lr_scheduler
        tensors[f"cosine.{total}"] = rates(s.CosineAnnealingLR, T_max=total)
        tensors[f"linear.{total}"] = rates(s.LinearLR, start_factor=1.0, end_factor=0.0,
                                           total_iters=total)
        # One step more than are taken: PyTorch raises when asked for a rate behind the last one.
        if total > 3:
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
            schedule = s.OneCycleLR(optimizer, max_lr=0.1, total_steps=total)
            lr = [optimizer.param_groups[0]["lr"]]
            for _ in range(total - 1):
                optimizer.step()
                schedule.step()
                lr.append(optimizer.param_groups[0]["lr"])
            tensors[f"one_cycle.{total}"] = array(torch.tensor(lr, dtype=torch.float64),
                                                  torch.float64)
    golden_file.write(OUT / "schedules.safetensors", tensors,
                      {"op": "torch.optim.lr_scheduler", "attributes": dict(lr=0.1),
                       "torch": torch.__version__})


def main():
    torch.manual_seed(5)
    OUT.mkdir(parents=True, exist_ok=True)
    train("mlp", Mlp(), F.cross_entropy, torch.optim.Adam, dict(lr=0.02), (5, 6), 3)
    smooth = lambda z, t: F.cross_entropy(z, t, label_smoothing=0.1)  # noqa: E731
    train("convnet", Convnet(), smooth, torch.optim.SGD,
          dict(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3), (4, 2, 8, 8), 4, clip=1.0,
          attributes=dict(label_smoothing=0.1))
    train("regression", Regression(), F.huber_loss, torch.optim.RMSprop,
          dict(lr=0.01, alpha=0.9, eps=1e-5), (6, 5), 0)
    schedules()


main()
