"""peer_curve.py WORKLOAD DATA [--seed N] [--threads N] [--samples N] [--test N] [--epochs N]:
what bench_curve does, in PyTorch: the same network, data, batch, optimiser and number of steps,
with PyTorch's own initial values, order and dropout. --bf16: under autocast. One JSON line."""
import argparse
import gzip
import json
import os
import pathlib
import time

p = argparse.ArgumentParser()
p.add_argument("workload", choices=["cnn_b128", "rn8_mnist"])
p.add_argument("data", type=pathlib.Path)
for name, default in (("seed", 1), ("threads", 1), ("samples", 60000), ("test", 10000), ("epochs", 1)):
    p.add_argument(f"--{name}", type=int, default=default)
p.add_argument("--bf16", action="store_true")
a = p.parse_args()
os.environ["OMP_NUM_THREADS"] = str(a.threads)

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(a.threads)
torch.manual_seed(a.seed)
BATCH = 128


def idx(stem, part, count):
    path = next(a.data.glob(f"{part}-{stem}*"))
    data = (gzip.open if path.suffix == ".gz" else open)(path, "rb").read()
    rank = data[3]
    shape = [int.from_bytes(data[4 + 4 * i:8 + 4 * i], "big") for i in range(rank)]
    return torch.frombuffer(bytearray(data[4 + 4 * rank:]), dtype=torch.uint8).reshape(shape)[:count]


def part(name, count):
    return idx("images", name, count)[:, None].float() / 255, idx("labels", name, count).long()


class Basic(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = None
        if stride != 1 or channels != filters:
            self.downsample = nn.Sequential(nn.Conv2d(channels, filters, 1, stride, bias=False),
                                            nn.BatchNorm2d(filters))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def network():
    if a.workload == "cnn_b128":
        m = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(),
                          nn.MaxPool2d(2), nn.Dropout(.25), nn.Flatten(), nn.Linear(9216, 128),
                          nn.ReLU(), nn.Dropout(.5), nn.Linear(128, 10))
        return m, torch.optim.Adam(m.parameters(), lr=1e-3)
    m = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                      Basic(16, 16, 1), Basic(16, 32, 2), Basic(32, 64, 2), nn.AdaptiveAvgPool2d(1),
                      nn.Flatten(), nn.Linear(64, 10))
    for layer in m.modules():  # he_normal, by the inputs
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    return m, torch.optim.SGD(m.parameters(), lr=0.05, momentum=0.9)


def cast():
    return torch.autocast("cpu", torch.bfloat16, enabled=a.bf16)


def measured(m, x, y):
    m.eval()
    with torch.no_grad(), cast():
        logits = torch.cat([m(b).float() for b in x.split(BATCH)])
    m.train()
    return {"accuracy": (logits.argmax(1) == y).float().mean().item(),
            "loss": F.cross_entropy(logits, y).item()}


x, y = part("train", a.samples)
held = part("t10k", a.test)
m, optimiser = network()
curve = []
begin = time.perf_counter()
for epoch in range(a.epochs):
    for index in torch.randperm(len(x)).split(BATCH):
        optimiser.zero_grad(set_to_none=True)
        with cast():
            logits = m(x[index])
        F.cross_entropy(logits.float(), y[index]).backward()
        optimiser.step()
    curve.append({"epoch": epoch + 1} | measured(m, *held))
print(json.dumps({"task": a.workload, "seed": a.seed, "threads": a.threads, "samples": a.samples,
                  "curve": curve, "seconds": round(time.perf_counter() - begin, 2)}))
