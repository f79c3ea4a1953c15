#!/usr/bin/env python3
"""Writes tests/golden/metric_arrays/*.json: metrics of whole arrays and what scikit-learn (SciPy,
for correlations) says of them, over a grid of their options.

Run in the project's root with Python 3, NumPy, SciPy and scikit-learn; the files are checked in.
A file holds arrays by name, and cases: op and attributes in scikit-learn's words, the names of the
arrays in the order of the call, of the weights if any, and the wanted value or values; null stands
for NaN. What scikit-learn refuses is wanted to fail ("fails").
"""
import itertools
import json
import math
import pathlib
import warnings

import numpy as np
import scipy.stats
import sklearn
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

warnings.simplefilter("ignore")
OUT = pathlib.Path("tests/golden/metric_arrays")
rng = np.random.default_rng(4)


def retrieval(y, s, k, of):
    """Mean over rows of a number made of the relevances in the order of the scores."""
    rows = [r[np.argsort(-t, kind="stable")] for r, t in zip(y, s)]
    return np.mean([of(r[:k], r) for r in rows])


def calibration_error(y, p, n_bins=10):
    if p.ndim == 2:
        y, p = p.argmax(1) == y, p.max(1)
    at = np.searchsorted(np.linspace(0, 1, n_bins + 1)[1:-1], p)
    return sum(abs(np.mean(y[at == b]) - np.mean(p[at == b])) * np.mean(at == b)
               for b in range(n_bins) if (at == b).any())


def multiclass_brier(y, p):
    return np.mean(((np.eye(p.shape[1])[y] - p) ** 2).sum(1))


def ssim(x, y, data_range=1.0):
    """Wang et al. 2004, every window on its own."""
    d = np.arange(11) - 5
    g = np.exp(-d * d / 4.5)
    g = np.outer(g, g) / g.sum() ** 2
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    values = []
    for p, q in zip(x.reshape(-1, *x.shape[-2:]), y.reshape(-1, *y.shape[-2:])):
        for i, j in itertools.product(range(p.shape[0] - 10), range(p.shape[1] - 10)):
            a, b = p[i:i + 11, j:j + 11], q[i:i + 11, j:j + 11]
            ma, mb = (g * a).sum(), (g * b).sum()
            va, vb, cov = ((g * (s - m) * (t - n)).sum()
                           for s, t, m, n in ((a, a, ma, ma), (b, b, mb, mb), (a, b, ma, mb)))
            values.append((2 * ma * mb + c1) * (2 * cov + c2)
                          / ((ma ** 2 + mb ** 2 + c1) * (va + vb + c2)))
    return np.mean(values)


OTHERS = {
    "ssim": ssim,
    "psnr": lambda x, y, data_range=1.0: 10 * np.log10(data_range ** 2 / np.mean((x - y) ** 2)),
    "auc": sk.auc,
    "hamming_loss": sk.hamming_loss,
    "zero_one_loss": sk.zero_one_loss,
    "hinge_loss": sk.hinge_loss,
    "log_loss": sk.log_loss,
    "perplexity": lambda y, p: math.exp(sk.log_loss(y, p, labels=range(p.shape[1]))),
    "brier": lambda y, p, **a: (sk.brier_score_loss(y, p, **a) if p.ndim == 1
                                else multiclass_brier(y, p)),
    "expected_calibration_error": calibration_error,
    "calibration_curve": calibration_curve,
    "coverage_error": sk.coverage_error,
    "label_ranking_loss": sk.label_ranking_loss,
    "matthews_corrcoef": sk.matthews_corrcoef,
    "mae": sk.mean_absolute_error,
    "mse": sk.mean_squared_error,
    "rmse": lambda y, x, **a: sk.mean_squared_error(y, x, squared=False, **a),
    "msle": sk.mean_squared_log_error,
    "rmsle": lambda y, x, **a: sk.mean_squared_log_error(y, x, squared=False, **a),
    "mape": sk.mean_absolute_percentage_error,
    "smape": lambda y, x: np.mean(2 * abs(y - x) / (abs(y) + abs(x))),
    "median_absolute_error": sk.median_absolute_error,
    "max_error": sk.max_error,
    "poisson_deviance": sk.mean_poisson_deviance,
    "gamma_deviance": sk.mean_gamma_deviance,
    "tweedie_deviance": sk.mean_tweedie_deviance,
    "pinball": sk.mean_pinball_loss,
    "pearson": lambda y, x: scipy.stats.pearsonr(y, x)[0],
    "spearman": lambda y, x: scipy.stats.spearmanr(y, x)[0],
    "kendall": lambda y, x: scipy.stats.kendalltau(y, x)[0],
    "mean_iou": lambda y, x: sk.jaccard_score(y.ravel(), x.ravel(), average="macro"),
    "dice": lambda y, x, **a: sk.f1_score(y.ravel(), x.ravel(), **a),
    "silhouette_samples": sk.silhouette_samples,
    "precision_at_k": lambda y, s, k=0: retrieval(y, s, k or None,
                                                  lambda t, r: t.sum() / (k or len(r))),
    "recall_at_k": lambda y, s, k=0: retrieval(y, s, k or None,
                                               lambda t, r: t.sum() / max(r.sum(), 1)),
    "hit_rate": lambda y, s, k=0: retrieval(y, s, k or None, lambda t, r: t.any()),
    "mean_reciprocal_rank": lambda y, s, k=0: retrieval(
        y, s, k or None, lambda t, r: 1 / (1 + t.argmax()) if t.any() else 0),
}


