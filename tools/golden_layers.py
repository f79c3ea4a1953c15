#!/usr/bin/env python3
"""Writes tests/golden/layers/*.safetensors: PyTorch's layers and losses with their gradients.

Run in the project's root with Python 3, NumPy and PyTorch; the files are small, f64, and checked
in. Each holds the inputs by PyTorch's names (input, weight, bias, target ...), "output",
"grad_output" (drawn at random; 1 for a loss) and, for every input that has one, "grad.<name>".
Batch norm has running_mean and running_var before, running_mean_after and running_var_after.
Metadata: "op" and "attributes" (JSON) in PyTorch's words, "torch" its version.
"""
import pathlib

import torch
import torch.nn.functional as F

import golden_file

OUT = pathlib.Path("tests/golden/layers")


def rand(*shape):
    return torch.randn(shape, dtype=torch.float64)


def array(t):
    return t.detach().clone().contiguous().numpy()


def case(name, function, inputs, attributes=None, op=None):
    """inputs: name -> tensor, passed by name; floats get gradients, except `fixed` ones."""
    attributes = attributes or {}
    op = op or f"torch.nn.functional.{function.__name__}"
    fixed = {"target", "running_mean", "running_var"}
    if "cross_entropy" in name:
        fixed |= {"weight"}
    tensors = {k: array(v) for k, v in inputs.items() if v is not None}
    given = {k: v.clone().requires_grad_(k not in fixed and v.is_floating_point())
             for k, v in inputs.items() if v is not None}
    output = function(**given, **attributes)
    cotangent = rand(*output.shape) if output.dim() > 0 else torch.ones_like(output)
    output.backward(cotangent)
    tensors |= {"output": array(output), "grad_output": array(cotangent)}
    tensors |= {f"grad.{k}": array(v.grad) for k, v in given.items() if v.grad is not None}
    if attributes.get("training"):
        tensors |= {f"{k}_after": array(given[k]) for k in ("running_mean", "running_var")}
    golden_file.write(OUT / f"{name}.safetensors", tensors,
                      {"op": op, "attributes": attributes, "torch": torch.__version__})


def dense():
    case("dense", F.linear, dict(input=rand(3, 5), weight=rand(4, 5), bias=rand(4)))
    case("dense_no_bias", F.linear, dict(input=rand(2, 3), weight=rand(4, 3)))
    case("dense_rank3", F.linear, dict(input=rand(2, 3, 4), weight=rand(2, 4), bias=rand(2)))


