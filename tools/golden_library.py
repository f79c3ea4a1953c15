#!/usr/bin/env python3
"""Writes tests/golden/library/*.safetensors: windows along one to three axes, order, places by
index, sound and boxes, with their gradients, by PyTorch and torchvision.

Run in the project's root with Python 3, NumPy, PyTorch and torchvision; the files are small and
checked in, floats as f64, masks as whole numbers. Each holds "input.0" ..., "output.0" ...,
"grad_output" (drawn at random, for the first output, where that has a gradient) and, for every
input of floats, "grad.input.0" .... Metadata: "op" and "attributes" (JSON) in PyTorch's words,
"torch" its version.
"""
import math
import pathlib

import torch
import torch.nn.functional as F
import torchvision.ops as boxes

import golden_file

OUT = pathlib.Path("tests/golden/library")
count = {}


def rand(*shape):
    return torch.randn(shape, dtype=torch.float64)


def whole(limit, *shape):
    return torch.randint(limit, shape)


def array(t):
    t = t.detach().clone().contiguous()
    return (t.long() if t.dtype == torch.bool else t).numpy()


def case(op, function, inputs, gradient=True, **attributes):
    """function(*inputs) is what the op and the attributes mean."""
    given = [v.clone().requires_grad_(v.is_floating_point() and gradient) for v in inputs]
    outputs = function(*given)
    outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
    tensors = {f"output.{i}": array(v) for i, v in enumerate(outputs)}
    if gradient:
        cotangent = rand(*outputs[0].shape)
        outputs[0].backward(cotangent)
        tensors["grad_output"] = array(cotangent)
    for i, v in enumerate(given):
        tensors[f"input.{i}"] = array(inputs[i])
        if v.grad is not None:
            tensors[f"grad.input.{i}"] = array(v.grad)
    count[op] = count.get(op, -1) + 1
    golden_file.write(OUT / f"{op}_{count[op]:02}.safetensors", tensors,
                      {"op": op, "attributes": attributes, "torch": torch.__version__})


