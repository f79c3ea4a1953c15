/* loss.c - losses, with PyTorch's defaults where an option is not given. */
#include "parity/parity.h"

static glia_reduction reduction(question *q) {
  static const char *const names[] = {"mean", "sum", "none", "batchmean"};
  const char *text = q_str(q, "reduction", "mean");
  for (int i = 0; i < GI_COUNT(names); i++)
    if (strcmp(text, names[i]) == 0) return (glia_reduction)i;
  q_cannot(q, "has a reduction of another name");
  return GLIA_REDUCTION_MEAN;
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
    glia_value_dtype(B) == GLIA_F32
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
ROW(pairwise_distance,
    glia_pairwise_distance(A, B, .p = q_num(q, "p", 2), .eps = q_num(q, "eps", 1e-6),
                           .keep = q_bool(q, "keepdim", false)))
ROW(triplet_margin,
    glia_triplet_margin_loss(A, B, C, q_num(q, "margin", 1), R, .p = q_num(q, "p", 2),
                             .eps = q_num(q, "eps", 1e-6), .swap = q_bool(q, "swap", false)))
ROW(kl_div, glia_kl_div_loss(glia_log_softmax(A, 1),
                             q_bool(q, "log_target", false) ? glia_log_softmax(B, 1)
                                                            : glia_softmax(B, 1),
                             R, .log_target = q_bool(q, "log_target", false)))
ROW(poisson_nll,
    glia_poisson_nll_loss(A, B, R, .rate = !q_bool(q, "log_input", true),
                          .full = q_bool(q, "full", false), .eps = q_num(q, "eps", 1e-8)))
ROW(gaussian_nll, glia_gaussian_nll_loss(A, B, C, R, .full = q_bool(q, "full", false),
                                         .eps = q_num(q, "eps", 1e-6)))

/* Scores [T, N, C]; lengths are attributes or inputs. */
static glia_value lengths(question *q, const char *key, int input) {
  const int n = q_count(q, key);
  int64_t values[256] = {0};
  if (n == 0 || n > GI_COUNT(values)) return q_input(q, input);
  q_ints(q, key, n, values);
  return glia_constant(q_graph(q), GLIA_I64, 1, (const int64_t[]){n}, values);
}
ROW(ctc, glia_ctc_loss(glia_log_softmax(A, 2), B, lengths(q, "input_lengths", 2),
                       lengths(q, "target_lengths", 3), R, .blank = q_int(q, "blank", 0),
                       .zero_infinity = q_bool(q, "zero_infinity", false)))

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
    {.op = "pairwise_distance", .build = pairwise_distance},
    {.op = "triplet_margin_loss", .build = triplet_margin},
    {.op = "kl_div", .build = kl_div},
    {.op = "poisson_nll_loss", .build = poisson_nll},
    {.op = "gaussian_nll_loss", .build = gaussian_nll},
    {.op = "ctc_loss", .build = ctc},
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_loss[] = {&all, NULL};
