/* glia/losses.h - what is minimised: functions of values that build graph.
 *
 * A loss is a number for each element or row, as its comment says, and then what `.reduction`
 * makes of these numbers: their mean if nothing is said. Definitions, names and defaults are
 * PyTorch's; a number that has no default here (delta, margin ...) is an argument, because 0
 * would mean something. Entropies are in nats. N is the batch, C classes, D features, "..." any
 * further axes.
 *
 * All floats of a loss have one dtype. Shapes must be as stated: nothing is broadcast but
 * weights, where that is said. Targets are differentiated like predictions if they are floats,
 * indices of classes never. What does not fit is latched in the graph: GLIA_DTYPE, GLIA_SHAPE
 * or, for an option out of its range, GLIA_INVALID. An index that is no class is found when the
 * plan runs: GLIA_INVALID, with the index and its place.
 *
 * glia_X_loss(values..., .option = ...) is C; C++ fills in the options and calls
 * glia_X_loss_opt.
 */
#ifndef GLIA_LOSSES_H
#define GLIA_LOSSES_H

#include "glia/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum glia_reduction {
  GLIA_REDUCTION_MEAN,      /* the sum over the count; over the weights where rows have some */
  GLIA_REDUCTION_SUM,       /* the sum */
  GLIA_REDUCTION_NONE,      /* all numbers as they are */
  GLIA_REDUCTION_BATCH_MEAN /* the sum over the size of the first axis ("batchmean") */
} glia_reduction;

typedef struct glia_loss_opts {
  size_t size;
  glia_reduction reduction;
} glia_loss_opts;

/* ---- numbers ----------------------------------------------------------------------------- */

/* (p - t)^2; p, t [...] */
GLIA_API glia_value glia_mse_loss_opt(glia_value prediction, glia_value target,
                                      const glia_loss_opts *opt);
/* |p - t|; p, t [...] (PyTorch's l1_loss) */
GLIA_API glia_value glia_mae_loss_opt(glia_value prediction, glia_value target,
                                      const glia_loss_opts *opt);
/* With r = |p - t|: r^2 / 2 where r <= delta, else delta (r - delta / 2); p, t [...]; delta > 0
 * (PyTorch: 1). */
GLIA_API glia_value glia_huber_loss_opt(glia_value prediction, glia_value target, double delta,
                                        const glia_loss_opts *opt);
/* With r = |p - t|: r^2 / (2 beta) where r < beta, else r - beta / 2; p, t [...]; beta >= 0
 * (PyTorch: 1; 0 is |p - t|). */
GLIA_API glia_value glia_smooth_l1_loss_opt(glia_value prediction, glia_value target,
                                            double beta, const glia_loss_opts *opt);

/* ---- classes ----------------------------------------------------------------------------- */

typedef struct glia_cross_entropy_opts {
  size_t size;
  double label_smoothing;   /* 0 <= e < 1: targets are (1 - e) one-hot + e / C */
  glia_value class_weights; /* [C]; GLIA_NONE: all 1 */
  glia_reduction reduction; /* the mean of indices is over the weights of their classes */
  bool ignore; /* indices only: rows whose target is ignore_index count nothing; without it such
                  an index is an error unless it is a class. (PyTorch ignores -100 unasked.) */
  int64_t ignore_index; /* may be a class */
} glia_cross_entropy_opts;
/* -log softmax(logits)[target]: logits [N, C, ...], or [C] for one row.
 *   target  indices [N, ...] (or a scalar), i64 or i32: w[t] times the above; the mean divides
 *           by the sum of w[t] (NaN if every row is ignored); or
 *           probabilities of the logits' shape and dtype: -sum_c w[c] t[c] log softmax[c], the
 *           mean divides by the number of rows.
 * Without reduction [N, ...]. Stable for any logit. */
GLIA_API glia_value glia_cross_entropy_loss_opt(glia_value logits, glia_value target,
                                                const glia_cross_entropy_opts *opt);

typedef struct glia_nll_opts {
  size_t size;
  glia_value class_weights; /* [C]; GLIA_NONE: all 1 */
  glia_reduction reduction; /* the mean is over the weights */
  bool ignore;              /* as in glia_cross_entropy_opts */
  int64_t ignore_index;
} glia_nll_opts;
/* -w[t] x[t]: x are logarithms of probabilities [N, C, ...], or [C] for one row; target:
 * indices [N, ...] (or a scalar), i64 or i32. Without reduction [N, ...]. */
GLIA_API glia_value glia_nll_loss_opt(glia_value log_probabilities, glia_value target,
                                      const glia_nll_opts *opt);

