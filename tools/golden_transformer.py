#!/usr/bin/env python3
"""Writes tests/golden/transformer: embeddings, attention, transformer layers, instance norm with
running statistics, and the three architectures of src/models/architectures, with PyTorch's
results and gradients in f64.

Run in the project's root with Python 3, NumPy and PyTorch. The folder has the form that
glia-parity answers (tests/parity/parity.h): manifest.json lists the cases, one small file each
holds "input.N", "param.NAME", "output.N", "cotangent.N", "grad.input.N" and "grad.param.NAME".
The architectures are written out here once more, in PyTorch's functions alone.
"""
import json
import math
import pathlib

import torch
import torch.nn.functional as F
from torch import nn

import golden_file

OUT = pathlib.Path("tests/golden/transformer")
CASES = []


def array(t):
    return t.detach().clone().contiguous().numpy()


def rand(*shape):
    return torch.randn(shape, dtype=torch.float64)


def case(name, op, attributes, function, inputs, params, more=dict):
    """function(inputs, params) -> outputs; what has a fraction is differentiated. more() is asked
    for other tensors when all is done."""
    inputs = [t.clone().requires_grad_(t.is_floating_point()) for t in inputs]
    params = {k: v.detach().clone().requires_grad_(True) for k, v in params.items()}
    tensors = {f"input.{i}": array(t) for i, t in enumerate(inputs)}
    tensors |= {f"param.{k}": array(v) for k, v in params.items()}
    outputs = function(inputs, params)
    cotangents = [rand(*o.shape) for o in outputs]
    sum((o * c).sum() for o, c in zip(outputs, cotangents)).backward()
    tensors |= {f"output.{i}": array(o) for i, o in enumerate(outputs)}
    tensors |= {f"cotangent.{i}": array(c) for i, c in enumerate(cotangents)}
    tensors |= {f"grad.input.{i}": array(t.grad) for i, t in enumerate(inputs)
                if t.grad is not None}
    tensors |= {f"grad.param.{k}": array(v.grad) for k, v in params.items()
                if v.grad is not None}
    tensors |= more()
    golden_file.write(OUT / f"{name}.safetensors", tensors, {"op": op})
    CASES.append({"group": "transformer", "name": name, "op": op, "attrs": attributes,
                  "file": f"{name}.safetensors", "tensors": sorted(tensors)})


def module_case(name, op, attributes, module, inputs, call=None, prefix="", more=dict):
    """A module of PyTorch's; call(module, inputs) -> outputs."""
    module = module.double().eval()
    for p in module.parameters():
        nn.init.normal_(p, std=0.5)
    call = call or (lambda m, x: [m(*x)])

    def run(x, params):
        named = {k[len(prefix):]: v for k, v in params.items()}
        return nn.utils.stateless.functional_call(Caller(module, call),
                                                  {f"module.{k}": v for k, v in named.items()},
                                                  (x,))

    case(name, op, attributes, run, inputs,
         {prefix + k: v for k, v in module.named_parameters()}, more)


class Caller(nn.Module):
    def __init__(self, module, call):
        super().__init__()
        self.module, self.call = module, call

    def forward(self, x):
        return self.call(self.module, x)