def conv2d():
    def conv(name, x, filters, kernel, bias=True, **attributes):
        weight = rand(filters, x[1] // attributes.get("groups", 1), *kernel)
        case(f"conv2d{name}", F.conv2d,
             dict(input=rand(*x), weight=weight, bias=rand(filters) if bias else None),
             attributes)

    conv("", (2, 2, 5, 4), 3, (3, 3))
    conv("_1x1", (2, 3, 3, 2), 2, (1, 1))
    conv("_no_bias", (1, 2, 4, 4), 2, (2, 2), bias=False)
    conv("_stride", (1, 2, 7, 6), 2, (3, 2), stride=[2, 3])
    conv("_padding", (1, 2, 4, 3), 2, (3, 3), padding=[1, 2])
    conv("_dilation", (1, 1, 7, 7), 2, (3, 2), dilation=[2, 3])
    conv("_groups", (1, 4, 4, 4), 6, (3, 3), groups=2)
    conv("_depthwise", (2, 3, 4, 4), 3, (3, 3), groups=3, padding=[1, 1])
    conv("_all", (2, 4, 8, 7), 4, (3, 2), stride=[2, 1], padding=[2, 1], dilation=[2, 2],
         groups=2)


def conv_transpose2d():
    def conv(name, x, filters, kernel, bias=True, **attributes):
        weight = rand(x[1], filters // attributes.get("groups", 1), *kernel)
        case(f"conv_transpose2d{name}", F.conv_transpose2d,
             dict(input=rand(*x), weight=weight, bias=rand(filters) if bias else None),
             attributes, op="torch.nn.functional.conv_transpose2d")

    conv("", (2, 3, 4, 3), 2, (3, 3))
    conv("_no_bias", (1, 2, 3, 3), 3, (2, 2), bias=False)
    conv("_stride", (1, 2, 3, 4), 2, (3, 2), stride=[2, 3])
    conv("_padding", (1, 2, 4, 5), 2, (3, 3), padding=[1, 2])
    conv("_output_padding", (2, 2, 3, 4), 3, (5, 5), stride=[2, 2], padding=[2, 2],
         output_padding=[1, 1])
    conv("_dilation", (1, 1, 3, 4), 2, (3, 2), dilation=[2, 3])
    conv("_groups", (1, 4, 3, 3), 6, (3, 3), groups=2)
    conv("_all", (2, 4, 4, 3), 4, (3, 2), stride=[3, 2], padding=[2, 1], output_padding=[2, 1],
         dilation=[2, 2], groups=2)


def batch_norm():
    def norm(name, shape, **attributes):
        c = shape[1]
        case(f"batch_norm{name}", F.batch_norm,
             dict(input=2 * rand(*shape) + 1, running_mean=rand(c), running_var=rand(c) ** 2 + 0.1,
                  weight=rand(c), bias=rand(c)), attributes)

    norm("_train", (4, 3, 2, 3), training=True, momentum=0.1, eps=1e-5)
    norm("_train_rank2", (5, 3), training=True, momentum=0.3, eps=1e-3)
    norm("_infer", (2, 3, 2, 2), training=False, momentum=0.1, eps=1e-5)


def min_pool2d(input, **attributes):
    return -F.max_pool2d(-input, **attributes)


def pools():
    case("max_pool2d", F.max_pool2d, dict(input=rand(2, 2, 4, 6)), dict(kernel_size=[2, 2]),
         op="torch.nn.functional.max_pool2d")
    case("max_pool2d_overlapping", F.max_pool2d, dict(input=rand(1, 2, 7, 5)),
         dict(kernel_size=[3, 2], stride=[2, 1], padding=[1, 1]),
         op="torch.nn.functional.max_pool2d")
    case("min_pool2d", min_pool2d, dict(input=rand(1, 2, 5, 6)),
         dict(kernel_size=[3, 2], stride=[2, 2]), op="-torch.nn.functional.max_pool2d(-input)")
    case("avg_pool2d", F.avg_pool2d, dict(input=rand(2, 2, 4, 6)), dict(kernel_size=[2, 2]),
         op="torch.nn.functional.avg_pool2d")
    for include in (True, False):
        case(f"avg_pool2d_padding{'' if include else '_excluded'}", F.avg_pool2d,
             dict(input=rand(1, 2, 5, 4)),
             dict(kernel_size=[3, 2], stride=[2, 1], padding=[1, 1], count_include_pad=include),
             op="torch.nn.functional.avg_pool2d")
    for name, size in (("", [3, 2]), ("_global", [1, 1]), ("_larger", [7, 5])):
        case(f"adaptive_avg_pool2d{name}", F.adaptive_avg_pool2d, dict(input=rand(1, 2, 7, 4)),
             dict(output_size=size), op="torch.nn.functional.adaptive_avg_pool2d")
    case("adaptive_max_pool2d", F.adaptive_max_pool2d, dict(input=rand(1, 2, 7, 4)),
         dict(output_size=[3, 2]), op="torch.nn.functional.adaptive_max_pool2d")


def activations():
    x = torch.cat([rand(9) * 2, torch.tensor([-8.0, -0.5, 0.25, 4.0, 30.0], dtype=torch.float64)])
    plain = [F.relu, torch.sigmoid, torch.tanh, F.selu, F.silu, F.softplus, F.softsign,
             F.hardswish, F.hardsigmoid, F.relu6, F.mish]
    for f in plain:
        module = "torch" if f in (torch.sigmoid, torch.tanh) else "torch.nn.functional"
        case(f.__name__, f, dict(input=x), op=f"{module}.{f.__name__}")
    case("leaky_relu", F.leaky_relu, dict(input=x), dict(negative_slope=0.01))
    case("leaky_relu_steep", F.leaky_relu, dict(input=x), dict(negative_slope=0.2))
    case("elu", F.elu, dict(input=x), dict(alpha=1.0))
    case("elu_alpha", F.elu, dict(input=x), dict(alpha=0.5))
    for approximate in ("none", "tanh"):
        case(f"gelu_{approximate}", lambda input, approximate: F.gelu(input,
             approximate=approximate), dict(input=x), dict(approximate=approximate),
             op="torch.nn.functional.gelu")
    for f in (F.softmax, F.log_softmax):
        case(f.__name__, f, dict(input=3 * rand(3, 5)), dict(dim=-1))
        case(f"{f.__name__}_channels", f, dict(input=3 * rand(2, 3, 2, 2)), dict(dim=1))


def losses():
    z, p = 2 * rand(4, 5), torch.softmax(rand(4, 5), 1)
    index = torch.tensor([4, 0, 2, 2])
    weight = torch.rand(5, dtype=torch.float64) + 0.2
    ce = lambda name, target=index, **kw: case(  # noqa: E731
        f"cross_entropy{name}", F.cross_entropy, dict(input=z, target=target, **kw.pop("t", {})),
        kw)
    ce("")
    ce("_weight", t=dict(weight=weight))
    ce("_smoothing", label_smoothing=0.1)
    ce("_weight_smoothing", t=dict(weight=weight), label_smoothing=0.2)
    ce("_probabilities", p)
    ce("_probabilities_weight", p, t=dict(weight=weight))
    ce("_probabilities_smoothing", p, label_smoothing=0.1)
    extreme = torch.tensor([[40.0, -700.0, 3.0], [900.0, 0.5, -2.0]], dtype=torch.float64)
    case("bce_with_logits", F.binary_cross_entropy_with_logits,
         dict(input=extreme, target=torch.rand(2, 3, dtype=torch.float64)))
    x, y = rand(3, 4) * 2, rand(3, 4)
    case("huber", F.huber_loss, dict(input=x, target=y), dict(delta=1.0))
    case("huber_delta", F.huber_loss, dict(input=x, target=y), dict(delta=0.4))
    case("mse", F.mse_loss, dict(input=x, target=y))
    case("mae", F.l1_loss, dict(input=x, target=y))


def main():
    torch.manual_seed(3)
    OUT.mkdir(parents=True, exist_ok=True)
    for group in (dense, conv2d, batch_norm, pools, activations, losses, conv_transpose2d):
        group()


main()
