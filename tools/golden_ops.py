#!/usr/bin/env python3
"""Writes tests/golden/ops/*.safetensors: PyTorch's functions with their gradients.

Run in the project's root with Python 3, NumPy and PyTorch; the files are small, f64, and checked
in. Each holds "input.0", "input.1" ..., "output", "grad_output" (drawn at random) and, for every
input of floats, "grad.input.0" .... Metadata: "op" and "attributes" (JSON) in PyTorch's words,
"torch" its version.
"""
import pathlib

import torch
import torch.nn.functional as F

import golden_file

OUT = pathlib.Path("tests/golden/ops")


def rand(*shape):
    return torch.randn(shape, dtype=torch.float64)


def array(t):
    return t.detach().clone().contiguous().numpy()


def case(name, op, function, inputs, **attributes):
    """function(*inputs) is what the op and the attributes mean."""
    given = [v.clone().requires_grad_(v.is_floating_point()) for v in inputs]
    output = function(*given)
    cotangent = rand(*output.shape)
    output.backward(cotangent)
    tensors = {"output": array(output), "grad_output": array(cotangent)}
    for i, v in enumerate(given):
        tensors[f"input.{i}"] = array(inputs[i])
        if v.grad is not None:
            tensors[f"grad.input.{i}"] = array(v.grad)
    golden_file.write(OUT / f"{name}.safetensors", tensors,
                      {"op": op, "attributes": attributes, "torch": torch.__version__})


def cumulative():
    x = rand(3, 4, 2)
    zeros = x * torch.tensor([1.0, 0, 1, 0]).view(1, 4, 1)
    for op in (torch.cumsum, torch.cumprod):
        name = op.__name__
        for dim in (0, -2):
            case(f"{name}_{dim}".replace("-", "m"), name, lambda v, d=dim: op(v, d), [x], dim=dim)
    case("cumprod_zeros", "cumprod", lambda v: torch.cumprod(v, 1), [zeros], dim=1)


def places():
    x = rand(2, 3, 4)
    for name, function, attributes in (
            ("tril", torch.tril, dict(diagonal=0)), ("tril", torch.tril, dict(diagonal=1)),
            ("triu", torch.triu, dict(diagonal=0)), ("triu", torch.triu, dict(diagonal=-1)),
            ("flip", torch.flip, dict(dims=[0, 2])), ("flip", torch.flip, dict(dims=[1])),
            ("roll", torch.roll, dict(shifts=2, dims=2)),
            ("roll", torch.roll, dict(shifts=-5, dims=1)),
            ("tile", torch.tile, dict(dims=[2, 1, 1, 3])),
            ("tile", torch.tile, dict(dims=[2, 2, 1])),
            ("repeat_interleave", torch.repeat_interleave, dict(repeats=3, dim=1)),
            ("repeat_interleave", torch.repeat_interleave, dict(repeats=2, dim=2))):
        label = "_".join(str(v) for v in attributes.values())
        label = label.translate({ord(c): None for c in "[], "}).replace("-", "m")
        case(f"{name}_{label}", name, lambda v: function(v, **attributes), [x], **attributes)
    for mode in ("reflect", "replicate", "circular"):
        case(f"pad_{mode}", "pad", lambda v: F.pad(v, [2, 1, 0, 3], mode=mode), [rand(2, 2, 4, 5)],
             pad=[2, 1, 0, 3], mode=mode)
        case(f"pad_{mode}_1d", "pad", lambda v: F.pad(v, [3, 3], mode=mode), [rand(2, 2, 4)],
             pad=[3, 3], mode=mode)
    case("pad_replicate_3d", "pad", lambda v: F.pad(v, [1, 2, 3, 0, 0, 1], mode="replicate"),
         [rand(1, 2, 2, 3, 3)], pad=[1, 2, 3, 0, 0, 1], mode="replicate")
    case("pixel_shuffle", "pixel_shuffle", lambda v: F.pixel_shuffle(v, 2), [rand(2, 8, 3, 2)],
         upscale_factor=2)
    case("pixel_shuffle_rank3", "pixel_shuffle", lambda v: F.pixel_shuffle(v, 3), [rand(9, 1, 2)],
         upscale_factor=3)
    case("pixel_unshuffle", "pixel_unshuffle", lambda v: F.pixel_unshuffle(v, 2),
         [rand(2, 3, 4, 6)], downscale_factor=2)