def embeddings():
    index = torch.randint(0, 7, (3, 4))
    for name, more in (("plain", {}), ("padding", {"padding_idx": 2}),
                       ("padding_last", {"padding_idx": -1}),
                       ("frequency", {"scale_grad_by_freq": True}),
                       ("max_norm", {"max_norm": 0.8}),
                       ("max_norm_1", {"max_norm": 1.5, "norm_type": 1.0})):
        weight = rand(7, 3)

        def run(x, p, more=more):
            # embedding_renorm_ works in place: on a leaf of its own, as a module would
            w = p["weight"]
            if "max_norm" in more:
                with torch.no_grad():
                    torch.embedding_renorm_(w, x[0], more["max_norm"],
                                            more.get("norm_type", 2.0))
            rest = {k: v for k, v in more.items() if k not in ("max_norm", "norm_type")}
            return [F.embedding(x[0], w, **rest)]

        stored = {"weight": weight}
        case(f"embedding_{name}", "Embedding",
             {"num_embeddings": 7, "embedding_dim": 3, **more}, run, [index], stored)
    flat, offsets = torch.randint(0, 7, (9,)), torch.tensor([0, 3, 3, 7])
    for mode in ("sum", "mean", "max"):
        def bag(x, p, mode=mode, **more):
            return [F.embedding_bag(x[0], p["weight"], x[1] if x[0].dim() == 1 else None,
                                    mode=mode, **more)]

        attributes = {"num_embeddings": 7, "embedding_dim": 3, "bag_mode": mode}
        case(f"bag_{mode}", "EmbeddingBag", attributes, bag, [index], {"weight": rand(7, 3)})
        case(f"bag_{mode}_offsets", "EmbeddingBag", attributes, bag, [flat, offsets],
             {"weight": rand(7, 3)})
        case(f"bag_{mode}_padding", "EmbeddingBag", {**attributes, "padding_idx": 3},
             lambda x, p, mode=mode: bag(x, p, mode, padding_idx=3), [flat, offsets],
             {"weight": rand(7, 3)})
    case("bag_weights", "EmbeddingBag", {"num_embeddings": 7, "embedding_dim": 3,
                                         "bag_mode": "sum", "include_last_offset": True},
         lambda x, p: [F.embedding_bag(x[0], p["weight"], x[1], mode="sum",
                                       per_sample_weights=x[2], include_last_offset=True)],
         [flat, torch.tensor([0, 3, 3, 7, 9]), rand(9)], {"weight": rand(7, 3)})


def attention():
    def mha(name, shape=(2, 3, 5), masks=None, weights=True, average=True, kdim=None, vdim=None,
            batch=True, **more):
        n, t, s = shape
        more = {"batch_first": True, **more}
        e, heads = 6, 2
        first = more["batch_first"]

        def sequence(length, width):
            if not batch:
                return rand(length, width)
            return rand(n, length, width) if first else rand(length, n, width)

        inputs = [sequence(t, e), sequence(s, kdim or e), sequence(s, vdim or e)]
        attributes = {"embed_dim": e, "num_heads": heads, "attn_mask": None,
                      "key_padding_mask": False, "average_attn_weights": average,
                      "need_weights": weights, **more}
        given = {}
        for kind, mask in (masks or {}).items():
            attributes[kind] = "bool" if mask.dtype == torch.bool else "float"
            given[kind] = len(inputs)
            inputs.append(mask)

        def call(m, x):
            y, w = m(x[0], x[1], x[2], need_weights=weights, average_attn_weights=average,
                     **{k: x[i].detach() for k, i in given.items()})
            return [y, w] if weights else [y]

        module_case(f"mha_{name}", "MultiheadAttention",
                    {**attributes, "kdim": kdim, "vdim": vdim},
                    nn.MultiheadAttention(e, heads, kdim=kdim, vdim=vdim, **more), inputs, call,
                    prefix="m.")

    def hides(*shape):  # no row may be hidden wholly
        mask = torch.rand(shape) < 0.4
        mask[..., 0] = False
        return mask

    mha("plain")
    mha("no_weights", weights=False)
    mha("by_head", average=False)
    mha("sequence_first", batch_first=False)
    mha("no_bias", bias=False)
    mha("widths", kdim=4, vdim=5)
    mha("bias_kv", add_bias_kv=True, masks={"attn_mask": hides(3, 5)})
    mha("zero", add_zero_attn=True, masks={"key_padding_mask": hides(2, 5)})
    mha("both", add_bias_kv=True, add_zero_attn=True, masks={"attn_mask": hides(3, 5)})
    mha("mask_heads", masks={"attn_mask": hides(4, 3, 5)})
    mha("mask_two", masks={"attn_mask": hides(3, 5), "key_padding_mask": hides(2, 5)})
    mha("mask_float", masks={"attn_mask": rand(3, 5).detach()})
    mha("alone", batch=False, masks={"attn_mask": hides(3, 5)})


def layers():
    base = {"d_model": 6, "nhead": 2, "dim_feedforward": 7, "dropout": 0.0}
    for name, more in (("plain", {"batch_first": True}), ("sequence_first", {}),
                       ("gelu", {"batch_first": True, "activation": "gelu"}),
                       ("norm_first", {"batch_first": True, "norm_first": True,
                                       "layer_norm_eps": 1e-3})):
        a = {**base, **more}
        # in train mode: PyTorch's fast path of inference has no gradients
        module_case(f"encoder_{name}", "TransformerEncoderLayer", a,
                    nn.TransformerEncoderLayer(**a), [rand(2, 3, 6)],
                    lambda m, x: [m.train()(x[0])])
        module_case(f"decoder_{name}", "TransformerDecoderLayer", a,
                    nn.TransformerDecoderLayer(**a),
                    [rand(2, 3, 6), rand(2, 4, 6) if "batch_first" in more else rand(5, 3, 6)],
                    lambda m, x: [m.train()(x[0], x[1])])


