/* loss.c - losses, with PyTorch's defaults where an option is not given. */
#include <float.h>
#include <stdlib.h>

#include "parity/parity.h"

static glia_reduction reduction(question *q) {
  static const char *const names[] = {"mean", "sum", "none", "batchmean"};
  const char *text = q_str(q, "reduction", "mean");
  for (int i = 0; i < GI_COUNT(names); i++)
    if (strcmp(text, names[i]) == 0) return (glia_reduction)i;
  q_cannot(q, "has a reduction of another name");
  return GLIA_REDUCTION_MEAN;
}

/* Our 0 is the default. */
static double eps(const question *q, double fallback) {
  return GI_MAX(q_num(q, "eps", fallback), DBL_MIN);
}

#define R .reduction = reduction(q)
#define A q_input(q, 0)
#define B q_input(q, 1)
#define C q_input(q, 2)
#define W .class_weights = q_named(q, "weight")
#define ROW(name, ...) \
  static void name(question *q) { q_output(q, 0, __VA_ARGS__); }

/* PyTorch leaves out targets of -100 unless it is told another number. */
#define IGNORE .ignore = true, .ignore_index = q_int(q, "ignore_index", -100)

ROW(mse, glia_mse_loss(A, B, R))
ROW(l1, glia_mae_loss(A, B, R))
ROW(huber, glia_huber_loss(A, B, q_num(q, "delta", 1), R))
ROW(smooth_l1, glia_smooth_l1_loss(A, B, q_num(q, "beta", 1), R))
ROW(cross_entropy,
    glia_dtype_is_float(glia_value_dtype(B))
        ? glia_cross_entropy_loss(A, B, R, W, .label_smoothing = q_num(q, "label_smoothing", 0))
        : glia_cross_entropy_loss(A, B, R, W, IGNORE,
                                  .label_smoothing = q_num(q, "label_smoothing", 0)))
ROW(nll, glia_nll_loss(glia_log_softmax(A, 1), B, R, W, IGNORE))
ROW(multi_margin,
    glia_multi_margin_loss(A, B, q_num(q, "margin", 1), R, W, .squared = q_num(q, "p", 1) == 2))
ROW(multilabel_margin, glia_multilabel_margin_loss(A, B, R))
ROW(bce, glia_bce_loss(A, B, R, .weight = q_named(q, "weight")))
ROW(bce_with_logits, glia_bce_with_logits_loss(A, B, R, .weight = q_named(q, "weight"),
                                               .positive_weight = q_named(q, "pos_weight")))
ROW(multilabel_soft_margin, glia_multilabel_soft_margin_loss(A, B, R, W))
ROW(soft_margin, glia_soft_margin_loss(A, B, R))
ROW(hinge_embedding, glia_hinge_embedding_loss(A, B, q_num(q, "margin", 1), R))
ROW(margin_ranking, glia_margin_ranking_loss(A, B, C, q_num(q, "margin", 0), R))
ROW(cosine_embedding, glia_cosine_embedding_loss(A, B, C, q_num(q, "margin", 0), R))
ROW(triplet_margin,
    glia_triplet_margin_loss(A, B, C, q_num(q, "margin", 1), R, .p = q_num(q, "p", 2),
                             .eps = eps(q, 1e-6), .swap = q_bool(q, "swap", false)))
ROW(kl_div, glia_kl_div_loss(glia_log_softmax(A, 1),
                             q_bool(q, "log_target", false) ? glia_log_softmax(B, 1)
                                                            : glia_softmax(B, 1),
                             R, .log_target = q_bool(q, "log_target", false)))
ROW(poisson_nll, glia_poisson_nll_loss(A, B, R, .rate = !q_bool(q, "log_input", true),
                                       .full = q_bool(q, "full", false), .eps = eps(q, 1e-8)))
ROW(gaussian_nll,
    glia_gaussian_nll_loss(A, B, C, R, .full = q_bool(q, "full", false), .eps = eps(q, 1e-6)))

/* torchvision's; each element by itself unless a reduction is given. */
static void focal(question *q) {
  const double alpha = q_num(q, "alpha", 0.25);
  const bool one_by_one = q_str(q, "reduction", NULL) == NULL;
  q_output(q, 0,
           glia_focal_loss(A, B, q_num(q, "gamma", 2), .alpha = alpha == 0 ? DBL_MIN : alpha,
                           .reduction = one_by_one ? GLIA_REDUCTION_NONE : reduction(q)));
}

/* ---- CTC: scores [T, N, C]; lengths are attributes or inputs -------------------------------
 */

static glia_value lengths(question *q, const char *key, int input) {
  const int n = q_count(q, key);
  int64_t values[256] = {0};
  if (n == 0 || n > GI_COUNT(values)) return q_input(q, input);
  q_ints(q, key, n, values);
  return glia_constant(q_graph(q), GLIA_I64, 1, (const int64_t[]){n}, values);
}