def activations():
    # PyTorch's gradient of celu takes 1 / alpha as a float: alpha is a power of 2 here.
    x = torch.cat([rand(9) * 2, torch.tensor([-30.0, -8, -0.5, 0.25, 4, 30], dtype=torch.float64)])
    for name, function, attributes in (
            ("celu", F.celu, dict(alpha=1.0)), ("celu", F.celu, dict(alpha=0.25)),
            ("logsigmoid", F.logsigmoid, {}), ("softshrink", F.softshrink, dict(lambd=0.5)),
            ("hardshrink", F.hardshrink, dict(lambd=0.3)), ("tanhshrink", F.tanhshrink, {}),
            ("threshold", F.threshold, dict(threshold=0.3, value=-2.0))):
        label = "".join(f"_{v:g}" for v in attributes.values())
        case(f"{name}{label}", name, lambda v: function(v, **attributes), [x], **attributes)
    for dim in (0, -1):
        case(f"glu_{dim}".replace("-", "m"), "glu", lambda v: F.glu(v, dim), [rand(4, 3, 6)],
             dim=dim)
    case("prelu", "prelu", F.prelu, [rand(2, 3, 4), rand(3)])
    case("prelu_one", "prelu", F.prelu, [rand(5), rand(1)])


def interpolate():
    shapes = {1: (2, 2, 5), 2: (1, 2, 5, 4), 3: (1, 2, 3, 4, 3)}
    sizes = {1: [8], 2: [3, 7], 3: [5, 3, 4]}
    names = {1: "linear", 2: "bilinear", 3: "trilinear"}

    def resize(label, dims, **attributes):
        case(f"interpolate_{label}", "interpolate", lambda v: F.interpolate(v, **attributes),
             [rand(*shapes[dims])], **attributes)

    for d in (1, 2, 3):
        for mode in ("nearest", "nearest-exact", "area"):
            resize(f"{mode}_{d}d", d, size=sizes[d], mode=mode)
        for align in (False, True):
            resize(f"{names[d]}{'_corners' if align else ''}", d, size=sizes[d], mode=names[d],
                   align_corners=align)
    for align in (False, True):
        label = "_corners" if align else ""
        resize(f"bicubic{label}", 2, size=[8, 3], mode="bicubic", align_corners=align)
        for mode in ("bilinear", "bicubic"):
            resize(f"{mode}_antialias{label}", 2, size=[2, 6], mode=mode, align_corners=align,
                   antialias=True)
        resize(f"bilinear_factor{label}", 2, scale_factor=[1.7, 0.6], mode="bilinear",
               align_corners=align)
    resize("nearest_factor", 2, scale_factor=[1.7, 0.6], mode="nearest")
    resize("nearest_recompute", 2, scale_factor=[1.7, 0.6], mode="nearest",
           recompute_scale_factor=True)
    resize("bicubic_factor", 2, scale_factor=[2.3, 2.3], mode="bicubic", align_corners=False)
    resize("bicubic_recompute", 2, scale_factor=[2.3, 0.7], mode="bicubic", align_corners=False,
           recompute_scale_factor=True)
    resize("bilinear_one", 2, size=[1, 1], mode="bilinear", align_corners=True)


def grid_sample():
    image, volume = rand(2, 3, 4, 5), rand(1, 2, 3, 4, 3)
    places = 0.9 * rand(2, 3, 4, 2)  # some of them far outside
    places3 = 0.9 * rand(1, 2, 3, 2, 3)
    for padding in ("zeros", "border", "reflection"):
        for align in (False, True):
            for mode in ("bilinear", "nearest", "bicubic"):
                attributes = dict(mode=mode, padding_mode=padding, align_corners=align)
                label = f"{mode}_{padding}{'_corners' if align else ''}"
                case(f"grid_sample_{label}", "grid_sample",
                     lambda v, g: F.grid_sample(v, g, **attributes), [image, places], **attributes)
                if mode != "bicubic":
                    case(f"grid_sample_3d_{label}", "grid_sample",
                         lambda v, g: F.grid_sample(v, g, **attributes), [volume, places3],
                         **attributes)
    for size in ([2, 3, 3, 4], [2, 1, 1, 3], [2, 2, 3, 2, 4]):
        for align in (False, True):
            theta = rand(2, len(size) - 2, len(size) - 1)
            case(f"affine_grid_{''.join(map(str, size))}{'_corners' if align else ''}",
                 "affine_grid", lambda t: F.affine_grid(t, size, align), [theta], size=size,
                 align_corners=align)


