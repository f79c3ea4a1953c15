#!/usr/bin/env python3
"""Writes tests/golden/losses/*.safetensors: PyTorch's losses over a grid of their options.

Run in the project's root with Python 3, NumPy and PyTorch; the files are small, f64, and checked
in. A file is one loss on one set of inputs, "input.0", "input.1" ...; metadata "attributes" has
"cases", a list of options in PyTorch's words, where "input.2" means that input. Case K has
"output.K", "cotangent.K" (what flows into it; 1 where it is missing), "grad.K.I" for each input I
that has one, and, where it is not 0, "second.K.I": the gradient of the sum of squares of grad.K.I
with respect to input I.
"""
import pathlib

import torch
import torch.nn.functional as F

import golden_file

OUT = pathlib.Path("tests/golden/losses")
REDUCTIONS = ("mean", "sum", "none")


def rand(*shape):
    return torch.randn(shape, dtype=torch.float64)


def uniform(*shape):
    return torch.rand(shape, dtype=torch.float64)


def sides(*shape):
    return torch.randint(0, 2, shape).double() * 2 - 1


def array(t):
    return t.detach().clone().contiguous().numpy()


def one_case(k, function, inputs, positional, learned, attributes):
    given = [t.clone().requires_grad_(i in learned) for i, t in enumerate(inputs)]
    options = {a: given[int(v[6:])] if str(v).startswith("input.") else v
               for a, v in attributes.items()}
    output = function(*given[:positional], **options)
    cotangent = rand(*output.shape) if output.dim() > 0 else torch.ones_like(output)
    tensors = {f"output.{k}": array(output)}
    if output.dim() > 0:
        tensors[f"cotangent.{k}"] = array(cotangent)
    for i in learned:
        grad, = torch.autograd.grad(output, given[i], cotangent, create_graph=True)
        tensors[f"grad.{k}.{i}"] = array(grad)
        second = None
        try:
            if grad.requires_grad:
                second, = torch.autograd.grad((grad ** 2).sum(), given[i], retain_graph=True,
                                              allow_unused=True)
        except RuntimeError as e:  # PyTorch has no second derivative of some margins
            print(f"{function.__name__}, case {k}, input {i}: {e}")
        if second is not None and second.abs().max() > 0:
            tensors[f"second.{k}.{i}"] = array(second)
    return tensors


def grid(name, function, inputs, variants=({},), reductions=REDUCTIONS, learned=(0,),
         positional=2):
    """Every variant with every reduction. The first inputs are passed by position."""
    cases = [dict(v, **({"reduction": r} if r else {})) for v in variants for r in reductions]
    tensors = {f"input.{i}": array(t) for i, t in enumerate(inputs)}
    for k, attributes in enumerate(cases):
        tensors |= one_case(k, function, inputs, positional, learned, attributes)
    golden_file.write(OUT / f"{name}.safetensors", tensors,
                      {"op": function.__name__, "attributes": {"cases": cases},
                       "torch": torch.__version__})


# ---- losses that PyTorch does not have -----------------------------------------------------


def reduced(loss, reduction):
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


def hinge_loss(x, y, reduction):
    return reduced(torch.relu(1 - x * y), reduction)


def sigmoid_focal_loss(x, t, alpha, gamma, reduction):
    """As torchvision.ops.sigmoid_focal_loss."""
    p = torch.sigmoid(x)
    p_t = p * t + (1 - p) * (1 - t)
    loss = F.binary_cross_entropy_with_logits(x, t, reduction="none") * (1 - p_t) ** gamma
    if alpha >= 0:
        loss = (alpha * t + (1 - alpha) * (1 - t)) * loss
    return reduced(loss, reduction)


def dice_loss(p, t, smooth, squared, reduction):
    p, t = p.flatten(1), t.flatten(1)
    below = (p ** 2 + t ** 2 if squared else p + t).sum(1)
    return reduced(1 - (2 * (p * t).sum(1) + smooth) / (below + smooth), reduction)


def ctc_loss(x, targets, input_lengths, target_lengths, **options):
    return F.ctc_loss(torch.log_softmax(x, 2), targets, input_lengths, target_lengths, **options)


def gram_loss(x, t, reduction):
    """Of Johnson et al., arXiv:1603.08155, eq. 3 and 4."""
    def gram(f):
        f = f.flatten(2)
        return f @ f.transpose(1, 2) / (f.shape[1] * f.shape[2])
    return reduced((gram(x) - gram(t)) ** 2, reduction)


# ---- the grids -----------------------------------------------------------------------------


