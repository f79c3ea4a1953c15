#!/usr/bin/env python3
"""peer_check.py SAVED SCRIPT [ARGUMENTS...]: do glia and the peer's script compute the same?

SAVED is a file that `bench_train WORKLOAD --save` wrote: parameters, batches, the losses of the
first steps and the parameters behind them (inference: the result). The peer's own script is run
and its own step is called; but where it would begin to measure it gets glia's parameters,
batches and chance (dropout and noise are drawn again here, from the definition of Philox), and
what it computes is compared. Prints one JSON line and ends with 1 if the two differ by more than
rounding explains. PYTHONPATH must hold the peers' folder; the Python must have PyTorch.
"""
import contextlib
import json
import os
import runpy
import struct
import sys

import peerlib  # before NumPy and PyTorch: it sets the numbers of threads

# Largest relative differences. The first step's loss holds the rounding of one forward pass.
# Later ones grow: a sum that rounding moves over a ReLU's zero changes a whole gradient, and
# ResNet-18's gradients in f32, PyTorch's too, are off by 1 % from those in f64. Parameters:
# |ours - theirs| / |theirs - before|, over all of them, after the last step.
#
# In bf16 (the script's flag --bf16) every value between two ops is off by 1/500, and the peer
# narrows where autocast does, we where compile/precision.c does: what is compared is the size of
# the losses and the way that the parameters go.
FIRST, LATER, PARAMETERS, RESULT = (1e-2, 5e-2, 0.6, 5e-2) if {"--bf16", "bf16w"} & set(sys.argv) else (1e-5, 2e-3, 1e-1, 1e-4)


def read_safetensors(path, torch):
    types = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "BF16": torch.bfloat16}
    data = open(path, "rb").read()
    size, = struct.unpack("<Q", data[:8])
    out = {}
    for name, t in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + n for n in t["data_offsets"])
        flat = torch.frombuffer(bytearray(data[begin:end]), dtype=types[t["dtype"]])
        out[name] = flat.reshape(t["shape"])
    return out


# ---- chance: glia's numbers are functions of (seed, stream, step, element) ----------------------

def stream_of(name, nth=0):
    """FNV-1a, then two rounds of xor, shift, multiply; nth: uses of the name before."""
    mask, h = 2 ** 64 - 1, 0xcbf29ce484222325 ^ nth
    for b in name.encode():
        h = (h ^ b) * 0x100000001b3 & mask
    for m in (0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53):
        h = (h ^ h >> 33) * m & mask
    return h ^ h >> 33