def instances():
    for kind, shape in (("1d", (3, 2, 5)), ("2d", (2, 3, 2, 4)), ("3d", (2, 2, 2, 1, 3))):
        for mode in ("train", "infer"):
            m = getattr(nn, f"InstanceNorm{kind}")(shape[1], momentum=0.3, affine=kind != "2d",
                                                   track_running_stats=True).double()
            for b in (m.running_mean, m.running_var):
                nn.init.uniform_(b, 0.5, 1.5)
            before = {f"buffer.{k}": array(b) for k, b in m.named_buffers()}
            name = f"instance_norm{kind}_{mode}"
            module_case(name, f"InstanceNorm{kind}",
                        {"num_features": shape[1], "momentum": 0.3, "affine": kind != "2d",
                         "track_running_stats": True, "mode": mode}, m, [rand(*shape)],
                        lambda m, x, mode=mode: [m.train(mode == "train")(x[0])],
                        more=lambda m=m, before=before: before | (
                            {f"buffer_after.{k}": array(b) for k, b in m.named_buffers()}
                            if m.training else {}))


# ---- architectures -----------------------------------------------------------------------------

ACTS = {"gelu": F.gelu, "gelu_new": lambda x: F.gelu(x, approximate="tanh"), "relu": F.relu,
        "silu": F.silu, "tanh": torch.tanh, "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x)}


def heads(x, n, t, h):
    return x.view(n, t, h, -1).transpose(1, 2)


def attend(q, k, v, scale, hidden=None, extra=0):
    scores = q @ k.transpose(-1, -2) * scale + extra
    if hidden is not None:
        scores = scores.masked_fill(hidden, -math.inf)
    y = scores.softmax(-1) @ v
    return y.transpose(1, 2).reshape(y.shape[0], y.shape[2], -1)


def causal(t, mask):
    hidden = torch.ones(t, t, dtype=torch.bool).triu(1)
    return hidden if mask is None else hidden | (mask[:, None, None, :] == 0)


def bert(c, x, p):
    n, t = x[0].shape
    e = "bert.embeddings."

    def linear(name, v):
        return F.linear(v, p[name + ".weight"], p[name + ".bias"])

    def norm(name, v):
        return F.layer_norm(v, v.shape[-1:], p[name + ".LayerNorm.weight"],
                            p[name + ".LayerNorm.bias"], c["layer_norm_eps"])

    v = F.embedding(x[0], p[e + "word_embeddings.weight"], padding_idx=0)
    kind = c.get("position_embedding_type", "absolute")
    if kind == "absolute":
        v = v + p[e + "position_embeddings.weight"][:t]
    v = v + F.embedding(x[1], p[e + "token_type_embeddings.weight"])
    v = norm(e[:-1], v)
    for i in range(c["num_hidden_layers"]):
        b = f"bert.encoder.layer.{i}."
        q, k, w = (heads(linear(b + "attention.self." + m, v), n, t, c["num_attention_heads"])
                   for m in ("query", "key", "value"))
        scale, extra = q.shape[-1] ** -0.5, 0
        if kind != "absolute":
            place = torch.arange(t)
            table = p[b + "attention.self.distance_embedding.weight"][
                place[:, None] - place + c["max_position_embeddings"] - 1]
            extra = torch.einsum("bhld,lrd->bhlr", q, table) * scale
        if kind == "relative_key_query":
            extra = extra + torch.einsum("bhrd,lrd->bhlr", k, table) * scale
        y = attend(q, k, w, scale, x[2][:, None, None, :] == 0, extra)
        v = norm(b + "attention.output", linear(b + "attention.output.dense", y) + v)
        h = ACTS[c["hidden_act"]](linear(b + "intermediate.dense", v))
        v = norm(b + "output", linear(b + "output.dense", h) + v)
    return [linear("classifier", torch.tanh(linear("bert.pooler.dense", v[:, 0]))), v]


def bert_params(c):
    w, h = c["hidden_size"], c["intermediate_size"]
    s = {"bert.embeddings.word_embeddings.weight": (c["vocab_size"], w),
         "bert.embeddings.position_embeddings.weight": (c["max_position_embeddings"], w),
         "bert.embeddings.token_type_embeddings.weight": (c["type_vocab_size"], w)}

    def linear(name, out, inputs):
        s[name + ".weight"], s[name + ".bias"] = (out, inputs), (out,)

    def norm(name):
        s[name + ".LayerNorm.weight"] = s[name + ".LayerNorm.bias"] = (w,)

    norm("bert.embeddings")
    for i in range(c["num_hidden_layers"]):
        b = f"bert.encoder.layer.{i}."
        for m in ("attention.self.query", "attention.self.key", "attention.self.value",
                  "attention.output.dense"):
            linear(b + m, w, w)
        if c.get("position_embedding_type", "absolute") != "absolute":
            s[b + "attention.self.distance_embedding.weight"] = (
                2 * c["max_position_embeddings"] - 1, w // c["num_attention_heads"])
        norm(b + "attention.output")
        linear(b + "intermediate.dense", h, w)
        linear(b + "output.dense", w, h)
        norm(b + "output")
    linear("bert.pooler.dense", w, w)
    linear("classifier", c["num_labels"], w)
    return s


def gpt2(c, x, p):
    n, t = x[0].shape
    mask = x[1] if len(x) > 1 else None

    def conv1d(name, v):
        return v @ p[name + ".weight"] + p[name + ".bias"]

    def norm(name, v):
        return F.layer_norm(v, v.shape[-1:], p[name + ".weight"], p[name + ".bias"],
                            c["layer_norm_epsilon"])

    words = p["transformer.wte.weight"]
    v = F.embedding(x[0], words) + p["transformer.wpe.weight"][:t]
    for i in range(c["n_layer"]):
        b = f"transformer.h.{i}."
        q, k, w = (heads(m, n, t, c["n_head"]) for m in
                   conv1d(b + "attn.c_attn", norm(b + "ln_1", v)).split(c["n_embd"], -1))
        scale = q.shape[-1] ** -0.5 if c.get("scale_attn_weights", True) else 1.0
        if c.get("scale_attn_by_inverse_layer_idx"):
            scale /= i + 1
        v = v + conv1d(b + "attn.c_proj", attend(q, k, w, scale, causal(t, mask)))
        h = ACTS[c.get("activation_function", "gelu_new")](
            conv1d(b + "mlp.c_fc", norm(b + "ln_2", v)))
        v = v + conv1d(b + "mlp.c_proj", h)
    v = norm("transformer.ln_f", v)
    return [F.linear(v, p.get("lm_head.weight", words))]


def gpt2_params(c):
    w, h = c["n_embd"], c.get("n_inner") or 4 * c["n_embd"]
    s = {"transformer.wte.weight": (c["vocab_size"], w),
         "transformer.wpe.weight": (c["n_positions"], w),
         "transformer.ln_f.weight": (w,), "transformer.ln_f.bias": (w,)}
    for i in range(c["n_layer"]):
        b = f"transformer.h.{i}."
        for name, inputs, out in (("attn.c_attn", w, 3 * w), ("attn.c_proj", w, w),
                                  ("mlp.c_fc", w, h), ("mlp.c_proj", h, w)):
            s[b + name + ".weight"], s[b + name + ".bias"] = (inputs, out), (out,)
        for name in ("ln_1", "ln_2"):
            s[b + name + ".weight"] = s[b + name + ".bias"] = (w,)
    if not c.get("tie_word_embeddings", True):
        s["lm_head.weight"] = (c["vocab_size"], w)
    return s


def frequencies(c, d, t):
    scaling, base = c.get("rope_scaling") or {}, c["rope_theta"]
    kind, factor = scaling.get("rope_type", "default"), scaling.get("factor", 1.0)
    most = c.get("max_position_embeddings", 2048)
    if kind == "dynamic" and t > most:
        base *= (factor * t / most - (factor - 1)) ** (d / (d - 2))
    f = base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    if kind == "linear":
        f = f / factor
    if kind == "llama3":
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        old = scaling["original_max_position_embeddings"]
        length = 2 * math.pi / f
        smooth = (old / length - low) / (high - low)
        mixed = (1 - smooth) * f / factor + smooth * f
        f = torch.where(length > old / low, f / factor,
                        torch.where(length < old / high, f, mixed))
    if kind == "yarn":
        old = scaling.get("original_max_position_embeddings", most)

        def pair(turns):
            return d * math.log(old / (turns * 2 * math.pi)) / (2 * math.log(base))

        low = max(math.floor(pair(scaling.get("beta_fast", 32))), 0)
        high = min(math.ceil(pair(scaling.get("beta_slow", 1))), d - 1)
        ramp = (torch.arange(d // 2, dtype=torch.float64) - low) / (high - low or 0.001)
        ramp = ramp.clamp(0, 1)
        f = f / factor * ramp + f * (1 - ramp)
    return f


def attention_factor(c):
    scaling = c.get("rope_scaling") or {}
    if scaling.get("rope_type") != "yarn":
        return 1
    return scaling.get("attention_factor", 0.1 * math.log(scaling["factor"]) + 1)


def llama(c, x, p):
    n, t = x[0].shape
    mask = x[1] if len(x) > 1 else None
    h, g = c["num_attention_heads"], c.get("num_key_value_heads") or c["num_attention_heads"]
    d = c.get("head_dim") or c["hidden_size"] // h

    def linear(name, v):
        return F.linear(v, p[name + ".weight"], p.get(name + ".bias"))

    def norm(name, v):
        return v * (v.square().mean(-1, keepdim=True) + c["rms_norm_eps"]).rsqrt() * p[name]

    angle = torch.arange(t, dtype=torch.float64)[:, None] * frequencies(c, d, t)
    cos, sin = (f(torch.cat([angle, angle], -1)) * attention_factor(c)
                for f in (torch.cos, torch.sin))

    def turn(v):
        a, b = v.chunk(2, -1)
        return v * cos + torch.cat([-b, a], -1) * sin

    words = p["model.embed_tokens.weight"]
    v = F.embedding(x[0], words)
    for i in range(c["num_hidden_layers"]):
        b = f"model.layers.{i}."
        y = norm(b + "input_layernorm.weight", v)
        q = turn(heads(linear(b + "self_attn.q_proj", y), n, t, h))
        k, w = (heads(linear(b + f"self_attn.{m}_proj", y), n, t, g) for m in "kv")
        k, w = (m.repeat_interleave(h // g, 1) for m in (turn(k), w))
        v = v + linear(b + "self_attn.o_proj", attend(q, k, w, d ** -0.5, causal(t, mask)))
        y = norm(b + "post_attention_layernorm.weight", v)
        gate = ACTS[c.get("hidden_act", "silu")](linear(b + "mlp.gate_proj", y))
        v = v + linear(b + "mlp.down_proj", gate * linear(b + "mlp.up_proj", y))
    return [F.linear(norm("model.norm.weight", v), p.get("lm_head.weight", words))]


def llama_params(c):
    w, inner = c["hidden_size"], c["intermediate_size"]
    h, g = c["num_attention_heads"], c.get("num_key_value_heads") or c["num_attention_heads"]
    d = c.get("head_dim") or w // h
    s = {"model.embed_tokens.weight": (c["vocab_size"], w), "model.norm.weight": (w,)}
    for i in range(c["num_hidden_layers"]):
        b = f"model.layers.{i}."
        s[b + "input_layernorm.weight"] = s[b + "post_attention_layernorm.weight"] = (w,)
        for name, out, inputs, bias in (
                ("self_attn.q_proj", h * d, w, "attention_bias"),
                ("self_attn.k_proj", g * d, w, "attention_bias"),
                ("self_attn.v_proj", g * d, w, "attention_bias"),
                ("self_attn.o_proj", w, h * d, "attention_bias"),
                ("mlp.gate_proj", inner, w, "mlp_bias"), ("mlp.up_proj", inner, w, "mlp_bias"),
                ("mlp.down_proj", w, inner, "mlp_bias")):
            s[b + name + ".weight"] = (out, inputs)
            if c.get(bias):
                s[b + name + ".bias"] = (out,)
    if not c.get("tie_word_embeddings", False):
        s["lm_head.weight"] = (c["vocab_size"], w)
    return s


def model_case(name, op, config, function, shapes, inputs):
    params = {k: rand(*s) * 0.4 for k, s in shapes.items()}
    case(name, op, config, lambda x, p: function(config, x, p), inputs, params)


def models():
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
    tokens, types = torch.randint(0, 9, (2, 5)), torch.randint(0, 2, (2, 5))
    for name, more in (("plain", {}), ("relu", {"hidden_act": "relu", "num_labels": 4}),
                       ("gelu_new", {"hidden_act": "gelu_new", "layer_norm_eps": 1e-3})):
        c = {"vocab_size": 9, "hidden_size": 6, "num_hidden_layers": 1,
             "num_attention_heads": 2, "intermediate_size": 5, "max_position_embeddings": 6,
             "type_vocab_size": 2, "layer_norm_eps": 1e-12, "num_labels": 2,
             "hidden_act": "gelu", **more}
        model_case(f"bert_{name}", "BertForSequenceClassification", c, bert, bert_params(c),
                   [tokens, types, mask])
    for name, more in (("plain", {}), ("inner", {"n_inner": 5, "activation_function": "relu"}),
                       ("scales", {"scale_attn_by_inverse_layer_idx": True,
                                   "tie_word_embeddings": False, "n_layer": 2}),
                       ("unscaled", {"scale_attn_weights": False,
                                     "activation_function": "gelu"})):
        c = {"vocab_size": 9, "n_embd": 6, "n_layer": 1, "n_head": 2, "n_positions": 7,
             "layer_norm_epsilon": 1e-5, **more}
        model_case(f"gpt2_{name}", "GPT2LMHeadModel", c, gpt2, gpt2_params(c),
                   [tokens] + ([mask] if name == "inner" else []))
    llama3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 16}
    for name, more in (("plain", {}), ("shared", {"num_key_value_heads": 1}),
                       ("biases", {"attention_bias": True, "mlp_bias": True,
                                   "hidden_act": "gelu_new", "rope_theta": 500.0}),
                       ("tied", {"tie_word_embeddings": True, "head_dim": 6}),
                       ("linear", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
                       ("dynamic", {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0},
                                    "max_position_embeddings": 3}),
                       ("llama3", {"rope_scaling": llama3})):
        c = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1,
             "num_attention_heads": 2, "intermediate_size": 5, "rms_norm_eps": 1e-6,
             "rope_theta": 10000.0, **more}
        model_case(f"llama_{name}", "LlamaForCausalLM", c, llama, llama_params(c),
                   [tokens] + ([mask] if name == "shared" else []))


def positions():
    mask = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
    tokens, types = torch.randint(0, 9, (2, 5)), torch.randint(0, 2, (2, 5))
    for kind in ("relative_key", "relative_key_query"):
        c = {"vocab_size": 9, "hidden_size": 6, "num_hidden_layers": 2,
             "num_attention_heads": 2, "intermediate_size": 5, "max_position_embeddings": 6,
             "type_vocab_size": 2, "layer_norm_eps": 1e-12, "num_labels": 2,
             "hidden_act": "gelu", "position_embedding_type": kind}
        model_case(f"bert_{kind}", "BertForSequenceClassification", c, bert, bert_params(c),
                   [tokens, types, mask])
    for name, more in (("", {"original_max_position_embeddings": 64}),
                       ("_betas", {"original_max_position_embeddings": 64, "beta_fast": 4,
                                   "beta_slow": 2, "attention_factor": 1.3})):
        c = {"vocab_size": 9, "hidden_size": 16, "num_hidden_layers": 1,
             "num_attention_heads": 2, "intermediate_size": 5, "rms_norm_eps": 1e-6,
             "rope_theta": 1000.0,
             "rope_scaling": {"rope_type": "yarn", "factor": 4.0, **more}}
        model_case(f"llama_yarn{name}", "LlamaForCausalLM", c, llama, llama_params(c), [tokens])


def main():
    torch.manual_seed(11)
    OUT.mkdir(parents=True, exist_ok=True)
    embeddings()
    attention()
    layers()
    models()
    instances()
    positions()
    tolerance = {"rtol": 1e-10, "atol": 1e-11}
    manifest = {"about": f"made by tools/golden_transformer.py with PyTorch {torch.__version__}",
                "tolerance": {"output": tolerance, "grad": tolerance}, "cases": CASES}
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


main()