def numbers():
    pair = [2 * rand(3, 4), rand(3, 4)]
    grid("mse", F.mse_loss, pair, learned=(0, 1))
    grid("l1", F.l1_loss, pair, learned=(0, 1))
    grid("huber", F.huber_loss, pair, [dict(delta=1.0), dict(delta=0.4)], learned=(0, 1))
    grid("smooth_l1", F.smooth_l1_loss, pair, [dict(beta=1.0), dict(beta=0.6), dict(beta=0.0)],
         learned=(0, 1))


def classes():
    weight = uniform(4) + 0.2
    variants = [{}, dict(weight="input.2"), dict(label_smoothing=0.1),
                dict(weight="input.2", label_smoothing=0.3)]
    hidden = [dict(v, ignore_index=-100) for v in variants]
    seen = [dict(v, ignore_index=2) for v in variants]
    index = torch.tensor([3, 0, 2, 2, 1])
    gaps = torch.tensor([3, -100, 2, -100, 1])
    grid("cross_entropy", F.cross_entropy, [2 * rand(5, 4), index, weight], variants + seen)
    grid("cross_entropy_gaps", F.cross_entropy, [2 * rand(5, 4), gaps, weight], hidden)
    images = torch.tensor([[[3, 0], [2, 2]], [[1, 1], [-100, 3]]])
    grid("cross_entropy_images", F.cross_entropy, [2 * rand(2, 4, 2, 2), images, weight], hidden)
    grid("cross_entropy_lines", F.cross_entropy,
         [2 * rand(2, 4, 3), torch.tensor([[0, 1, 2], [3, 3, 1]]), weight], variants[:3])
    grid("cross_entropy_row", F.cross_entropy, [2 * rand(4), torch.tensor(2), weight], variants)
    for name, shape in (("", (3, 4)), ("_images", (2, 4, 2, 1)), ("_row", (4,))):
        p = torch.softmax(rand(*shape), 1 if len(shape) > 1 else 0)
        grid(f"cross_entropy_probabilities{name}", F.cross_entropy,
             [2 * rand(*shape), p, weight], variants, learned=(0, 1))
    plain = [{}, dict(weight="input.2")]
    for name, shape, target in (("", (5, 4), gaps), ("_images", (2, 4, 2, 2), images)):
        grid(f"nll{name}", F.nll_loss,
             [torch.log_softmax(rand(*shape), 1), target, weight],
             [dict(v, ignore_index=-100) for v in plain])
    grid("nll_seen", F.nll_loss, [torch.log_softmax(rand(5, 4), 1), index, weight],
         plain + [dict(v, ignore_index=2) for v in plain])
    grid("nll_row", F.nll_loss, [torch.log_softmax(rand(4), 0), torch.tensor(1), weight], plain)


def binary():
    z, t = 2 * rand(3, 4), uniform(3, 4)
    t[0] = torch.tensor([0.0, 1.0, 1.0, 0.0])
    weights = [{}, dict(weight="input.2")]
    grid("bce", F.binary_cross_entropy, [torch.sigmoid(z), t, uniform(3, 4)], weights,
         learned=(0, 1))
    for name, w, q in (("", uniform(3, 4), uniform(4)), ("_rows", uniform(3, 1), uniform(3, 4))):
        grid(f"bce_with_logits{name}", F.binary_cross_entropy_with_logits,
             [z, t, w, 3 * q],
             weights + [dict(pos_weight="input.3"),
                        dict(weight="input.2", pos_weight="input.3")], learned=(0, 1))
    extreme = torch.tensor([[40.0, -700.0, 3.0, 0.0], [900.0, 0.5, -2.0, -50.0]]).double()
    grid("bce_with_logits_extreme", F.binary_cross_entropy_with_logits,
         [extreme, uniform(2, 4), uniform(4)], [{}, dict(pos_weight="input.2")])
    grid("multilabel_soft_margin", F.multilabel_soft_margin_loss, [z, t.round(), uniform(4)],
         weights)
    grid("focal", sigmoid_focal_loss, [z, t.round()],
         [dict(alpha=a, gamma=g) for a in (0.25, -1.0) for g in (2.0, 0.0, 1.5, 0.5)])
    grid("focal_soft", sigmoid_focal_loss, [z, t], [dict(alpha=0.6, gamma=2.0)], learned=(0, 1))
    grid("dice", dice_loss, [uniform(3, 2, 3), uniform(3, 2, 3).round()],
         [dict(smooth=s, squared=q) for s in (1.0, 0.01) for q in (False, True)], learned=(0, 1))


