#!/usr/bin/env python3
"""Writes tests/golden/metrics/*.json: predictions and what scikit-learn says of them.

Run in the project's root with Python 3, NumPy and scikit-learn; the files are checked in. Every
file holds the inputs (outputs and targets, or labels) and the wanted values by glia's names; null
stands for NaN.
"""
import json
import math
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn import metrics as sk

warnings.simplefilter("ignore")
OUT = pathlib.Path("tests/golden/metrics")
rng = np.random.default_rng(20)


def label_values(y, p, classes):
    kind = dict(zero_division=0)
    functions = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
    values = {
        "accuracy": sk.accuracy_score(y, p),
        "balanced_accuracy": sk.balanced_accuracy_score(y, p),
        "cohen_kappa": sk.cohen_kappa_score(y, p),
        "matthews_corrcoef": sk.matthews_corrcoef(y, p),
    }
    for name, f in functions.items():
        for average in ("macro", "weighted", "micro"):
            values[f"{name}_{average}"] = f(y, p, average=average, **kind)
        values[name] = f(y, p, average="binary" if classes == 2 else "macro", **kind)
    labels = list(range(classes))
    per_class = {n: list(f(y, p, labels=labels, average=None, **kind))
                 for n, f in functions.items()}
    return values, per_class, sk.confusion_matrix(y, p, labels=labels).tolist()


def clean(x):
    if isinstance(x, dict):
        return {k: clean(v) for k, v in x.items()}
    if isinstance(x, (list, tuple, np.ndarray)):
        return [clean(v) for v in x]
    if isinstance(x, (np.integer, int)):
        return int(x)
    if isinstance(x, (np.floating, float)):
        return None if math.isnan(x) else float(x)
    return x


def write(name, content):
    content = clean({"sklearn": sklearn.__version__, **content})
    (OUT / f"{name}.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


def labels_case(name, y, p, classes):
    values, per_class, confusion = label_values(y, p, classes)
    write(name, dict(kind="labels", classes=classes, target=y, predicted=p, values=values,
                     per_class=per_class, confusion=confusion))


def scores_case(name, y, output, scores, dtype="f64"):
    """output: [n, C]; "column" in the name sends only the last column of two."""
    classes = output.shape[1]
    values, per_class, confusion = label_values(y, output.argmax(1), classes)
    if scores == "probabilities":
        p = output.astype({"f64": np.float64, "f32": np.float32}[dtype])
    else:
        z = np.exp(output - output.max(1, keepdims=True))
        p = z / z.sum(1, keepdims=True)
    labels = list(range(classes))
    values["log_loss"] = sk.log_loss(y, p, labels=labels)
    values["perplexity"] = math.exp(values["log_loss"])
    if classes > 2:
        for k in range(1, classes + 2):
            values[f"top_{k}_accuracy"] = sk.top_k_accuracy_score(y, output, k=k, labels=labels)
    column = "column" in name
    if column and scores == "logits":
        output = output - output[:, :1]  # the same model: only the difference matters
    write(name, dict(kind="scores", classes=classes, scores=scores, dtype=dtype, target=y,
                     output=output[:, 1] if column else output, values=values,
                     per_class=per_class, confusion=confusion))


def regression_case(name, y, x):
    values = {
        "mean_squared_error": sk.mean_squared_error(y, x),
        "root_mean_squared_error": sk.mean_squared_error(y, x, squared=False),
        "mean_absolute_error": sk.mean_absolute_error(y, x),
        "r2": sk.r2_score(y, x),
    }
    write(name, dict(kind="numbers", targets=1 if y.ndim == 1 else y.shape[1], target=y, output=x,
                     values=values))


def probabilities(n, c, sharpness):
    z = np.exp(sharpness * rng.standard_normal((n, c)))
    return np.round(z / z.sum(1, keepdims=True), 3)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    pick = lambda n, c, wrong: (  # noqa: E731
        (y := rng.integers(0, c, n)), np.where(rng.random(n) < wrong, rng.integers(0, c, n), y))
    labels_case("binary", *pick(50, 2, 0.4), 2)
    labels_case("ten_classes", *pick(150, 10, 0.5), 10)
    y, p = pick(60, 4, 0.5)
    labels_case("class_never_seen", y, p, 6)              # 4 and 5 occur nowhere
    labels_case("class_never_predicted", y, np.where(p == 2, 1, p), 4)
    labels_case("class_only_predicted", np.where(y == 2, 1, y), p, 4)
    labels_case("imbalanced", np.repeat([0, 1, 2], [80, 5, 3]), rng.integers(0, 3, 88), 3)
    labels_case("one_class_all_right", np.full(7, 1), np.full(7, 1), 3)
    labels_case("one_class_all_wrong", np.full(7, 1), np.full(7, 0), 3)
    labels_case("binary_no_positive", np.zeros(6, int), np.array([0, 0, 1, 0, 1, 0]), 2)

    scores_case("probabilities", rng.integers(0, 5, 50), probabilities(50, 5, 1.5),
                "probabilities")
    hard = np.eye(4)[rng.integers(0, 4, 20)]              # zeros and ones: clipping and ties
    scores_case("probabilities_hard", rng.integers(0, 4, 20), hard, "probabilities")
    scores_case("probabilities_hard_f32", rng.integers(0, 4, 20), hard, "probabilities", "f32")
    scores_case("probabilities_f32", rng.integers(0, 3, 40), probabilities(40, 3, 1),
                "probabilities", "f32")
    scores_case("logits", rng.integers(0, 6, 40), np.round(3 * rng.standard_normal((40, 6)), 2),
                "logits")
    scores_case("logits_ties", rng.integers(0, 4, 40), rng.integers(0, 3, (40, 4)).astype(float),
                "logits")
    two = np.round(2 * rng.standard_normal((30, 2)), 2)
    y = rng.integers(0, 2, 30)
    scores_case("logits_two", y, two, "logits")
    scores_case("logits_one_column", y, two, "logits")
    one = np.round(rng.random(30), 3)
    scores_case("probabilities_one_column", y, np.stack([1 - one, one], 1), "probabilities")

    y = np.round(10 * rng.standard_normal(40) + 3, 3)
    regression_case("numbers", y, np.round(y + rng.standard_normal(40), 3))
    y = np.round(rng.standard_normal((30, 3)) * [1, 100, 0.01], 4)
    regression_case("numbers_three", y, np.round(y + 0.3 * rng.standard_normal((30, 3)), 4))
    regression_case("numbers_far", y[:, 0] + 1e6, np.round(y[:, 0] + 1e6 + 0.5, 4))
    regression_case("numbers_constant", np.full((5, 2), 2.5), np.array([[2.5, 2.0]] * 5))
    regression_case("numbers_one", np.array([2.0]), np.array([3.0]))


main()