typedef struct glia_multi_margin_opts {
  size_t size;
  bool squared;             /* p = 2: the margins are squared */
  glia_value class_weights; /* [C]; GLIA_NONE: all 1 */
  glia_reduction reduction; /* the mean is over the rows, whatever they weigh */
} glia_multi_margin_opts;
/* w[t] / C sum over c != t of max(0, margin - x[t] + x[c])^p; scores x [N, C] or [C], target:
 * indices [N] or a scalar, i64 or i32. Margin: PyTorch: 1. Without reduction [N]. */
GLIA_API glia_value glia_multi_margin_loss_opt(glia_value scores, glia_value target,
                                               double margin,
                                               const glia_multi_margin_opts *opt);
/* 1 / C sum over t in target, c not in target of max(0, 1 - x[t] + x[c]); scores x [N, C] or
 * [C]; target: indices of x's shape, i64 or i32, of which those before a row's first -1 count.
 * Without reduction [N]. Works in N C^2 numbers. */
GLIA_API glia_value glia_multilabel_margin_loss_opt(glia_value scores, glia_value target,
                                                    const glia_loss_opts *opt);

/* ---- yes or no, element by element ------------------------------------------------------- */

typedef struct glia_bce_opts {
  size_t size;
  glia_value weight;          /* times the loss; broadcast to its shape; GLIA_NONE: 1 */
  glia_value positive_weight; /* times the part of t, log p; likewise (PyTorch's pos_weight) */
  glia_reduction reduction;   /* the mean is over the elements, whatever they weigh */
} glia_bce_opts;
/* -(t log p + (1 - t) log(1 - p)); p, t [...] in [0, 1]. Logarithms are at least -100, so that
 * p = 0 and p = 1 cost no more; such a term's gradient is 0. Prefer the next one. */
GLIA_API glia_value glia_bce_loss_opt(glia_value probability, glia_value target,
                                      const glia_bce_opts *opt);
/* The same of p = sigmoid(z): max(z, 0) - z t + log(1 + e^-|z|), stable for any logit; z, t
 * [...], t in [0, 1]. */
GLIA_API glia_value glia_bce_with_logits_loss_opt(glia_value logits, glia_value target,
                                                  const glia_bce_opts *opt);

typedef struct glia_multilabel_soft_margin_opts {
  size_t size;
  glia_value class_weights; /* [C]; GLIA_NONE: all 1 */
  glia_reduction reduction;
} glia_multilabel_soft_margin_opts;
/* The mean over classes of w[c] times the binary cross entropy of a logit; logits, targets
 * [..., C], targets in [0, 1]. Without reduction [...]. */
GLIA_API glia_value glia_multilabel_soft_margin_loss_opt(
    glia_value logits, glia_value target, const glia_multilabel_soft_margin_opts *opt);

typedef struct glia_focal_opts {
  size_t size;
  double alpha; /* weight of t = 1, 1 - alpha of t = 0; at most 1; 0 -> 0.25; below 0: none */
  glia_reduction reduction;
} glia_focal_opts;
/* alpha_t (1 - p_t)^gamma times the binary cross entropy of a logit, p_t the probability of the
 * right answer: easy elements count little (arXiv:1708.02002, eq. 5). logits, targets [...],
 * targets in [0, 1]; gamma >= 0 (the paper: 2; 0 is the weighted cross entropy). */
GLIA_API glia_value glia_focal_loss_opt(glia_value logits, glia_value target, double gamma,
                                        const glia_focal_opts *opt);

typedef struct glia_dice_opts {
  size_t size;
  double smooth; /* 0 -> 1: above and below the line, so that two empty masks are equal */
  bool squared;  /* sums of squares below the line (arXiv:1606.04797, section 3) */
  glia_reduction reduction;
} glia_dice_opts;
/* 1 - (2 sum p t + smooth) / (sum p + sum t + smooth), sums over all axes but the first: how
 * little two masks overlap. p (probabilities), t [N, ...]. Without reduction [N]. */
GLIA_API glia_value glia_dice_loss_opt(glia_value probability, glia_value target,
                                       const glia_dice_opts *opt);

/* ---- sides: y is 1 or -1, of the scores' dtype, i64 or i32 ------------------------------- */

/* max(0, 1 - y x); x, y [...] */
GLIA_API glia_value glia_hinge_loss_opt(glia_value scores, glia_value y,
                                        const glia_loss_opts *opt);
/* log(1 + e^(-y x)); x, y [...] */
GLIA_API glia_value glia_soft_margin_loss_opt(glia_value scores, glia_value y,
                                              const glia_loss_opts *opt);
/* x where y = 1, max(0, margin - x) where y = -1; distances x, y [...]. Margin: PyTorch: 1. */
GLIA_API glia_value glia_hinge_embedding_loss_opt(glia_value distance, glia_value y,
                                                  double margin, const glia_loss_opts *opt);
/* max(0, margin - y (a - b)): y = 1 wants a above b; a, b, y [...]. Margin: PyTorch: 0. */
GLIA_API glia_value glia_margin_ranking_loss_opt(glia_value a, glia_value b, glia_value y,
                                                 double margin, const glia_loss_opts *opt);