def margins():
    x = 2 * rand(4, 5)
    grid("hinge", hinge_loss, [x, sides(4, 5)])
    grid("soft_margin", F.soft_margin_loss, [x, sides(4, 5)])
    grid("hinge_embedding", F.hinge_embedding_loss, [x, sides(4, 5)],
         [dict(margin=1.0), dict(margin=0.3)])
    grid("margin_ranking", F.margin_ranking_loss, [rand(7), rand(7), sides(7)],
         [dict(margin=0.0), dict(margin=0.6)], learned=(0, 1), positional=3)
    index, weight = torch.tensor([4, 0, 2, 2]), uniform(5)
    variants = [dict(p=p, margin=m) for p in (1, 2) for m in (1.0, 0.4)]
    variants += [dict(p=2, margin=0.7, weight="input.2")]
    grid("multi_margin", F.multi_margin_loss, [x, index, weight], variants)
    grid("multi_margin_row", F.multi_margin_loss, [rand(5), torch.tensor(3), weight],
         variants[:2])
    listed = torch.tensor([[3, 0, -1, 4, 1], [-1, 0, 0, 0, 0], [0, 1, 2, 3, 4], [2, 2, 4, -1, 2]])
    grid("multilabel_margin", F.multilabel_margin_loss, [x, listed])
    grid("multilabel_margin_row", F.multilabel_margin_loss,
         [rand(3), torch.tensor([1, -1, 0])])


def distances():
    a, b, c = rand(4, 5), rand(4, 5), rand(4, 5)
    norms = [dict(p=p) for p in (2.0, 1.0, 3.5, 0.75)]  # PyTorch holds p as an f32
    grid("pairwise_distance", F.pairwise_distance, [a, b],
         norms + [dict(p=2.0, eps=0.3, keepdim=True)], reductions=(None,), learned=(0, 1))
    grid("triplet_margin", F.triplet_margin_loss, [a, b, c],
         [dict(margin=m, p=p, swap=s) for m, p in ((1.0, 2.0), (0.5, 1.0), (2.0, 3.0))
          for s in (False, True)], learned=(0, 1, 2), positional=3)
    grid("cosine_embedding", F.cosine_embedding_loss, [a, b, sides(4)],
         [dict(margin=0.0), dict(margin=0.2), dict(margin=-0.5)], learned=(0, 1),
         positional=3)
    grid("cosine_embedding_row", F.cosine_embedding_loss, [a[0], b[0], torch.tensor(1.0).double()],
         [dict(margin=0.0)], learned=(0, 1), positional=3)


def distributions():
    x, t = torch.log_softmax(rand(3, 4), 1), torch.softmax(rand(3, 4), 1)
    t[1] = torch.tensor([0.0, 0.5, 0.5, 0.0])
    reductions = REDUCTIONS + ("batchmean",)
    grid("kl_div", F.kl_div, [x, t], reductions=reductions)
    grid("kl_div_log", F.kl_div, [x, torch.log_softmax(rand(3, 4), 1)], [dict(log_target=True)],
         reductions=reductions, learned=(0, 1))
    count = torch.tensor([[0.0, 1.0, 2.0], [7.0, 3.0, 0.5]]).double()
    grid("poisson_nll", F.poisson_nll_loss, [uniform(2, 3) + 0.1, count],
         [dict(log_input=i, full=f) for i in (True, False) for f in (True, False)]
         + [dict(log_input=False, eps=0.1)])
    for name, shape in (("", (3, 4)), ("_column", (3, 1)), ("_rows", (3,))):
        v = uniform(*shape) + 0.1
        v[0] = 0.05
        grid(f"gaussian_nll{name}", F.gaussian_nll_loss, [rand(3, 4), rand(3, 4), v],
             [dict(full=f, eps=e) for f in (False, True) for e in (1e-6, 0.2)],
             learned=(0, 1, 2), positional=3)


def sequences():
    targets = torch.tensor([[1, 2, 2], [3, 1, -1], [2, 0, 0]])
    lengths = [torch.tensor([6, 4, 5]), torch.tensor([3, 2, 0])]
    grid("ctc", ctc_loss, [2 * rand(6, 3, 4), targets, *lengths], positional=4)
    letters = torch.tensor([[1, 0, 0], [3, 1, 3], [1, 1, 1]])
    tight = [torch.tensor([5, 3, 4]), torch.tensor([2, 3, 3])]
    grid("ctc_impossible", ctc_loss, [2 * rand(5, 3, 4), letters, *tight],
         [dict(blank=2, zero_infinity=True)], positional=4)
    grid("gram", gram_loss, [rand(2, 3, 2, 2), rand(2, 3, 2, 2)], learned=(0, 1))


def main():
    torch.manual_seed(5)
    OUT.mkdir(parents=True, exist_ok=True)
    for group in (numbers, classes, binary, margins, distances, distributions, sequences):
        group()


main()