def einsum():
    shapes = {
        "bij,bjk->bik": [(2, 3, 4), (2, 4, 2)],
        "bhqd,bhkd->bhqk": [(2, 2, 3, 4), (2, 2, 5, 4)],
        "bi,bj->bij": [(2, 3), (2, 4)],
        "i,j": [(3,), (4,)],
        "ij,ij->": [(3, 4), (3, 4)],
        "ij,ij->ij": [(3, 4), (3, 4)],
        "ii->i": [(3, 3)],
        "ii": [(3, 3)],
        "bii->bi": [(2, 3, 3)],
        "iji,kj->ik": [(3, 2, 3), (4, 2)],
        "iii->i": [(3, 3, 3)],
        "ijk->kji": [(2, 3, 4)],
        "ijk->j": [(2, 3, 4)],
        "ba": [(2, 3)],
        "bA": [(2, 3)],
        "...ij->...ji": [(2, 5, 3, 4)],
        "...ij,...jk->...ik": [(2, 1, 3, 4), (5, 4, 2)],
        "b...,b...->b": [(2, 3, 4), (2, 3, 4)],
        "i...->...": [(3, 2, 2)],
        "ij,jk,kl->il": [(2, 3), (3, 4), (4, 2)],
        "ik,jkl,il->ij": [(2, 3), (4, 3, 5), (2, 5)],
        "ij,kj->ik": [(2, 1), (3, 4)],
        "ij,ij->i": [(2, 1), (2, 4)],
        "nchw,nchw->nc": [(2, 3, 2, 2), (2, 3, 2, 2)],
        "bn,anm,bm->ba": [(2, 3), (4, 3, 5), (2, 5)],
        "a,b->": [(3,), (4,)],
    }
    for i, (equation, inputs) in enumerate(shapes.items()):
        case(f"einsum_{i:02}", "einsum", lambda *v: torch.einsum(equation, *v),
             [rand(*s) for s in inputs], equation=equation)


def norms():
    x = 2 * rand(3, 4, 6) + 1
    case("layer_norm", "layer_norm", lambda v, w, b: F.layer_norm(v, [6], w, b, 1e-5),
         [x, rand(6), rand(6)], normalized_shape=[6], eps=1e-5)
    case("layer_norm_two", "layer_norm", lambda v, w, b: F.layer_norm(v, [4, 6], w, b, 0.01),
         [x, rand(4, 6), rand(4, 6)], normalized_shape=[4, 6], eps=0.01)
    case("layer_norm_weight", "layer_norm", lambda v, w: F.layer_norm(v, [6], w, None, 1e-5),
         [x, rand(6)], normalized_shape=[6], eps=1e-5)
    case("layer_norm_plain", "layer_norm", lambda v: F.layer_norm(v, [6], None, None, 1e-5), [x],
         normalized_shape=[6], eps=1e-5)
    rms = lambda v, w: v * torch.rsqrt(v.square().mean(-1, True) + 1e-6) * w  # noqa: E731
    case("rms_norm", "rms_norm", rms, [x, rand(6)], normalized_shape=[6], eps=1e-6)
    image = 2 * rand(2, 6, 3, 2) + 1
    for groups in (1, 2, 6):
        case(f"group_norm_{groups}", "group_norm",
             lambda v, w, b: F.group_norm(v, groups, w, b, 1e-5), [image, rand(6), rand(6)],
             num_groups=groups, eps=1e-5)
    case("group_norm_plain", "group_norm", lambda v: F.group_norm(v, 3, None, None, 0.01),
         [rand(2, 6)], num_groups=3, eps=0.01)
    case("instance_norm", "instance_norm",
         lambda v, w, b: F.instance_norm(v, None, None, w, b, True, 0.1, 1e-5),
         [image, rand(6), rand(6)], eps=1e-5)
    for size in (5, 2, 15):
        case(f"local_response_norm_{size}", "local_response_norm",
             lambda v: F.local_response_norm(v, size, 0.3, 0.75, 1.5), [image], size=size,
             alpha=0.3, beta=0.75, k=1.5)


def main():
    torch.manual_seed(4)
    OUT.mkdir(parents=True, exist_ok=True)
    for group in (cumulative, places, activations, interpolate, grid_sample, einsum, norms):
        torch.manual_seed(4)
        group()


main()