/* With c the cosine of the angle between a and b: 1 - c where y = 1, max(0, c - margin) where y
 * = -1; a, b [N, D] or [D], y [N] or a scalar. 1e-12 is added to both squared lengths. Margin:
 * -1 to 1 (PyTorch: 0). Without reduction [N]. */
GLIA_API glia_value glia_cosine_embedding_loss_opt(glia_value a, glia_value b, glia_value y,
                                                   double margin, const glia_loss_opts *opt);

/* ---- distances --------------------------------------------------------------------------- */

typedef struct glia_distance_opts {
  size_t size;
  double p;   /* of the norm; above 0, INFINITY too; 0 -> 2 */
  double eps; /* added to each difference; 0 -> 1e-6 */
  bool keep;  /* the last axis stays, with size 1 */
} glia_distance_opts;
/* (sum over D of |a - b + eps|^p)^(1/p): a, b [..., D] -> [...]. Gradient 0 where it is 0. */
GLIA_API glia_value glia_pairwise_distance_opt(glia_value a, glia_value b,
                                               const glia_distance_opts *opt);

typedef struct glia_triplet_opts {
  size_t size;
  double p, eps; /* as in glia_distance_opts */
  bool swap;     /* the negative's distance to the positive counts if it is the smaller one */
  glia_reduction reduction;
} glia_triplet_opts;
/* max(0, d(anchor, positive) - d(anchor, negative) + margin), d the pairwise distance; all
 * [..., D] of one shape. Margin: PyTorch: 1. Without reduction [...]. */
GLIA_API glia_value glia_triplet_margin_loss_opt(glia_value anchor, glia_value positive,
                                                 glia_value negative, double margin,
                                                 const glia_triplet_opts *opt);

/* ---- distributions ----------------------------------------------------------------------- */

typedef struct glia_kl_div_opts {
  size_t size;
  bool log_target;          /* the target too is given by its logarithms */
  glia_reduction reduction; /* the divergence of distributions is the batch mean */
} glia_kl_div_opts;
/* t (log t - x), 0 where t is 0: x are logarithms of probabilities, t probabilities; [...]. */
GLIA_API glia_value glia_kl_div_loss_opt(glia_value log_probabilities, glia_value target,
                                         const glia_kl_div_opts *opt);

typedef struct glia_poisson_nll_opts {
  size_t size;
  bool rate;  /* x is the rate itself: x - t log(x + eps). (PyTorch's log_input = False) */
  bool full;  /* add Stirling's t log t - t + log(2 pi t) / 2 where t > 1 */
  double eps; /* 0 -> 1e-8 */
  glia_reduction reduction;
} glia_poisson_nll_opts;
/* e^x - t x: x the logarithm of the expected count, t the count; [...]. */
GLIA_API glia_value glia_poisson_nll_loss_opt(glia_value log_rate, glia_value target,
                                              const glia_poisson_nll_opts *opt);

typedef struct glia_gaussian_nll_opts {
  size_t size;
  bool full;  /* add log(2 pi) / 2 */
  double eps; /* smaller variances count as eps; the gradient passes as if not; 0 -> 1e-6 */
  glia_reduction reduction;
} glia_gaussian_nll_opts;
/* (log v + (x - t)^2 / v) / 2: mean x and target t [..., D], variance v [..., D], [..., 1] or
 * [...]. Without reduction [..., D]. */
GLIA_API glia_value glia_gaussian_nll_loss_opt(glia_value mean, glia_value target,
                                               glia_value variance,
                                               const glia_gaussian_nll_opts *opt);

/* ---- sequences and pictures -------------------------------------------------------------- */

typedef struct glia_ctc_opts {
  size_t size;
  int64_t blank;            /* the letter that stands for none; 0 to C - 1 */
  bool zero_infinity;       /* a sequence that cannot spell its target costs 0 */
  glia_reduction reduction; /* the mean is of the losses over their targets' lengths */
} glia_ctc_opts;
/* Minus the logarithm of the probability that the letters are targets, whatever their times
 * (doi:10.1145/1143844.1143891): log-probabilities [T, N, C] (glia_log_softmax over C); targets
 * [N, S] of which the first target_lengths[n] letters count; input_lengths, target_lengths [N];
 * all three i64 or i32. Without reduction [N]. Infinite where input_lengths[n] times are too
 * few for the target; the gradient is 0 there. Lengths beyond T or S, and letters that are
 * none, are found when the plan runs: GLIA_INVALID. */
GLIA_API glia_value glia_ctc_loss_opt(glia_value log_probabilities, glia_value targets,
                                      glia_value input_lengths, glia_value target_lengths,
                                      const glia_ctc_opts *opt);

