#!/usr/bin/env python3
"""Writes tests/golden/onnx/operators.tar.gz: ONNX operators with attributes drawn at random.

Run in the project's root with Python 3, NumPy, Node and its package onnxruntime-node
(NODE_PATH=.../node_modules), which gives the answers: tools/golden_onnx.mjs. Each case is a model
of one node (or of DequantizeLinear in front of one), CASE/model.onnx with
CASE/test_data_set_0/{input,output}_K.pb, as ONNX's own cases are; list.json names them for
tests/onnx/onnx-suite. Where ONNX Runtime departs from the specification nothing is drawn: strides
beyond the kernel with automatic padding, align_corners with sizes that are not whole, crops that
keep a size, 8-bit products beyond 16 bits.
"""
import io
import json
import pathlib
import shutil
import struct
import subprocess
import tarfile
import tempfile

import numpy as np

OUT = pathlib.Path("tests/golden/onnx/operators.tar.gz")
EACH = 6  # cases of an operator
TYPES = {"f4": 1, "u1": 2, "i1": 3, "u2": 4, "i2": 5, "i4": 6, "i8": 7, "b1": 9}
FLOAT, INT64 = 1, 7
R = np.random.default_rng(9)


# ---- protobuf ------------------------------------------------------------------------------------

def number(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def whole(field, n):
    return number(field << 3) + number(int(n))


def part(field, content):
    content = content.encode() if isinstance(content, str) else content
    return number(field << 3 | 2) + number(len(content)) + content


def real(field, v):
    return number(field << 3 | 5) + struct.pack("<f", v)


def type_of(array):
    return TYPES[array.dtype.str[1:]]


def tensor(name, a):
    return (b"".join(whole(1, d) for d in a.shape) + whole(2, type_of(a)) + part(8, name)
            + part(9, a.tobytes()))


def attribute(name, v):
    one = v[0] if isinstance(v, list) else v
    kind = 3 if isinstance(one, str) else 1 if isinstance(one, float) else 2
    if isinstance(v, list):
        write = {1: lambda x: real(7, x), 2: lambda x: whole(8, x), 3: lambda x: part(9, x)}[kind]
        return part(1, name) + b"".join(map(write, v)) + whole(20, kind + 5)
    write = {1: lambda x: real(2, x), 2: lambda x: whole(3, x), 3: lambda x: part(4, x)}[kind]
    return part(1, name) + write(v) + whole(20, kind)


def port(name, kind, shape=None):
    axes = b"" if shape is None else part(2, b"".join(part(1, whole(1, d)) for d in shape))
    return part(1, name) + part(2, part(1, whole(1, kind) + axes))


def node_of(op, inputs, outputs, attributes):
    return (b"".join(part(1, name) for name in inputs) + b"".join(part(2, name) for name in outputs)
            + part(4, op) + b"".join(part(5, attribute(k, v)) for k, v in attributes.items()))


def write_case(folder, op, version, inputs, attributes, outputs, given=None, dequantized=()):
    """inputs: arrays, None where one is left out; outputs: ONNX types, 0 where it is unwanted. Of
    the inputs only the first `given` are the model's, others are weights. dequantized: pairs of
    attributes and three inputs in a row, which DequantizeLinear makes one of."""
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    names = ["" if a is None else f"i{k}" for k, a in enumerate(inputs)]
    graph, count = b"", 0
    for k, a in enumerate(inputs):
        if a is None:
            continue
        if given is not None and k >= given:
            graph += part(5, tensor(names[k], a))
            continue
        graph += part(11, port(names[k], type_of(a), a.shape))
        (data / f"input_{count}.pb").write_bytes(tensor(names[k], a))
        count += 1
    for k, scales in enumerate(dequantized):
        graph += part(1, node_of("DequantizeLinear", names[k:k + 3], [f"d{k}"], scales))
        names[k:k + 3] = [f"d{k}"]
    ends = [f"o{k}" if t else "" for k, t in enumerate(outputs)]
    graph += part(1, node_of(op, names, ends, attributes)) + part(2, "case")
    graph += b"".join(part(12, port(f"o{k}", t)) for k, t in enumerate(outputs) if t)
    model = whole(1, 8) + part(7, graph) + part(8, whole(2, version))
    (folder / "model.onnx").write_bytes(model)


# ---- what is drawn -------------------------------------------------------------------------------

def floats(*shape):
    """Eighths, which pack well."""
    return (R.integers(-16, 17, shape) / 8).astype("f4")


def between(low, high):
    return int(R.integers(low, high + 1))


def many(n, low, high):
    return [between(low, high) for _ in range(n)]


def choice(*options):
    return options[R.integers(len(options))]


def maybe(share, v):
    return v if R.random() < share else None


def trimmed(inputs):
    while inputs[-1] is None:
        inputs.pop()
    return inputs


def window(axes, deep=True):
    """Attributes of a window over axes of 6 elements or more; padding inside the kernel."""
    a = {"kernel_shape": many(axes, 1, 3)}
    mode = choice("pads", "pads", "SAME_UPPER", "SAME_LOWER", "VALID", "none")
    if mode == "pads":
        a["pads"] = [between(0, k - 1) for k in a["kernel_shape"] * 2]
        if deep and R.random() < 0.5:
            a["dilations"] = many(axes, 1, 2)
    elif mode != "none":
        a["auto_pad"] = mode
    a["strides"] = [between(1, k) for k in a["kernel_shape"]]
    return a


def image(axes, channels=2):
    return floats(between(1, 2), channels, *many(axes, 6, 7))


def draw_conv():
    axes, groups = between(1, 3), choice(1, 2)
    a = window(axes)
    a["group"] = groups
    weight = floats(2 * groups, 2, *a["kernel_shape"])
    return [image(axes, 2 * groups), weight, floats(2 * groups)], a, [FLOAT], 11


def draw_conv_transpose():
    axes, groups = between(1, 3), choice(1, 2)
    kernel = many(axes, 2, 3)
    strides = [between(1, k) for k in kernel]
    a = {"strides": strides, "group": groups}
    x = floats(1, 2 * groups, *many(axes, 3, 4))
    mode = choice("pads", "more", "SAME_UPPER", "SAME_LOWER", "shape")
    if mode == "pads":
        a["pads"] = many(2 * axes, 0, 1)
        a["dilations"] = many(axes, 1, 2)
    elif mode == "more":
        a["output_padding"] = [between(0, s - 1) for s in strides]
    elif mode == "shape":
        a["output_shape"] = [(x.shape[2 + d] - 1) * strides[d] + kernel[d] - between(0, 2)
                             for d in range(axes)]
        a["auto_pad"] = choice("NOTSET", "SAME_UPPER")
    else:
        a["auto_pad"] = mode
    return [x, floats(2 * groups, 2, *kernel), floats(2 * groups)], a, [FLOAT], 11


def draw_pool(**more):
    axes = between(1, 3)
    a = window(axes) | more
    if "auto_pad" not in a:
        a["ceil_mode"] = choice(0, 1)
    return [image(axes)], a, [FLOAT], 22


def draw_max_pool():
    inputs, a, _, _ = draw_pool(storage_order=choice(0, 1))
    return inputs, a, [FLOAT, INT64], 12


def draw_average_pool():
    return draw_pool(count_include_pad=choice(0, 1))


def draw_lp_pool():
    return draw_pool(p=choice(1, 2, 3))


def draw_batch_normalization():
    statistics = [floats(2), floats(2), floats(2), np.abs(floats(2)) + 1]
    if R.random() < 0.5:
        return [image(1)] + statistics, {"epsilon": 0.01}, [FLOAT], choice(9, 15)
    return ([image(1)] + statistics, {"momentum": 0.75, "training_mode": 1}, [FLOAT] * 3, 15)


def draw_layer_normalization():
    x = floats(2, 3, 4)
    axis = choice(-1, -2, 0, 1)
    inputs = [x, floats(*x.shape[axis:]), maybe(0.5, floats(*x.shape[axis:]))]
    return trimmed(inputs), {"axis": axis}, [FLOAT] * between(1, 3), 17


def draw_local_response():
    return ([floats(1, 6, 2, 2)], {"size": choice(3, 5), "alpha": 0.5, "beta": 0.5, "bias": 2.0},
            [FLOAT], 13)


ACTIVATIONS = {"Relu": (), "Tanh": (), "Sigmoid": (), "Softsign": (), "Softplus": (),
               "LeakyRelu": (0.25,), "ThresholdedRelu": (0.5,), "Elu": (0.75,),
               "Affine": (0.5, 0.125), "ScaledTanh": (0.75, 1.25), "HardSigmoid": (0.25, 0.375)}


def recurrent(gates, activations):
    steps, batch, wide, units = between(1, 3), between(1, 2), between(1, 2), between(1, 3)
    direction = choice("forward", "reverse", "bidirectional")
    n = 2 if direction == "bidirectional" else 1
    a = {"hidden_size": units, "direction": direction}
    if R.random() < 0.5:
        names = [choice(*ACTIVATIONS) for _ in range(activations * n)]
        numbers = [ACTIVATIONS[name] for name in names]
        lists = {"activations": names, "activation_alpha": [v[0] for v in numbers if v],
                 "activation_beta": [v[1] for v in numbers if len(v) > 1]}
        a |= {k: v for k, v in lists.items() if v}
    if R.random() < 0.3:
        a["clip"] = 0.5
    lengths = R.integers(1, steps + 1, batch).astype("i4")
    inputs = [floats(steps, batch, wide), floats(n, gates * units, wide),
              floats(n, gates * units, units), maybe(0.7, floats(n, 2 * gates * units)),
              maybe(0.5, lengths), maybe(0.5, floats(n, batch, units))]
    if gates == 4:
        inputs += [maybe(0.5, floats(n, batch, units)), maybe(0.5, floats(n, 3 * units))]
    return trimmed(inputs), a, [FLOAT] * (3 if gates == 4 else 2), 14


def draw_rnn():
    return recurrent(1, 1)


def draw_gru():
    inputs, a, outputs, version = recurrent(3, 2)
    return inputs, a | {"linear_before_reset": choice(0, 1)}, outputs, version


def draw_lstm():
    return recurrent(4, 3)


def draw_softmax():
    return [floats(2, 3, 4)], {"axis": between(-3, 2)}, [FLOAT], choice(7, 11, 13)


def draw_cross_entropy():
    ignored = choice(None, 1, -1)
    target = R.integers(0, 3, (4, 2))
    a = {"reduction": choice("none", "sum", "mean")}
    if ignored is not None:
        target[0] = ignored
        a["ignore_index"] = ignored
    return (trimmed([floats(4, 3, 2), target, maybe(0.5, np.abs(floats(3)) + 1)]), a,
            [FLOAT] * 2, 13)


def draw_resize():
    mode = choice("nearest", "linear", "cubic")
    a = {"mode": mode, "coordinate_transformation_mode": choice(
        "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize")}
    if mode == "nearest":
        a["nearest_mode"] = choice("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    if mode == "cubic":
        a |= {"cubic_coeff_a": -0.5, "exclude_outside": choice(0, 1)}
    if a["coordinate_transformation_mode"] == "tf_crop_and_resize":
        a["extrapolation_value"] = 7.0
    elif mode == "linear" and a["coordinate_transformation_mode"] == "half_pixel":
        a["antialias"] = choice(0, 1)
    roi = np.array([0, 0, 0.1875, -0.125, 1, 1, 0.8125, 1.0625], "f4")
    sizes = np.array([1, 1, choice(2, 3, 7), choice(2, 4, 8)])
    return [floats(1, 1, 5, 6), roi, None, sizes], a, [FLOAT], 18


def draw_upsample():
    scales = np.array([1, 1, choice(1.5, 2, 3), 2], "f4")
    return [floats(1, 2, 3, 3), scales], {"mode": choice("nearest", "linear")}, [FLOAT], 9


def draw_grid_sample():
    deep = R.random() < 0.3
    grid = (R.integers(-20, 21, (1, 2, 3, 3, 3) if deep else (1, 3, 4, 2)) / 16).astype("f4")
    a = {"mode": choice("linear", "nearest") if deep else choice("linear", "nearest", "cubic"),
         "padding_mode": choice("zeros", "border", "reflection"), "align_corners": choice(0, 1)}
    return [floats(1, 2, 3, 4, 4) if deep else floats(1, 2, 4, 5), grid], a, [FLOAT], 20


def draw_deform_conv():
    groups, offsets = choice(1, 2), choice(1, 2)
    kernel, strides, pads = many(2, 1, 2), many(2, 1, 2), many(4, 0, 1)
    out = [(5 + pads[d] + pads[2 + d] - kernel[d]) // strides[d] + 1 for d in range(2)]
    taps = offsets * kernel[0] * kernel[1]
    mask = np.abs(floats(1, taps, *out))
    inputs = [floats(1, 4, 5, 5), floats(2, 4 // groups, *kernel), floats(1, 2 * taps, *out),
              maybe(0.5, floats(2)), maybe(0.5, mask)]
    a = {"kernel_shape": kernel, "strides": strides, "pads": pads, "group": groups,
         "offset_group": offsets}
    return trimmed(inputs), a, [FLOAT], 19


def small(kind, *shape):
    """8-bit numbers whose products do not saturate in 16 bits."""
    low, high = (0, 63) if kind == "u1" else (-31, 31)
    return R.integers(low, high + 1, shape).astype(kind)


def scale(*shape):
    return (R.integers(1, 9, shape) / 64).astype("f4")


def spread(x):
    """Scales and zero points, and the attributes that say for what."""
    how = choice("all", "axis", "block")
    if how == "all":
        return (), {}
    if how == "axis":
        axis = between(0, 2)
        return (x.shape[axis],), {"axis": axis}
    return (2, 3, 2), {"axis": 2, "block_size": 3}


def draw_quantize():
    kind, x = choice("u1", "i1", "u2", "i2"), floats(2, 3, 4)
    shape, a = spread(x)
    return [x, scale(*shape), small(kind[0] + "1", *shape).astype(kind)], a, [TYPES[kind]], 21


def draw_dequantize():
    kind = choice("u1", "i1", "u2", "i2")
    x = small(kind[0] + "1", 2, 3, 4).astype(kind)
    shape, a = spread(x)
    return [x, scale(*shape), small(kind[0] + "1", *shape).astype(kind)], a, [FLOAT], 21


def draw_matmul_integer():
    a, b = choice("u1", "i1"), choice("u1", "i1")
    terms = choice(3, 300)
    zeros = choice([], [small(a)], [small(a), small(b, 2)])
    return [small(a, 2, 3, terms), small(b, terms, 2)] + zeros, {}, [TYPES["i4"]], 10


def draw_conv_integer():
    a = window(2)
    return ([small("u1", 1, 2, 6, 7), small("u1", 2, 2, *a["kernel_shape"]), small("u1"),
             small("u1")], a, [TYPES["i4"]], 10)


def draw_qlinear_matmul():
    kind = choice("u1", "i1")
    own = (2,) if R.random() < 0.5 else ()
    return ([small(kind, 3, 8), scale(), small(kind), small(kind, 8, 2), scale(*own),
             small(kind, *own), scale() + np.float32(1), small(kind)], {}, [TYPES[kind]], 21)


def draw_qlinear_conv():
    kind, a = choice("u1", "i1"), window(2)
    own = (3,) if R.random() < 0.5 else ()
    bias = maybe(0.5, R.integers(-99, 99, 3).astype("i4"))
    return (trimmed([small(kind, 1, 2, 6, 7), scale(), small(kind),
                     small(kind, 3, 2, *a["kernel_shape"]), scale(*own),
                     np.zeros(own, kind), scale() + np.float32(1), small(kind), bias]),
            a, [TYPES[kind]], 10)


def dequantized(shape, weight, axis, attributes, bias=None):
    """8-bit numbers and weights that are dequantised first."""
    kind, own = choice("u1", "i1"), (weight[axis],) if R.random() < 0.5 else ()
    inputs = [small(kind, *shape), scale(), small(kind), small("i1", *weight), scale(*own),
              np.zeros(own, "i1"), bias]
    more = {"given": 1, "dequantized": [{}, {"axis": axis} if own else {}]}
    return trimmed(inputs), attributes, [FLOAT], 13, more


def draw_dequantized_conv():
    a = window(2)
    return dequantized((1, 2, 6, 7), (3, 2, *a["kernel_shape"]), 0, a, floats(3))


def draw_dequantized_matmul():
    return dequantized(choice((4, 8), (2, 3, 8)), (8, 3), 1, {})


def draw_dequantized_gemm():
    return dequantized((4, 8), (3, 8), 0, {"transB": 1, "beta": 0.5}, floats(3))


def draw_non_max_suppression():
    images, classes, boxes = between(1, 2), between(1, 3), between(2, 9)
    corners = R.integers(0, 33, (images, boxes, 4)).astype("f4") / 32
    a = {"center_point_box": choice(0, 1)}
    scores = R.permutation(images * classes * boxes).reshape(images, classes, boxes) / 64
    return (trimmed([corners, scores.astype("f4"), np.array([between(0, 4)]),
                     maybe(0.8, np.array([choice(0.3, 0.5)], "f4")),
                     maybe(0.5, np.array([0.2], "f4"))]), a, [INT64], 11)


def rois(k):
    return np.sort(R.integers(0, 25, (k, 2, 2)), axis=1).reshape(k, 4).astype("f4") / 2


def draw_roi_align():
    a = {"output_height": between(1, 2), "output_width": between(1, 3), "mode": choice("avg", "max"),
         "sampling_ratio": between(0, 2), "spatial_scale": choice(1.0, 0.5),
         "coordinate_transformation_mode": choice("half_pixel", "output_half_pixel")}
    return [floats(2, 1, 6, 7), rois(3), R.integers(0, 2, 3)], a, [FLOAT], 16


def draw_max_roi_pool():
    boxes = np.concatenate([R.integers(0, 2, (3, 1)), np.floor(rois(3) / 2)], 1).astype("f4")
    return ([floats(2, 1, 7, 7), boxes], {"pooled_shape": many(2, 1, 3), "spatial_scale": 1.0},
            [FLOAT], 11)


def draw_attention():
    batch, groups, share, rows, keys, past = 2, between(1, 2), choice(1, 2), 2, 3, choice(0, 2)
    heads, total = groups * share, keys + past
    a = {"is_causal": choice(0, 1), "softcap": choice(0.0, 2.0), "scale": choice(0.25, 1.0)}
    inputs = [floats(batch, heads, rows, 4), floats(batch, groups, keys, 4),
              floats(batch, groups, keys, 8)]
    if R.random() < 0.4:
        a |= {"q_num_heads": heads, "kv_num_heads": groups}
        inputs = [np.ascontiguousarray(v.transpose(0, 2, 1, 3)).reshape(batch, v.shape[2], -1)
                  for v in inputs]
    shape = choice((rows, total), (batch, 1, rows, total))
    mask = choice(None, floats(*shape), R.random(shape) < 0.7)
    inputs.append(mask)
    if past:
        inputs += [floats(batch, groups, past, 4), floats(batch, groups, past, 8)]
    return trimmed(inputs), a, [FLOAT] * (3 if past else 1), 23


def draw_rotary_embedding():
    x = floats(2, 3, 2, 8)
    a = {"interleaved": choice(0, 1)}
    if R.random() < 0.5:
        x = x.reshape(2, 3, 16)
        a["num_heads"] = 2
    steps = x.shape[1 if x.ndim == 3 else 2]
    if R.random() < 0.5:
        return [x, floats(5, 4), floats(5, 4), R.integers(0, 5, (2, steps))], a, [FLOAT], 23
    return [x, floats(2, steps, 4), floats(2, steps, 4)], a, [FLOAT], 23


OPERATORS = {
    "Conv": draw_conv, "ConvTranspose": draw_conv_transpose, "MaxPool": draw_max_pool,
    "AveragePool": draw_average_pool, "LpPool": draw_lp_pool,
    "BatchNormalization": draw_batch_normalization,
    "LayerNormalization": draw_layer_normalization, "LRN": draw_local_response,
    "RNN": draw_rnn, "GRU": draw_gru, "LSTM": draw_lstm, "Softmax": draw_softmax,
    "SoftmaxCrossEntropyLoss": draw_cross_entropy, "Resize": draw_resize,
    "Upsample": draw_upsample, "GridSample": draw_grid_sample, "DeformConv": draw_deform_conv,
    "QuantizeLinear": draw_quantize, "DequantizeLinear": draw_dequantize,
    "MatMulInteger": draw_matmul_integer, "ConvInteger": draw_conv_integer,
    "QLinearMatMul": draw_qlinear_matmul, "QLinearConv": draw_qlinear_conv,
    "Conv behind DequantizeLinear": draw_dequantized_conv,
    "MatMul behind DequantizeLinear": draw_dequantized_matmul,
    "Gemm behind DequantizeLinear": draw_dequantized_gemm,
    "NonMaxSuppression": draw_non_max_suppression, "RoiAlign": draw_roi_align,
    "MaxRoiPool": draw_max_roi_pool, "Attention": draw_attention,
    "RotaryEmbedding": draw_rotary_embedding,
}


# ---- all of them ---------------------------------------------------------------------------------

def pack(folder):
    """The same bytes whenever it is made."""
    def plain(entry):
        entry.mtime = entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=9) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.add(path, path.relative_to(folder), filter=plain)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_bytes(content.getvalue())


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    cases = []
    for op, draw in OPERATORS.items():
        for k in range(EACH):
            inputs, attributes, outputs, version, *more = draw()
            inputs = [None if a is None else np.asarray(a) for a in inputs]
            name = f"{op}_{k}".replace(" ", "_")
            write_case(folder / name, op.split()[0], version, inputs, attributes, outputs,
                       **(more[0] if more else {}))
            cases.append({"name": name, "ops": [op.split()[0]], "rtol": 1e-3, "atol": 1e-5})
    subprocess.run(["node", pathlib.Path(__file__).with_suffix(".mjs"), folder], check=True)
    (folder / "list.json").write_text(json.dumps({"cases": cases}))
    pack(folder)
    shutil.rmtree(folder)
    print(f"{len(cases)} cases, {OUT.stat().st_size} bytes")


main()