def convolutions():
    shapes = {1: (2, 4, 9), 2: (1, 4, 7, 6), 3: (1, 4, 4, 5, 3)}
    kernels = {1: (3,), 2: (3, 2), 3: (2, 3, 3)}

    def conv(n, bias=True, alone=False, kernel=None, mode="zeros", **o):
        kernel, groups = kernel or kernels[n], o.get("groups", 1)
        module = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)[n - 1](
            4, 4, kernel, bias=bias, padding_mode=mode, **o).double()
        x = rand(*shapes[n][1 if alone else 0:])
        inputs = [x, rand(4, 4 // groups, *kernel)] + ([rand(4)] if bias else [])

        def function(x, w, b=None):
            return module._conv_forward(x, w, b)
        case("conv", function, inputs, padding_mode=mode,
             **{k: [v] * n if isinstance(v, int) and k != "groups" else v for k, v in o.items()})

    for n in (1, 2, 3):
        conv(n)
        conv(n, bias=False, stride=2, padding=1)
        conv(n, groups=2, dilation=2, padding=2)
        conv(n, padding="same")
        conv(n, padding="same", dilation=2, kernel=(2,) * n)
        conv(n, alone=True)
        for mode in ("reflect", "replicate", "circular"):
            conv(n, padding=1, mode=mode)
    conv(2, padding="same", mode="circular", kernel=(4, 3))
    conv(3, groups=4 // 2, stride=(2, 1, 2), padding=(1, 0, 1), dilation=(1, 1, 2))

    def transposed(n, bias=True, alone=False, **o):
        function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[n - 1]
        groups = o.get("groups", 1)
        shape = {1: (2, 4, 5), 2: (1, 4, 3, 4), 3: (1, 4, 2, 2, 3)}[n]
        inputs = [rand(*shape[1 if alone else 0:]), rand(4, 4 // groups, *kernels[n])]
        inputs += [rand(4)] if bias else []
        case("conv_transpose", lambda x, w, b=None: function(x, w, b, **o), inputs,
             **{k: [v] * n if isinstance(v, int) and k != "groups" else v for k, v in o.items()})

    for n in (1, 2, 3):
        transposed(n)
        transposed(n, bias=False, stride=2, padding=1, output_padding=1)
        transposed(n, groups=2, stride=3, dilation=2, output_padding=2)
        transposed(n, alone=True, stride=1, dilation=3, output_padding=2, padding=1)


def pooling():
    shapes = {1: (2, 3, 9), 2: (1, 2, 7, 8), 3: (1, 2, 5, 6, 5)}
    for n in (1, 2, 3):
        largest = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[n - 1]
        mean = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[n - 1]
        for o in (dict(kernel_size=2), dict(kernel_size=3, stride=2, padding=1),
                  dict(kernel_size=3, stride=2, ceil_mode=True), dict(kernel_size=2, dilation=2),
                  dict(kernel_size=[3, 2, 2][:n], stride=[1, 2, 3][:n], padding=[1, 0, 1][:n])):
            case("max_pool", lambda v: largest(v, return_indices=True, **o), [rand(*shapes[n])],
                 axes=n, **o)
        for o in (dict(kernel_size=2), dict(kernel_size=3, stride=2, padding=1),
                  dict(kernel_size=3, stride=2, padding=1, count_include_pad=False),
                  dict(kernel_size=3, stride=2, padding=1, ceil_mode=True)):
            case("avg_pool", lambda v: mean(v, **o), [rand(*shapes[n])], axes=n, **o)
        if n > 1:
            for o in (dict(kernel_size=3, stride=2, padding=1, divisor_override=5),
                      dict(kernel_size=2, stride=3, ceil_mode=True, divisor_override=-3)):
                case("avg_pool", lambda v: mean(v, **o), [rand(*shapes[n])], axes=n, **o)
        adaptive = [(F.adaptive_avg_pool1d, F.adaptive_max_pool1d),
                    (F.adaptive_avg_pool2d, F.adaptive_max_pool2d),
                    (F.adaptive_avg_pool3d, F.adaptive_max_pool3d)][n - 1]
        for size in ([1] * n, [4, 5, 3][:n], [7, 3, 6][:n]):
            case("adaptive_avg_pool", lambda v: adaptive[0](v, size), [rand(*shapes[n])], axes=n,
                 output_size=size)
            case("adaptive_max_pool", lambda v: adaptive[1](v, size, return_indices=True),
                 [rand(*shapes[n])], axes=n, output_size=size)
        unpool = (F.max_unpool1d, F.max_unpool2d, F.max_unpool3d)[n - 1]
        x = rand(*shapes[n])
        y, index = largest(x, 2, return_indices=True)
        case("max_unpool", lambda v, i: unpool(v, i, 2, output_size=x.shape[2:]), [y, index],
             axes=n, output_size=list(x.shape[2:]))
    for n, function in ((1, F.lp_pool1d), (2, F.lp_pool2d)):
        for o in (dict(norm_type=2, kernel_size=3, stride=2),
                  dict(norm_type=3, kernel_size=2, stride=3, ceil_mode=True),
                  dict(norm_type=1, kernel_size=2)):
            case("lp_pool", lambda v: function(v, **o), [rand(*shapes[n]).abs() + 0.1], axes=n, **o)


def columns():
    x = rand(1, 2, 6, 7)
    for o in (dict(kernel_size=[2, 3]), dict(kernel_size=[3, 3], stride=[2, 1], padding=[1, 2]),
              dict(kernel_size=[2, 2], dilation=[3, 2], stride=[1, 2])):
        case("unfold", lambda v: F.unfold(v, **o), [x], **o)
        case("fold", lambda v: F.fold(v, [6, 7], **o), [rand(*F.unfold(x, **o).shape)],
             output_size=[6, 7], **o)


def order():
    x = rand(3, 5, 4)
    for dim in (0, 1, -1):
        for descending in (False, True):
            case("sort", lambda v: torch.sort(v, dim=dim, descending=descending, stable=True), [x],
                 dim=dim, descending=descending)
        case("cummax", lambda v: torch.cummax(v, dim), [x], dim=dim)
        case("cummin", lambda v: torch.cummin(v, dim), [x], dim=dim)
    case("sort", lambda v: torch.sort(v, dim=0, descending=True, stable=True), [whole(4, 12)],
         gradient=False, dim=0, descending=True)
    case("cummax", lambda v: torch.cummax(v, 0), [whole(4, 12)], gradient=False, dim=0)
    for k, dim, largest in ((2, 1, True), (3, -1, False), (0, 0, True), (5, 1, True)):
        case("topk", lambda v: torch.topk(v, k, dim, largest), [x], k=k, dim=dim, largest=largest)
    case("unique", lambda v: torch.unique(v, return_inverse=True, return_counts=True),
         [whole(5, 3, 4).double()], gradient=False)
    case("nonzero", torch.nonzero, [whole(2, 3, 4, 2)], gradient=False)


def by_index():
    x, index, u = rand(4, 5, 3), whole(4, 6, 5, 3), rand(6, 5, 3)
    once = torch.argsort(rand(4, 5, 3), 0)[:3]
    case("scatter", lambda v, i, w: v.scatter(0, i, w), [x, once, u[:3]], dim=0, reduce="set")
    for name in ("sum", "prod", "amax", "amin", "mean"):
        for include in (True, False):
            case("scatter", lambda v, i, w: v.scatter_reduce(0, i, w, name, include_self=include),
                 [x, index, u], dim=0, reduce=name, include_self=include)
    zeros = u * whole(2, 6, 5, 3)
    case("scatter", lambda v, i, w: v.scatter_reduce(0, i, w, "prod"), [x, index, zeros], dim=0,
         reduce="prod", include_self=True)
    part = whole(5, 2, 2, 3)
    case("scatter", lambda v, i, w: v.scatter_reduce(1, i, w, "sum"), [x, part, u[:2, :2]], dim=1,
         reduce="sum", include_self=True)
    rows = torch.tensor([3, 0])
    for dim in (0, 1):
        w = rand(2, 5, 3) if dim == 0 else rand(4, 2, 3)
        case("index_put", lambda v, i, w: v.index_copy(dim, i, w), [x, rows, w], dim=dim,
             reduce="set")
    case("index_put", lambda v, i, w: v.index_add(0, i, w), [x, whole(4, 7), rand(7, 5, 3)], dim=0,
         reduce="sum")
    places = torch.stack([whole(4, 2, 3), whole(5, 2, 3)], -1)
    case("gather_nd", lambda v, i: v[i[..., 0], i[..., 1]], [x, places])
    case("gather_nd", lambda v, i: v[i[..., 0]], [x, whole(4, 6, 1)])
    case("scatter_nd", lambda v, i, w: v.index_put((i[..., 0], i[..., 1]), w, accumulate=True),
         [x, places, rand(2, 3, 3)], reduce="sum")
    mask = whole(2, 4, 5, 3)
    case("masked_select", lambda v, m: v.masked_select(m.bool()), [x, mask])
    case("masked_fill", lambda v, m: v.masked_fill(m.bool(), 2.5), [x, whole(2, 5, 1)], value=2.5)
    case("masked_scatter", lambda v, m, s: v.masked_scatter(m.bool(), s), [x, mask, rand(60)])


def more():
    x = rand(2, 6, 3, 2)
    case("channel_shuffle", lambda v: F.channel_shuffle(v, 3), [x], gradient=False, groups=3)
    for dim in (1, -1):
        case("cosine_similarity", lambda a, b: F.cosine_similarity(a, b, dim=dim), [x, rand(2, 6, 3, 2)],
             dim=dim)


def sound():
    x = rand(2, 40)
    for window, o in ((torch.hann_window(16).double(), dict(n_fft=16)),
                      (torch.hamming_window(12).double(), dict(n_fft=16, hop_length=5, center=False)),
                      (torch.hann_window(15).double(), dict(n_fft=15, hop_length=4, onesided=False)),
                      (torch.blackman_window(16).double(),
                       dict(n_fft=16, hop_length=8, normalized=True, pad_mode="constant"))):
        case("stft", lambda v, w: torch.view_as_real(
            torch.stft(v, win_length=len(w), window=w, return_complex=True, **o)), [x, window], **o)
    for window, o in ((torch.hann_window(16).double(), dict(n_fft=16)),
                      (torch.hamming_window(16).double(),
                       dict(n_fft=16, hop_length=5, center=False, normalized=True)),
                      (torch.hamming_window(13).double(), dict(n_fft=15, hop_length=4, length=33))):
        y = torch.view_as_real(torch.stft(x, win_length=len(window), window=window,
                                          return_complex=True,
                                          **{k: v for k, v in o.items() if k != "length"}))
        case("istft", lambda v, w: torch.istft(torch.view_as_complex(v), win_length=len(w),
                                               window=w, **o), [y, window], **o)


def mel():
    """Triangles by slopes, as torchaudio.functional.melscale_fbanks has them."""
    def filters(bins, rate, low, high, mels, slaney, area):
        def to_mel(f):
            htk = 2595 * torch.log10(1 + f / 700)
            log = 15 + 27 * torch.log(f.clamp(min=1e-9) / 1000) / math.log(6.4)
            return torch.where(f < 1000, f * 3 / 200, log) if slaney else htk

        def to_hertz(m):
            log = 1000 * torch.exp(math.log(6.4) * (m - 15) / 27)
            return torch.where(m < 15, m * 200 / 3, log) if slaney else 700 * (10 ** (m / 2595) - 1)
        ends = to_mel(torch.tensor([low, high], dtype=torch.float64))
        points = to_hertz(ends[0] + (ends[1] - ends[0]) * torch.arange(mels + 2).double() /
                          (mels + 1))
        width = points[1:] - points[:-1]
        slopes = points[None] - torch.linspace(0, rate / 2, bins, dtype=torch.float64)[:, None]
        bank = torch.minimum(-slopes[:, :-2] / width[:-1], slopes[:, 2:] / width[1:]).clamp(min=0)
        return bank * (2 / (points[2:] - points[:-2]) if area else 1)

    for slaney in (False, True):
        for area in (False, True):
            o = dict(bins=17, sample_rate=16000, low=20.0, high=7000.0, mels=6, slaney=slaney,
                     area=area)
            case("mel_filters", lambda _: filters(17, 16000, 20.0, 7000.0, 6, slaney, area),
                 [rand(1)], gradient=False, **o)
    x, window = rand(2, 60), torch.hann_window(16).double()
    bank = filters(9, 100, 0.0, 50.0, 4, False, False)
    for power in (1, 2):
        case("mel_spectrogram", lambda v, w: bank.T @ torch.stft(
            v, 16, 8, window=w, return_complex=True).abs() ** power, [x, window], power=power,
            n_fft=16, hop_length=8, sample_rate=100, mels=4)


def detection():
    def some(n):
        corner = 8 * torch.rand(n, 2, dtype=torch.float64)
        return torch.cat([corner, corner + 0.5 + 5 * torch.rand(n, 2, dtype=torch.float64)], 1)

    case("box_iou", boxes.box_iou, [some(5), some(4)])
    case("box_giou", boxes.generalized_box_iou, [some(5), some(4)])
    many, scores, classes = some(30), torch.rand(30, dtype=torch.float64), whole(3, 30)
    for iou in (0.2, 0.5):
        case("nms", lambda b, s: boxes.nms(b, s, iou), [many, scores], gradient=False, iou=iou)
    case("nms", lambda b, s, c: boxes.batched_nms(b, s, c, 0.3), [many, scores, classes],
         gradient=False, iou=0.3)
    x, image = rand(2, 3, 10, 12), whole(2, 4)
    for o in (dict(output_size=[3, 2]), dict(output_size=[2, 2], spatial_scale=0.5, aligned=True),
              dict(output_size=[2, 3], sampling_ratio=3, aligned=True)):
        o = dict(dict(spatial_scale=1.0, sampling_ratio=2, aligned=False), **o)
        spread = some(4) * torch.tensor([1.5, 1.2, 1.5, 1.2], dtype=torch.float64) - 2
        rois = torch.cat([image[:, None].double(), spread], 1)
        case("roi_align", lambda v: boxes.roi_align(v, rois, **o), [x],
             boxes=spread.tolist(), image=image.tolist(), **o)


def detection_by_box():
    """Boxes that reach over the border, lie outside, and have no area."""
    x, image = rand(2, 3, 9, 11), torch.tensor([1, 0, 1, 0, 1])
    spread = torch.tensor([[-2.3, 1.2, 7.6, 12.4], [2.1, 3.7, 9.9, 5.2], [12.5, 10.1, 14.3, 13.0],
                           [3.0, 4.0, 3.0, 4.0], [0.4, 0.6, 10.8, 8.7]], dtype=torch.float64)
    rois = torch.cat([image[:, None].double(), spread], 1)
    for o in (dict(spatial_scale=1.0, aligned=False), dict(spatial_scale=0.7, aligned=True)):
        o = dict(o, output_size=[3, 2], sampling_ratio=-1)
        case("roi_align", lambda v: boxes.roi_align(v, rois, **o), [x],
             boxes=spread.tolist(), image=image.tolist(), **o)
    for o in (dict(output_size=[3, 2], spatial_scale=1.0),
              dict(output_size=[2, 4], spatial_scale=0.7)):
        case("roi_pool", lambda v: boxes.roi_pool(v, rois, **o), [x],
             boxes=spread.tolist(), image=image.tolist(), **o)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for group in (convolutions, pooling, columns, order, by_index, more, sound, mel, detection,
                  detection_by_box):
        torch.manual_seed(4)
        group()


main()
