#!/usr/bin/env python3
"""Writes tests/golden/parity: cases in the form that glia-parity answers (tests/parity/parity.h),
in f64, of what the other golden files do not have: cells, a GRU whose reset gate comes before the
product, stacks of transformer layers, functions that take their weights as arguments, distances
of all pairs, unpooling of windows that overlap, CTC targets in one row.

Run in the project's root with Python 3, NumPy and PyTorch. manifest.json lists the cases, one small
file each holds "input.N", "param.NAME", "buffer.NAME", "output.N", "cotangent.N", "grad.input.N",
"grad.param.NAME" and "buffer_after.NAME".
"""
import json
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

import golden_file

OUT = pathlib.Path("tests/golden/parity")
CASES = []


def array(t):
    return t.detach().clone().contiguous().numpy()


def rand(*shape):
    return torch.randn(shape, dtype=torch.float64)


def case(name, op, attributes, function, inputs, module=None, fixed=()):
    """function(*inputs) -> a tensor or several. Floats are differentiated but for inputs that are
    fixed; the parameters of the module too."""
    tensors = {f"input.{i}": array(t) for i, t in enumerate(inputs)}
    leaves = [t.clone().requires_grad_(t.is_floating_point() and i not in fixed)
              for i, t in enumerate(inputs)]
    params = dict(module.named_parameters()) if module else {}
    buffers = {k: v for k, v in module.named_buffers()} if module else {}
    tensors |= {f"param.{k}": array(v) for k, v in params.items()}
    tensors |= {f"buffer.{k}": array(v) for k, v in buffers.items()}
    outputs = function(*leaves)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    floats = {i: o for i, o in enumerate(outputs) if o.is_floating_point()}
    cotangents = {i: rand(*o.shape) for i, o in floats.items()}
    sum((o * cotangents[i]).sum() for i, o in floats.items()).backward()
    tensors |= {f"output.{i}": array(o) for i, o in enumerate(outputs)}
    tensors |= {f"cotangent.{i}": array(c) for i, c in cotangents.items()}
    tensors |= {f"grad.input.{i}": array(t.grad) for i, t in enumerate(leaves)
                if t.grad is not None}
    tensors |= {f"grad.param.{k}": array(v.grad) for k, v in params.items() if v.grad is not None}
    tensors |= {f"buffer_after.{k}": array(v) for k, v in buffers.items()}
    golden_file.write(OUT / f"{name}.safetensors", tensors, {"op": op})
    CASES.append({"group": "layer", "name": name, "op": op, "attrs": attributes,
                  "file": f"{name}.safetensors", "tensors": sorted(tensors)})


def module_case(name, op, inputs, train=False, around=None, **attributes):
    module = getattr(nn, op)(**attributes).double().train(train)
    for p in module.parameters():
        nn.init.normal_(p, std=0.5)
    outer = nn.Module()
    if around:
        outer.add_module(around, module)
    case(name, op, attributes | {"mode": "train" if train else "infer"}, module, inputs,
         outer if around else module)


def function_case(name, inputs, function=None, fixed=(), **attributes):
    function = function or getattr(F, name.split("__")[0])
    case(name, name.split("__")[0], attributes, lambda *x: function(*x, **attributes), inputs,
         fixed=fixed)


# ---- recurrent ------------------------------------------------------------------------------------


def cells():
    for kind, states in (("RNN", 1), ("GRU", 1), ("LSTM", 2)):
        for bias in (True, False):
            cell = getattr(nn, f"{kind}Cell")(3, 4, bias=bias).double()
            inputs = [rand(2, 3)] + [rand(2, 4) for _ in range(states)]
            call = (lambda x, h, c, m=cell: m(x, (h, c))) if states == 2 else cell
            case(f"{kind}Cell{'' if bias else '_no_bias'}", f"{kind}Cell",
                 {"input_size": 3, "hidden_size": 4, "bias": bias}, call, inputs, cell)
    cell = nn.RNNCell(3, 4, nonlinearity="relu").double()
    case("RNNCell_relu", "RNNCell", {"input_size": 3, "hidden_size": 4, "nonlinearity": "relu"},
         cell, [rand(2, 3), rand(2, 4)], cell)


def reset_before(module, x, h, lengths, reverse, end):
    """One direction of a GRU with n = tanh(x_n + U_n (r h) + b)."""
    w, u = getattr(module, f"weight_ih_l0{end}"), getattr(module, f"weight_hh_l0{end}")
    b, c = getattr(module, f"bias_ih_l0{end}"), getattr(module, f"bias_hh_l0{end}")
    (ur, uz, un), (cr, cz, cn) = u.chunk(3), c.chunk(3)
    steps = [None] * len(x)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        xr, xz, xn = (x[t] @ w.T + b).chunk(3, 1)
        r, z = torch.sigmoid(xr + h @ ur.T + cr), torch.sigmoid(xz + h @ uz.T + cz)
        n = torch.tanh(xn + (r * h) @ un.T + cn)
        valid = (t < lengths)[:, None]
        h = torch.where(valid, (1 - z) * n + z * h, h)
        steps[t] = torch.where(valid, h, torch.zeros_like(h))
    return torch.stack(steps), h