/* Targets that stand one behind the other in one row, as [N, S]. */
static glia_value targets_of(question *q, int64_t n) {
  enum { MOST_LETTERS = 1 << 14 };
  const glia_value b = q_input(q, 1);
  glia_tensor *flat = q_read(q, "input.1"), *given = q_read(q, "input.3");
  int64_t length[256] = {0}, longest = 1, *rows = NULL;
  glia_value out = b;
  if (glia_value_rank(b) != 1 || flat == NULL || n < 1 || n > GI_COUNT(length)) goto out;
  if (q_count(q, "target_lengths") == n) q_ints(q, "target_lengths", (int)n, length);
  for (int64_t i = 0; i < n; i++) {
    if (given != NULL && i < glia_tensor_count(given))
      length[i] = (int64_t)glia_tensor_get(given, i);
    longest = GI_MAX(longest, length[i]);
  }
  if (longest > MOST_LETTERS / n ||
      (rows = calloc((size_t)(n * longest), sizeof *rows)) == NULL)
    goto out;
  for (int64_t i = 0, at = 0; i < n; i++)
    for (int64_t k = 0; k < length[i] && at < glia_tensor_count(flat); k++)
      rows[i * longest + k] = (int64_t)glia_tensor_get(flat, at++);
  out = glia_constant(q_graph(q), GLIA_I64, 2, (const int64_t[]){n, longest}, rows);
out:
  free(rows);
  glia_tensor_free(flat);
  glia_tensor_free(given);
  return out;
}

static void ctc(question *q) {
  const glia_value x = q_input(q, 0);
  if (glia_value_rank(x) != 3) {
    q_cannot(q, "has scores without a batch");
    return;
  }
  q_output(q, 0,
           glia_ctc_loss(glia_log_softmax(x, 2), targets_of(q, glia_value_dim(x, 1)),
                         lengths(q, "input_lengths", 2), lengths(q, "target_lengths", 3), R,
                         .blank = q_int(q, "blank", 0),
                         .zero_infinity = q_bool(q, "zero_infinity", false)));
}

static const parity_row rows[] = {
    {.op = "mse_loss", .build = mse},
    {.op = "l1_loss", .build = l1},
    {.op = "huber_loss", .build = huber},
    {.op = "smooth_l1_loss", .build = smooth_l1},
    {.op = "cross_entropy", .build = cross_entropy},
    {.op = "nll_loss", .build = nll},
    {.op = "multi_margin_loss", .build = multi_margin},
    {.op = "multilabel_margin_loss", .build = multilabel_margin},
    {.op = "binary_cross_entropy", .build = bce},
    {.op = "binary_cross_entropy_with_logits", .build = bce_with_logits},
    {.op = "multilabel_soft_margin_loss", .build = multilabel_soft_margin},
    {.op = "soft_margin_loss", .build = soft_margin},
    {.op = "hinge_embedding_loss", .build = hinge_embedding},
    {.op = "margin_ranking_loss", .build = margin_ranking},
    {.op = "cosine_embedding_loss", .build = cosine_embedding},
    {.op = "triplet_margin_loss", .build = triplet_margin},
    {.op = "kl_div", .build = kl_div},
    {.op = "poisson_nll_loss", .build = poisson_nll},
    {.op = "gaussian_nll_loss", .build = gaussian_nll},
    {.op = "ctc_loss", .build = ctc},
    {.op = "triplet_margin_with_distance_loss", .build = triplet_margin},
    {.op = "sigmoid_focal_loss", .build = focal},
    {.op = "MSELoss", .build = mse},
    {.op = "L1Loss", .build = l1},
    {.op = "HuberLoss", .build = huber},
    {.op = "SmoothL1Loss", .build = smooth_l1},
    {.op = "CrossEntropyLoss", .build = cross_entropy},
    {.op = "NLLLoss", .build = nll},
    {.op = "MultiMarginLoss", .build = multi_margin},
    {.op = "MultiLabelMarginLoss", .build = multilabel_margin},
    {.op = "BCELoss", .build = bce},
    {.op = "BCEWithLogitsLoss", .build = bce_with_logits},
    {.op = "MultiLabelSoftMarginLoss", .build = multilabel_soft_margin},
    {.op = "SoftMarginLoss", .build = soft_margin},
    {.op = "HingeEmbeddingLoss", .build = hinge_embedding},
    {.op = "MarginRankingLoss", .build = margin_ranking},
    {.op = "CosineEmbeddingLoss", .build = cosine_embedding},
    {.op = "TripletMarginLoss", .build = triplet_margin},
    {.op = "TripletMarginWithDistanceLoss", .build = triplet_margin},
    {.op = "KLDivLoss", .build = kl_div},
    {.op = "PoissonNLLLoss", .build = poisson_nll},
    {.op = "GaussianNLLLoss", .build = gaussian_nll},
    {.op = "CTCLoss", .build = ctc},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_loss[] = {&all, NULL};