/* [N, C, ...] -> [N, C, C]: products of features summed over all places, over C times their
 * number (arXiv:1603.08155, eq. 3). */
GLIA_API glia_value glia_gram(glia_value features);
/* The squared differences of two Gram matrices: style. Features of one shape [N, C, ...]; the
 * same paper's content loss is glia_mse_loss of features. Without reduction [N, C, C]. */
GLIA_API glia_value glia_gram_loss_opt(glia_value features, glia_value target,
                                       const glia_loss_opts *opt);

/* ---- named options ----------------------------------------------------------------------- */

#ifndef __cplusplus
#define GLIA_LOSS2(name, type, ...) \
  GLIA_NAMED2(glia_##name##_opt, type, __VA_ARGS__, .size = sizeof(type))
#define GLIA_LOSS3(name, type, ...) \
  GLIA_NAMED3(glia_##name##_opt, type, __VA_ARGS__, .size = sizeof(type))
#define GLIA_LOSS4(name, type, ...) \
  GLIA_NAMED4(glia_##name##_opt, type, __VA_ARGS__, .size = sizeof(type))

#define glia_mse_loss(...)       GLIA_LOSS2(mse_loss, glia_loss_opts, __VA_ARGS__)
#define glia_mae_loss(...)       GLIA_LOSS2(mae_loss, glia_loss_opts, __VA_ARGS__)
#define glia_huber_loss(...)     GLIA_LOSS3(huber_loss, glia_loss_opts, __VA_ARGS__)
#define glia_smooth_l1_loss(...) GLIA_LOSS3(smooth_l1_loss, glia_loss_opts, __VA_ARGS__)
#define glia_cross_entropy_loss(...) \
  GLIA_LOSS2(cross_entropy_loss, glia_cross_entropy_opts, __VA_ARGS__)
#define glia_nll_loss(...) GLIA_LOSS2(nll_loss, glia_nll_opts, __VA_ARGS__)
#define glia_multi_margin_loss(...) \
  GLIA_LOSS3(multi_margin_loss, glia_multi_margin_opts, __VA_ARGS__)
#define glia_multilabel_margin_loss(...) \
  GLIA_LOSS2(multilabel_margin_loss, glia_loss_opts, __VA_ARGS__)
#define glia_bce_loss(...) GLIA_LOSS2(bce_loss, glia_bce_opts, __VA_ARGS__)
#define glia_bce_with_logits_loss(...) \
  GLIA_LOSS2(bce_with_logits_loss, glia_bce_opts, __VA_ARGS__)
#define glia_multilabel_soft_margin_loss(...) \
  GLIA_LOSS2(multilabel_soft_margin_loss, glia_multilabel_soft_margin_opts, __VA_ARGS__)
#define glia_focal_loss(...)       GLIA_LOSS3(focal_loss, glia_focal_opts, __VA_ARGS__)
#define glia_dice_loss(...)        GLIA_LOSS2(dice_loss, glia_dice_opts, __VA_ARGS__)
#define glia_hinge_loss(...)       GLIA_LOSS2(hinge_loss, glia_loss_opts, __VA_ARGS__)
#define glia_soft_margin_loss(...) GLIA_LOSS2(soft_margin_loss, glia_loss_opts, __VA_ARGS__)
#define glia_hinge_embedding_loss(...) \
  GLIA_LOSS3(hinge_embedding_loss, glia_loss_opts, __VA_ARGS__)
#define glia_margin_ranking_loss(...) \
  GLIA_LOSS4(margin_ranking_loss, glia_loss_opts, __VA_ARGS__)
#define glia_cosine_embedding_loss(...) \
  GLIA_LOSS4(cosine_embedding_loss, glia_loss_opts, __VA_ARGS__)
#define glia_pairwise_distance(...) \
  GLIA_LOSS2(pairwise_distance, glia_distance_opts, __VA_ARGS__)
#define glia_triplet_margin_loss(...) \
  GLIA_LOSS4(triplet_margin_loss, glia_triplet_opts, __VA_ARGS__)
#define glia_kl_div_loss(...) GLIA_LOSS2(kl_div_loss, glia_kl_div_opts, __VA_ARGS__)
#define glia_poisson_nll_loss(...) \
  GLIA_LOSS2(poisson_nll_loss, glia_poisson_nll_opts, __VA_ARGS__)
#define glia_gaussian_nll_loss(...) \
  GLIA_LOSS3(gaussian_nll_loss, glia_gaussian_nll_opts, __VA_ARGS__)
#define glia_ctc_loss(...)  GLIA_LOSS4(ctc_loss, glia_ctc_opts, __VA_ARGS__)
#define glia_gram_loss(...) GLIA_LOSS2(gram_loss, glia_loss_opts, __VA_ARGS__)
#endif

#ifdef __cplusplus
}
#endif
#endif /* GLIA_LOSSES_H */