def gru_reset_before():
    for both, lengths in ((False, None), (True, [3, 4, 1])):
        module = nn.GRU(3, 2, bidirectional=both).double()
        counted = torch.tensor(lengths or [4, 4, 4])

        def run(x, h0, m=module, n=counted, both=both):
            parts = [reset_before(m, x, h0[d], n, d == 1, "_reverse" * d)
                     for d in range(2 if both else 1)]
            return torch.cat([y for y, _ in parts], 2), torch.stack([h for _, h in parts])

        case(f"gru_reset_before{'_both' if both else ''}", "GRU",
             {"input_size": 3, "hidden_size": 2, "bidirectional": both, "lengths": lengths,
              "reset_before": True},
             run, [rand(4, 3, 3), rand(2 if both else 1, 3, 2)], module)


# ---- attention ------------------------------------------------------------------------------------


def stacks():
    size = {"d_model": 4, "nhead": 2, "dim_feedforward": 5, "dropout": 0.0, "batch_first": True}
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(**size), 2, nn.LayerNorm(4)).double()
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(**size), 2).double()
    whole = nn.Transformer(4, 2, 1, 1, 5, 0.0, batch_first=True).double()
    x, memory = rand(2, 3, 4), rand(2, 5, 4)
    case("TransformerEncoder", "TransformerEncoder", size | {"num_layers": 2}, encoder, [x],
         encoder)
    case("TransformerDecoder", "TransformerDecoder", size | {"num_layers": 2}, decoder,
         [x, memory], decoder)
    case("Transformer", "Transformer",
         size | {"num_encoder_layers": 1, "num_decoder_layers": 1}, whole, [memory, x], whole)


# ---- the rest -------------------------------------------------------------------------------------


def functions():
    function_case("linear", [rand(2, 3), rand(4, 3), rand(4)])
    function_case("bilinear", [rand(2, 3), rand(2, 2), rand(4, 3, 2), rand(4)])
    function_case("conv2d", [rand(1, 2, 5, 4), rand(3, 2, 3, 3), rand(3)], padding=1)
    function_case("conv_transpose3d", [rand(1, 2, 2, 3, 2), rand(2, 3, 2, 2, 2)], stride=2)
    function_case("layer_norm__plain", [rand(2, 5)], normalized_shape=[5])
    function_case("group_norm__plain", [rand(2, 4, 3)], num_groups=2)
    function_case("embedding", [torch.tensor([2, 0, 2]), rand(4, 3)], padding_idx=0)
    function_case("embedding_bag", [torch.tensor([[2, 0, 2], [1, 1, 3]]), rand(4, 3)], mode="sum")
    function_case("normalize", [rand(3, 4)], p=3.0, dim=-1)
    function_case("cosine_similarity", [rand(3, 1, 4), rand(2, 4)], dim=2)
    function_case("cdist", [rand(2, 3, 4), rand(2, 2, 4)], torch.cdist, p=3.0)
    function_case("pdist", [rand(4, 3)])
    function_case("logsumexp", [rand(3, 4) * 50], torch.logsumexp, dim=1)
    function_case("logcumsumexp", [rand(3, 4)], torch.logcumsumexp, dim=0)
    function_case("sort", [rand(3, 4)], torch.sort, dim=0, descending=True)
    function_case("topk", [rand(3, 5)], torch.topk, k=2)
    function_case("pad", [rand(1, 2, 4, 5)], pad=[-1, 2, 1, -1], mode="circular")
    case("UpsamplingBilinear2d", "UpsamplingBilinear2d", {"scale_factor": 2},
         nn.UpsamplingBilinear2d(scale_factor=2), [rand(1, 2, 3, 4)])
    pooled, index = F.max_pool2d(rand(1, 2, 7, 7), 3, stride=2, return_indices=True)
    function_case("max_unpool2d", [rand(*pooled.shape), index], kernel_size=3, stride=2)


def modules():
    for mode in ("reflect", "replicate", "circular"):
        module_case(f"Conv2d_{mode}", "Conv2d", [rand(1, 2, 5, 4)], in_channels=2, out_channels=2,
                    kernel_size=3, padding=2, stride=2, padding_mode=mode)
    module_case("Linear_around", "Linear", [rand(2, 3)], around="m", in_features=3,
                out_features=2)
    for train in (True, False):
        module_case(f"BatchNorm1d_{'train' if train else 'infer'}", "BatchNorm1d",
                    [rand(4, 3)], train, num_features=3, momentum=0.3)


def ctc():
    lengths = {"input_lengths": [6, 5], "target_lengths": [2, 3]}
    targets = torch.tensor([1, 2, 3, 3, 1])
    for reduction in ("none", "mean"):
        case(f"ctc_loss_row_{reduction}", "ctc_loss", lengths | {"reduction": reduction},
             lambda x, t, r=reduction: F.ctc_loss(
                 x.log_softmax(2), t, torch.tensor(lengths["input_lengths"]),
                 torch.tensor(lengths["target_lengths"]), reduction=r),
             [rand(6, 2, 4), targets])


def main():
    torch.manual_seed(11)
    OUT.mkdir(parents=True, exist_ok=True)
    cells()
    gru_reset_before()
    stacks()
    functions()
    modules()
    ctc()
    tolerance = {"rtol": 1e-10, "atol": 1e-11}
    manifest = {"about": f"made by tools/golden_parity.py with PyTorch {torch.__version__}",
                "tolerance": {"output": tolerance, "grad": tolerance}, "cases": CASES}
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


main()