def function(op):
    """scikit-learn's function of this name, or ours in its place."""
    for name in (op, op + "_score"):
        if hasattr(sk, name) and op not in OTHERS:
            return getattr(sk, name)
    return OTHERS[op]


def clean(x):
    if isinstance(x, dict):
        return {k: clean(v) for k, v in x.items()}
    if isinstance(x, (list, tuple, np.ndarray)):
        return [clean(v) for v in x]
    if isinstance(x, (np.bool_, bool)):
        return bool(x)
    if isinstance(x, (np.integer, int)):
        return int(x)
    if isinstance(x, (np.floating, float)):
        return float(x) if math.isfinite(x) else None if math.isnan(x) else str(float(x))
    return x


class Family:
    def __init__(self, name, **arrays):
        self.name, self.arrays, self.cases = name, arrays, []

    def case(self, op, arguments, weight=None, **attrs):
        """arguments: names of arrays, joined by blanks."""
        names = arguments.split()
        kind = {"sample_weight": self.arrays[weight]} if weight else {}
        row = {"op": op, "attrs": attrs, "arguments": names}
        if weight:
            row["weight"] = weight
        try:
            got = function(op)(*[self.arrays[n] for n in names], **attrs, **kind)
            several = isinstance(got, tuple)
            row["values" if several else "value"] = (
                [v for v in got if v is not None] if several else got)
        except ValueError:
            row["fails"] = True
        self.cases.append(row)

    def write(self):
        content = clean({"sklearn": sklearn.__version__, "arrays": self.arrays,
                         "cases": self.cases})
        (OUT / f"{self.name}.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


def guesses(y, classes, wrong):
    return np.where(rng.random(y.shape) < wrong, rng.integers(0, classes, y.shape), y)


def probabilities(n, c, sharpness=1.5):
    z = np.exp(sharpness * rng.standard_normal((n, c)))
    p = np.round(z / z.sum(1, keepdims=True), 4)
    p[:, 0] += 1 - p.sum(1)
    return np.abs(np.round(p, 4))


def classes():
    y, y2, ml = rng.integers(0, 5, 40), rng.integers(0, 2, 40), (rng.random((30, 4)) < 0.4) * 1
    ml[3] = 0
    f = Family("classes", y=y, p=guesses(y, 5, 0.4), y2=y2, p2=guesses(y2, 2, 0.3), ml=ml,
               mlp=guesses(ml, 2, 0.25), signs=2 * y2 - 1, signsp=2 * guesses(y2, 2, 0.3) - 1,
               far=np.array([7, -3, 7, 10**9, -3, 7]), farp=np.array([7, 7, -3, 10**9, -3, 12]),
               none=np.zeros(6, int), one=np.ones(6, int), mlnone=np.zeros((3, 4), int),
               w=np.round(rng.random(40), 2), wl=np.round(rng.random(30), 2))
    f.arrays["mlp"][3] = 0
    pairs = [("y p", "w"), ("ml mlp", "wl"), ("far farp", None), ("y2 p2", "w")]
    for op, (a, w), weight in itertools.product(
            ("accuracy", "zero_one_loss", "hamming_loss"), pairs, (False, True)):
        f.case(op, a, w if weight else None)
        if op != "hamming_loss":
            f.case(op, a, w if weight else None, normalize=False)
    ratios = [("precision", {}), ("recall", {}), ("f1", {}), ("fbeta", {"beta": 2.0}),
              ("fbeta", {"beta": 0.5}), ("jaccard", {})]
    for (op, more), average, zero in itertools.product(
            ratios, ("micro", "macro", "weighted", None), (0, 1)):
        for a, w in pairs[:3]:
            f.case(op, a, average=average, zero_division=zero, **more)
            if w and zero:
                f.case(op, a, w, average=average, zero_division=zero, **more)
        f.case(op, "y p", average=average, zero_division=zero, labels=[3, 1, 9], **more)
        f.case(op, "ml mlp", average=average, zero_division=zero, labels=[2, 0], **more)
        f.case(op, "mlnone mlnone", average=average, zero_division=zero, **more)
        f.case(op, "none one", average=average, zero_division=zero, labels=[5], **more)
    for op, more in ratios:
        for zero in (0, 1):
            f.case(op, "ml mlp", average="samples", zero_division=zero, **more)
            f.case(op, "ml mlp", "wl", average="samples", zero_division=zero, **more)
            for a in ("y2 p2", "signs signsp", "none one", "none none", "one none"):
                f.case(op, a, average="binary", zero_division=zero, **more)
        f.case(op, "y2 p2", "w", average="binary", pos_label=0, **more)
        f.case(op, "y2 p2", average="binary", pos_label=3, **more)  # neither of the classes
        f.case(op, "y p", average="binary", **more)                 # five classes
        f.case(op, "ml mlp", average="binary", **more)
        f.case(op, "y p", average="samples", **more)
        f.case(op, "y2 p2", **more)
    for zero, beta in ((0, 1.0), (1, 2.0)):
        for average in (None, "micro", "macro", "weighted"):
            f.case("precision_recall_fscore_support", "y p", "w", average=average,
                   zero_division=zero, beta=beta)
            f.case("precision_recall_fscore_support", "ml mlp", average=average,
                   zero_division=zero, beta=beta, labels=[2, 0])
        f.case("precision_recall_fscore_support", "y2 p2", average="binary", beta=beta)
    f.case("precision_recall_fscore_support", "far farp")
    f.case("precision_recall_fscore_support", "ml mlp", average="samples")
    f.case("precision_recall_fscore_support", "y p", average="binary")
    for normalize, (a, w) in itertools.product((None, "true", "pred", "all"), pairs[::2]):
        f.case("confusion_matrix", a, normalize=normalize)
        f.case("confusion_matrix", "y p", "w", normalize=normalize)
        f.case("confusion_matrix", "y p", labels=[4, 0, 8, 1], normalize=normalize)
    f.case("confusion_matrix", "y p", labels=[17])
    f.case("confusion_matrix", "ml mlp")
    for a, w in pairs:
        f.case("multilabel_confusion_matrix", a)
        if w:
            f.case("multilabel_confusion_matrix", a, w)
    f.case("multilabel_confusion_matrix", "ml mlp", samplewise=True)
    f.case("multilabel_confusion_matrix", "ml mlp", "wl", samplewise=True)
    f.case("multilabel_confusion_matrix", "ml mlp", labels=[3, 1])
    f.case("multilabel_confusion_matrix", "y p", labels=[3, 1])
    f.case("multilabel_confusion_matrix", "y p", samplewise=True)
    for a, w in (("y p", "w"), ("y2 p2", "w"), ("far farp", None), ("none one", None)):
        for op, grid in (("cohen_kappa", [{}, {"weights": "linear"}, {"weights": "quadratic"}]),
                         ("matthews_corrcoef", [{}]),
                         ("balanced_accuracy", [{}, {"adjusted": True}])):
            for attrs in grid:
                f.case(op, a, **attrs)
                if w:
                    f.case(op, a, w, **attrs)
    f.case("cohen_kappa", "y p", labels=[2, 0, 1], weights="linear")
    f.case("cohen_kappa", "one one")
    f.case("matthews_corrcoef", "one one")
    for a in ("y p", "y2 p2", "far farp"):
        f.case("mean_iou", a)
    f.case("dice", "y2 p2")
    f.case("dice", "y p", average="macro")
    f.write()


def scores():
    y, y2 = rng.integers(0, 4, 40), rng.integers(0, 2, 40)
    y[:4] = range(4)
    ml = (rng.random((25, 4)) < 0.4) * 1
    ml[0], ml[1] = 0, 1
    f = Family("scores", y=y, p=probabilities(40, 4), d=np.round(rng.standard_normal((40, 4)), 2),
               y2=y2, s=np.round(rng.standard_normal(40) + y2, 2), p2=np.round(rng.random(40), 3),
               ties=rng.integers(0, 5, 40).astype(float), hard=(rng.random(40) < 0.5) * 1.0,
               signs=2 * y2 - 1, odd=3 + 4 * y2, ml=ml, mls=np.round(rng.standard_normal((25, 4)), 2),
               mlt=rng.integers(0, 3, (25, 4)).astype(float), one=np.ones(40, int),
               none=np.zeros(40, int), w=np.round(rng.random(40) * (rng.random(40) < 0.8), 2),
               wl=np.round(rng.random(25), 2), eye=np.eye(4)[rng.integers(0, 4, 40)],
               x=np.sort(np.round(rng.random(40), 3)), down=-np.sort(np.round(rng.random(40), 3)))
    for w in (None, "w"):
        for s in ("s", "ties", "p2", "hard"):
            for y in ("y2", "signs"):
                for op in ("roc_curve", "precision_recall_curve", "det_curve"):
                    f.case(op, f"{y} {s}", w)
                f.case("roc_curve", f"{y} {s}", w, drop_intermediate=False)
                f.case("average_precision", f"{y} {s}", w)
                for m in (None, 1.0, 0.1, 0.5, 0.93):
                    f.case("roc_auc", f"{y} {s}", w, max_fpr=m)
        for op in ("roc_curve", "precision_recall_curve", "det_curve"):
            f.case(op, "odd s", w, pos_label=7)
            f.case(op, "odd s", w, pos_label=3)
        if op != "det_curve":
            f.case(op, "y s", w, pos_label=2)
        f.case("roc_auc", "odd s", w)
        f.case("average_precision", "odd s", w, pos_label=3)
        f.case("average_precision", "none s", w)
        f.case("precision_recall_curve", "none s", w)
        f.case("roc_curve", "none s", w)
        f.case("roc_curve", "one s", w)
        for s in ("p2", "hard"):
            f.case("brier", f"y2 {s}", w)
            f.case("brier", f"odd {s}", w)
            f.case("brier", f"y2 {s}", w, pos_label=0)
            f.case("log_loss", f"y2 {s}", w)
        for p in ("p", "eye"):
            f.case("log_loss", f"y {p}", w)
            f.case("log_loss", f"y {p}", w, normalize=False)
            f.case("log_loss", f"y {p}", w, eps=0.01)
            f.case("log_loss", f"y2 {p}", w, labels=[0, 1, 2, 3])
            for average, way in itertools.product(("macro", "weighted"), ("ovr", "ovo")):
                f.case("roc_auc", f"y {p}", w if way == "ovr" else None, average=average,
                       multi_class=way)
            for average in (None, "micro"):
                f.case("roc_auc", f"y {p}", w, average=average, multi_class="ovr")
        f.case("hinge_loss", "y d", w)
        f.case("hinge_loss", "y2 s", w)
        f.case("hinge_loss", "signs s", w)
        f.case("hinge_loss", "odd s", w)
        f.case("hinge_loss", "y2 d", w, labels=[0, 1, 2, 3])
        for k in (1, 2, 3, 4):
            for s in ("p", "d"):
                f.case("top_k_accuracy", f"y {s}", w, k=k)
                f.case("top_k_accuracy", f"y {s}", w, k=k, normalize=False)
            f.case("top_k_accuracy", "y2 d", w, k=k, labels=[0, 1, 2, 3])
            for s in ("p2", "s", "ties"):
                f.case("top_k_accuracy", f"y2 {s}", w, k=k)
    for w, s in itertools.product((None, "wl"), ("mls", "mlt")):
        for average in ("micro", "macro", "weighted", "samples", None):
            f.case("average_precision", f"ml {s}", w, average=average)
            if average != "samples":
                f.case("roc_auc", f"ml {s}", w, average=average)
        for op in ("coverage_error", "label_ranking_loss", "label_ranking_average_precision"):
            f.case(op, f"ml {s}", w)
    f.case("roc_auc", "ml mls", average="samples")  # rows of one class alone
    f.case("roc_auc", "one s")
    f.case("roc_auc", "y d", multi_class="ovr")     # no probabilities
    f.case("roc_auc", "y p", multi_class="ovr", max_fpr=0.5)
    f.case("det_curve", "one s")
    f.case("brier", "y2 s")
    f.case("brier", "y p2")
    f.case("brier", "y p")
    f.case("log_loss", "one p2")
    f.case("log_loss", "y2 p")
    f.case("perplexity", "y p")
    f.case("perplexity", "y2 p")
    f.case("auc", "x p2")
    f.case("auc", "down p2")
    f.case("auc", "p2 x")
    for strategy, n in itertools.product(("uniform", "quantile"), (5, 4, 10)):
        f.case("calibration_curve", "y2 p2", strategy=strategy, n_bins=n)
    f.case("calibration_curve", "odd p2", pos_label=7)
    f.case("calibration_curve", "y2 s")
    f.case("expected_calibration_error", "y p")
    f.case("expected_calibration_error", "y p", n_bins=4)
    f.case("expected_calibration_error", "y2 p2")
    f.write()


def rankings():
    f = Family("rankings", y=rng.integers(0, 4, (12, 7)), s=np.round(rng.standard_normal((12, 7)), 2),
               t=rng.integers(0, 3, (12, 7)).astype(float), none=np.zeros((12, 7), int),
               r=(rng.random((12, 7)) < 0.3) * 1, w=np.round(rng.random(12), 2))
    for w, s, k in itertools.product((None, "w"), ("s", "t"), (None, 1, 3, 7, 20)):
        for y in ("y", "none"):
            f.case("ndcg", f"{y} {s}", w, k=k)
            f.case("dcg", f"{y} {s}", w, k=k)
        f.case("dcg", f"y {s}", w, k=k, log_base=3.0)
        if s == "s":
            f.case("ndcg", "y s", w, k=k, ignore_ties=True)
            f.case("dcg", "y s", w, k=k, ignore_ties=True)
    for op, k in itertools.product(
            ("precision_at_k", "recall_at_k", "hit_rate", "mean_reciprocal_rank"), (0, 1, 3, 10)):
        f.case(op, "r s", k=k)
        f.case(op, "r t", k=k)
        f.case(op, "none s", k=k)
    f.write()


def numbers():
    y = np.round(10 * rng.standard_normal(31) + 3, 3)
    y3 = np.round(rng.standard_normal((25, 3)) * [1, 100, 0.01], 4)
    c = rng.poisson(3, 31)
    f = Family("numbers", y=y, x=np.round(y + rng.standard_normal(31), 3), y3=y3,
               x3=np.round(y3 + 0.3 * rng.standard_normal((25, 3)), 4), c=c,
               m=np.round(c + 0.2 + rng.random(31), 3), a=np.round(1 + rng.random(31), 3),
               flat=np.full((25, 3), 2.5), flat1=np.full(31, 2.5), r=rng.integers(0, 6, 31),
               t=rng.integers(0, 4, 31), y3p=np.abs(y3), x3p=np.abs(y3 + 0.01),
               w=np.round(rng.random(31) * (rng.random(31) < 0.8), 2),
               w3=np.round(rng.random(25), 2))
    f.arrays["half"] = np.where(np.arange(75).reshape(25, 3) % 3 == 1, 2.5, y3)
    many = ("mae", "mse", "rmse", "mape", "median_absolute_error", "pinball", "r2",
            "explained_variance", "d2_pinball", "d2_absolute_error")
    for op, w in itertools.product(many, (False, True)):
        for a, ws in (("y x", "w"), ("y3 x3", "w3"), ("flat flat", "w3"), ("flat y3", "w3"),
                      ("half x3", "w3"), ("half half", "w3")):
            if w and op in ("r2", "explained_variance") and a[:2] in ("fl", "ha"):
                continue  # a weighted mean of equal numbers is off by rounding there
            f.case(op, a, ws if w else None)
            f.case(op, a, ws if w else None, multioutput="raw_values")
        f.case(op, "y3 x3", "w3" if w else None, multioutput=[0.2, 0.3, 0.5])
        if op in ("r2", "explained_variance"):
            for a in ("y3 x3",) if w else ("y3 x3", "flat y3", "half x3"):
                f.case(op, a, "w3" if w else None, multioutput="variance_weighted")
                f.case(op, a, "w3" if w else None, multioutput="raw_values", force_finite=False)
        if "pinball" in op:
            for alpha in (0.0, 0.1, 0.75, 1.0):
                f.case(op, "y x", "w" if w else None, alpha=alpha)
                f.case(op, "y3 x3", "w3" if w else None, alpha=alpha, multioutput="raw_values")
    for w in (None, "w"):
        for op in ("msle", "rmsle"):
            f.case(op, "c m", w)
            f.case(op, "y3p x3p", "w3" if w else None, multioutput="raw_values")
        f.case("mse", "c m", w, squared=False)
        f.case("msle", "c m", w, squared=False)
        f.case("poisson_deviance", "c m", w)
        f.case("gamma_deviance", "a m", w)
        for p in (-1.5, -1, 0, 1, 1.3, 2, 2.5, 3, 0.5):
            f.case("tweedie_deviance", "a m", w, power=p)
            f.case("tweedie_deviance", "c m", w, power=p)
            f.case("d2_tweedie", "a m", w, power=p)
        f.case("tweedie_deviance", "y x", w)
    f.case("max_error", "y x")
    f.case("max_error", "y3 x3")
    f.case("smape", "y x")
    f.case("msle", "y x")
    f.case("gamma_deviance", "c m")
    f.case("poisson_deviance", "y x")
    for op in ("pearson", "spearman", "kendall"):
        for a in ("y x", "c m", "r t", "c r", "flat1 y", "y flat1"):
            f.case(op, a)
    f.write()


def clusters():
    y = rng.integers(0, 4, 40)
    f = Family("clusters", y=y, p=guesses(y, 4, 0.3), q=rng.integers(0, 9, 40), one=np.ones(40, int),
               all=np.arange(40), X=np.round(rng.standard_normal((40, 3)) + y[:, None], 3),
               D=np.zeros((40, 40)), same=np.ones((40, 2)))
    f.arrays["D"] = np.round(np.abs(f.arrays["X"][:, None] - f.arrays["X"][None]).sum(-1), 3)
    plain = ("pair_confusion_matrix", "rand", "adjusted_rand", "mutual_info", "homogeneity",
             "completeness", "v_measure", "fowlkes_mallows")
    for a in ("y p", "y q", "y y", "y one", "one one", "all y", "all all", "q p", "all one"):
        for op in plain:
            f.case(op, a)
        f.case("v_measure", a, beta=0.3)
        for op, how in itertools.product(("normalized_mutual_info", "adjusted_mutual_info"),
                                         ("arithmetic", "geometric", "min", "max")):
            if op == "adjusted_mutual_info" and "all" in a:
                continue  # rounding errors over rounding errors
            f.case(op, a, average_method=how)
    for labels in ("y", "p", "q", "one", "all"):
        for op in ("silhouette", "silhouette_samples", "davies_bouldin", "calinski_harabasz"):
            f.case(op, f"X {labels}")
            f.case(op, f"same {labels}")
        for metric in ("manhattan", "cosine", "sqeuclidean"):
            f.case("silhouette", f"X {labels}", metric=metric)
        f.case("silhouette", f"D {labels}", metric="precomputed")
    f.write()


def pictures():
    x = np.round(rng.random((2, 3, 13, 16)), 2)
    y = np.clip(np.round(x + 0.2 * rng.standard_normal(x.shape), 2), 0, 1)
    f = Family("pictures", x=x, y=y, flat=np.full((11, 11), 0.5), tiny=np.zeros((10, 12)))
    for op in ("psnr", "ssim"):
        f.case(op, "x y")
        f.case(op, "x y", data_range=255.0)
    f.case("ssim", "flat flat")
    f.case("psnr", "x x")
    f.write()


OUT.mkdir(parents=True, exist_ok=True)
classes()
scores()
rankings()
numbers()
clusters()
pictures()