def philox(stream, step, n, seed=1):
    """n words of Philox4x32-10 (doi:10.1145/2063384.2063405) as uint64."""
    import numpy as np
    u = np.uint64
    blocks = np.arange((n + 3) // 4, dtype=u)
    low, key = u(0xffffffff), seed ^ stream
    c = [blocks & low, blocks >> u(32), np.full_like(blocks, step & 0xffffffff),
         np.full_like(blocks, step >> 32)]
    k = [key & 0xffffffff, key >> 32]
    for _ in range(10):
        p0, p1 = u(0xD2511F53) * c[0], u(0xCD9E8D57) * c[2]
        c = [p1 >> u(32) ^ c[1] ^ u(k[0]), p1 & low, p0 >> u(32) ^ c[3] ^ u(k[1]), p0 & low]
        k = [(k[0] + 0x9E3779B9) & 0xffffffff, (k[1] + 0xBB67AE85) & 0xffffffff]
    return np.stack(c, 1).reshape(-1)[:n]


def normal(stream, step, shape, torch):
    """Box and Muller: words 2k and 2k + 1 make numbers 2k (cosine) and 2k + 1 (sine)."""
    import numpy as np
    n = int(np.prod(shape))
    w = philox(stream, step, n + n % 2).astype(np.float64).reshape(-1, 2) * 2.0 ** -32
    radius = np.sqrt(-2 * np.log(w[:, 0] + 2.0 ** -33))
    angle = 2 * np.pi * w[:, 1]
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return torch.tensor(pairs.reshape(-1)[:n].reshape(shape), dtype=torch.float32)


class Chance:
    """Stands in for dropout, of modules and inside of attention, and for torch.randn."""

    def __init__(self, torch, networks):
        self.torch, self.step, self.uses = torch, 0, {}
        for prefix, net in networks.items():
            for name, module in net.named_modules():
                if isinstance(module, torch.nn.Dropout) and module.training:
                    module.forward = self.dropout(prefix + name, module.p)
                if isinstance(module, torch.nn.MultiheadAttention) and module.training:
                    module.forward = self.inside(prefix + name, module.forward)
        torch.nn.functional.dropout = lambda x, p=0.5, *_, **__: self.drop(self.within, x, p)
        torch.randn = lambda *shape: normal(stream_of("z"), self.step, shape, torch)

    def drop(self, name, x, p):
        nth = self.uses[name] = self.uses.get(name, -1) + 1
        words = philox(stream_of(name, nth), self.step, x.numel())
        kept = (words >> 8) * 2.0 ** -24 >= p
        return x * self.torch.tensor(kept.reshape(x.shape) / (1 - p)).to(x.dtype)

    def dropout(self, name, p):
        return lambda x: self.drop(name, x, p)

    def inside(self, name, forward):
        def call(*args, **named):
            self.within = name
            return forward(*args, **named)
        return call

    def next(self):
        self.step, self.uses = self.step + 1, {}


# ---- the peer's own step -----------------------------------------------------------------------

def networks_of(g):
    return {"G.": g["G"], "D.": g["D"]} if "G" in g else {"": g["m"]}


def give(g, saved, torch):
    for prefix, net in networks_of(g).items():
        start = "before." + prefix
        ours = {k[len(start):]: v for k, v in saved.items() if k.startswith(start)}
        theirs = net.state_dict()
        for name, value in theirs.items():  # what has two names there has one here
            same = [k for k in ours if k in theirs and theirs[k].data_ptr() == value.data_ptr()]
            if name not in ours and same:
                ours[name] = ours[same[0]]
        net.load_state_dict(ours)
    for names, ours in ((("X", "R"), "x."), (("Y",), "y.")):
        theirs = next((g[n] for n in names if n in g), None)
        count = sum(k.startswith(ours) for k in saved)
        if theirs is None:
            assert count == 0, f"the script has no {names}"
            continue
        stacked = torch.stack([saved[f"{ours}{k}"] for k in range(count)])
        theirs.copy_(stacked.reshape(theirs.shape))


def record_losses(g):
    """Every loss that the script computes is added up."""
    losses, f = [0.0], g["F"]

    def recorded(loss):
        def call(*args, **named):
            value = loss(*args, **named)
            losses[-1] += value.item()
            return value
        return call
    for name in ("cross_entropy", "binary_cross_entropy_with_logits"):
        setattr(f, name, recorded(getattr(f, name)))
    if "bce" in g:
        g["bce"] = f.binary_cross_entropy_with_logits
    return losses


def relative(a, b):
    return abs(a - b) / max(abs(b), 1e-12)


def compare_training(g, saved, torch, step):
    chance, losses = Chance(torch, networks_of(g)), record_losses(g)
    ours = saved["losses"].tolist()
    for _ in ours:
        step()
        losses.append(0.0)
        chance.next()
    far = moved = 0.0
    for prefix, net in networks_of(g).items():
        for name, value in net.named_parameters():
            before, after = (saved[f"{w}.{prefix}{name}"].double() for w in ("before", "after"))
            far += (value.detach().double() - after).square().sum().item()
            moved += (value.detach().double() - before).square().sum().item()
    off = [relative(a, b) for a, b in zip(ours, losses)]
    parameters = (far / max(moved, 1e-30)) ** 0.5
    return {"same": off[0] <= FIRST and max(off) <= LATER and parameters <= PARAMETERS,
            "steps": len(ours), "loss": ours[-1], "peer_loss": losses[len(ours) - 1],
            "first_difference": off[0], "loss_difference": max(off),
            "parameter_difference": parameters}


def compare_inference(g, saved, torch):
    with torch.no_grad(), g.get("ac", contextlib.nullcontext)():
        theirs = g["f"](g["X"]).double()
    ours = saved["result"].double()
    difference = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    return {"same": difference <= RESULT, "result_difference": difference}


def compare_decoding(g, saved, torch):
    """Greedy decoding: the best score at each place, of the prompt and then of what was chosen."""
    known = g["m"].state_dict()  # ours keeps the cache and counts, too
    give(g, {k: v for k, v in saved.items() if k.removeprefix("before.") in known}, torch)
    words, prompt, off = saved["x.0"], saved["x.0"].shape[1], []
    with torch.no_grad():
        for k, ours in enumerate(saved["losses"].tolist()):
            scores = g["m"](words[:, :k + 1], None, 0, True)[0, -1]
            off.append(relative(ours, scores.max().item()))
            if k + 1 >= prompt:
                words = torch.cat([words, scores.argmax().reshape(1, 1)], 1)
    return {"same": max(off) <= RESULT, "steps": len(off), "result_difference": max(off)}


def main():
    path, script = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    verdict = {}

    def check(a, step, **_):
        g = step.__globals__
        torch = g["torch"]
        saved = read_safetensors(path, torch)
        give(g, saved, torch)
        verdict.update(compare_inference(g, saved, torch) if "result" in saved else
                       compare_training(g, saved, torch, step))
        return [1.0]

    def set_up(a, before=peerlib.torch_setup):
        torch = before(a)

        def first_tokens(*_, **__):  # the script draws them when its network is ready
            g = sys._getframe(1).f_globals
            verdict.update(compare_decoding(g, read_safetensors(path, torch), torch))
            raise StopIteration
        if getattr(a, "mode", "") == "decode":
            torch.randint = first_tokens
        return torch

    peerlib.bench, peerlib.report, peerlib.torch_setup = check, lambda *a, **k: None, set_up
    sys.argv = [script] + sys.argv[3:]
    with contextlib.suppress(StopIteration):
        runpy.run_path(script, run_name="__main__")
    print(json.dumps(verdict))
    sys.exit(0 if verdict["same"] else 1)


main()
