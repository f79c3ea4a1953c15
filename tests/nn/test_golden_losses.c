/* Losses against PyTorch's over a grid of options: results, gradients and second derivatives of
 * every case in tests/golden/losses (tools/golden_losses.py), in f64 by the reference and in
 * f32 by the best backend. A file whose op has no row below fails the test.
 */
#include "golden_graph.h"

enum { MAX_INPUTS = 4 };

typedef struct loss { /* one case as a graph */
  const golden *file;
  const gi_json *options;
  glia_value in[MAX_INPUTS];
} loss;

static double number(const loss *l, const char *key, double dflt) {
  return gi_json_num(gi_json_get(l->options, key), dflt);
}

static bool truth(const loss *l, const char *key) {
  return gi_json_bool(gi_json_get(l->options, key), false);
}

/* The input that an option names: "input.2"; GLIA_NONE without it. */
static glia_value named(const loss *l, const char *key) {
  const char *text = gi_json_str(gi_json_get(l->options, key), "");
  return strncmp(text, "input.", 6) == 0 ? l->in[text[6] - '0'] : GLIA_NONE;
}

static glia_reduction reduction(const loss *l) {
  static const char *const names[] = {"mean", "sum", "none", "batchmean"};
  const char *text = gi_json_str(gi_json_get(l->options, "reduction"), "");
  for (int i = 0; i < GI_COUNT(names); i++)
    if (strcmp(text, names[i]) == 0) return (glia_reduction)i;
  fail_msg("%s: no reduction is \"%s\"", l->file->op, text);
  return GLIA_REDUCTION_MEAN;
}

/* ---- rows ---------------------------------------------------------------------------- */

#define R .reduction = reduction(l)
#define A l->in[0]
#define B l->in[1]
#define C l->in[2]

static glia_value mse(const loss *l) { return glia_mse_loss(A, B, R); }
static glia_value l1(const loss *l) { return glia_mae_loss(A, B, R); }
static glia_value huber(const loss *l) {
  return glia_huber_loss(A, B, number(l, "delta", NAN), R);
}
static glia_value smooth_l1(const loss *l) {
  return glia_smooth_l1_loss(A, B, number(l, "beta", NAN), R);
}
static glia_value cross_entropy(const loss *l) {
  return glia_cross_entropy_loss(A, B, R, .class_weights = named(l, "weight"),
                                 .label_smoothing = number(l, "label_smoothing", 0),
                                 .ignore = gi_json_get(l->options, "ignore_index") != NULL,
                                 .ignore_index = (int64_t)number(l, "ignore_index", 0));
}
static glia_value nll(const loss *l) {
  return glia_nll_loss(A, B, R, .class_weights = named(l, "weight"),
                       .ignore = gi_json_get(l->options, "ignore_index") != NULL,
                       .ignore_index = (int64_t)number(l, "ignore_index", 0));
}
static glia_value multi_margin(const loss *l) {
  return glia_multi_margin_loss(A, B, number(l, "margin", NAN), R,
                                .squared = number(l, "p", 1) == 2,
                                .class_weights = named(l, "weight"));
}
static glia_value multilabel_margin(const loss *l) {
  return glia_multilabel_margin_loss(A, B, R);
}
static glia_value bce(const loss *l) {
  return glia_bce_loss(A, B, R, .weight = named(l, "weight"));
}
static glia_value bce_with_logits(const loss *l) {
  return glia_bce_with_logits_loss(A, B, R, .weight = named(l, "weight"),
                                   .positive_weight = named(l, "pos_weight"));
}
static glia_value multilabel_soft_margin(const loss *l) {
  return glia_multilabel_soft_margin_loss(A, B, R, .class_weights = named(l, "weight"));
}
static glia_value focal(const loss *l) {
  return glia_focal_loss(A, B, number(l, "gamma", NAN), R, .alpha = number(l, "alpha", 0));
}
static glia_value dice(const loss *l) {
  return glia_dice_loss(A, B, R, .smooth = number(l, "smooth", 0),
                        .squared = truth(l, "squared"));
}
static glia_value hinge(const loss *l) { return glia_hinge_loss(A, B, R); }
static glia_value soft_margin(const loss *l) { return glia_soft_margin_loss(A, B, R); }
static glia_value hinge_embedding(const loss *l) {
  return glia_hinge_embedding_loss(A, B, number(l, "margin", NAN), R);
}
static glia_value margin_ranking(const loss *l) {
  return glia_margin_ranking_loss(A, B, C, number(l, "margin", NAN), R);
}
static glia_value cosine_embedding(const loss *l) {
  return glia_cosine_embedding_loss(A, B, C, number(l, "margin", NAN), R);
}
static glia_value pairwise_distance(const loss *l) {
  return glia_pairwise_distance(A, B, .p = number(l, "p", 0), .eps = number(l, "eps", 0),
                                .keep = truth(l, "keepdim"));
}
static glia_value triplet_margin(const loss *l) {
  return glia_triplet_margin_loss(A, B, C, number(l, "margin", NAN), R, .p = number(l, "p", 0),
                                  .swap = truth(l, "swap"));
}
static glia_value kl_div(const loss *l) {
  return glia_kl_div_loss(A, B, R, .log_target = truth(l, "log_target"));
}
static glia_value poisson_nll(const loss *l) {
  return glia_poisson_nll_loss(A, B, R, .rate = !truth(l, "log_input"),
                               .full = truth(l, "full"), .eps = number(l, "eps", 0));
}
static glia_value gaussian_nll(const loss *l) {
  return glia_gaussian_nll_loss(A, B, C, R, .full = truth(l, "full"),
                                .eps = number(l, "eps", 0));
}
static glia_value ctc(const loss *l) {
  return glia_ctc_loss(glia_log_softmax(A, 2), B, C, l->in[3], R,
                       .blank = (int64_t)number(l, "blank", 0),
                       .zero_infinity = truth(l, "zero_infinity"));
}
static glia_value gram(const loss *l) { return glia_gram_loss(A, B, R); }
#undef R
#undef A
#undef B
#undef C

typedef struct row {
  const char *op;
  glia_value (*build)(const loss *l);
} row;
static const row rows[] = {
    {"mse_loss", mse},
    {"l1_loss", l1},
    {"huber_loss", huber},
    {"smooth_l1_loss", smooth_l1},
    {"cross_entropy", cross_entropy},
    {"nll_loss", nll},
    {"multi_margin_loss", multi_margin},
    {"multilabel_margin_loss", multilabel_margin},
    {"binary_cross_entropy", bce},
    {"binary_cross_entropy_with_logits", bce_with_logits},
    {"multilabel_soft_margin_loss", multilabel_soft_margin},
    {"sigmoid_focal_loss", focal},
    {"dice_loss", dice},
    {"hinge_loss", hinge},
    {"soft_margin_loss", soft_margin},
    {"hinge_embedding_loss", hinge_embedding},
    {"margin_ranking_loss", margin_ranking},
    {"cosine_embedding_loss", cosine_embedding},
    {"pairwise_distance", pairwise_distance},
    {"triplet_margin_loss", triplet_margin},
    {"kl_div", kl_div},
    {"poisson_nll_loss", poisson_nll},
    {"gaussian_nll_loss", gaussian_nll},
    {"ctc_loss", ctc},
    {"gram_loss", gram},
};

static const row *row_of(const golden *file, const char *name) {
  for (int i = 0; i < GI_COUNT(rows); i++)
    if (strcmp(rows[i].op, file->op) == 0) return &rows[i];
  fail_msg("%s: there is no row for %s", name, file->op);
  return NULL;
}

/* ---- one case ------------------------------------------------------------------------ */

/* Outputs of the graph under the names that the file has. */
static void make_gradients(const loss *l, glia_value scalar, int k) {
  for (int i = 0; i < MAX_INPUTS; i++) {
    char first[32], second[32];
    glia_value d, dd;
    snprintf(first, sizeof first, "grad.%d.%d", k, i);
    snprintf(second, sizeof second, "second.%d.%d", k, i);
    if (!golden_has(l->file, first)) continue;
    OK(glia_grad(scalar, &l->in[i], 1, &d));
    glia_output(first, d);
    if (!golden_has(l->file, second)) continue;
    OK(glia_grad(glia_sum(glia_square(d)), &l->in[i], 1, &dd));
    glia_output(second, dd);
  }
}

/* PyTorch's second derivative of the binary cross entropy has 1e-12 below the line. */
static double second_tolerance(const golden *file, double tolerance) {
  return strcmp(file->op, "binary_cross_entropy") == 0 ? fmax(tolerance, 1e-8) : tolerance;
}

static void check_results(const golden_graph *m, int k) {
  char name[32], what[320];
  snprintf(name, sizeof name, "output.%d", k);
  snprintf(what, sizeof what, "%s, case %d", m->c->name, k);
  assert_golden(glia_plan_output(m->plan, name), &m->file, name, m->c->tolerance, what);
  for (int i = 0; i < 2 * MAX_INPUTS; i++) {
    const bool first = i % 2 == 0;
    snprintf(name, sizeof name, "%s.%d.%d", first ? "grad" : "second", k, i / 2);
    if (golden_has(&m->file, name))
      assert_golden(glia_plan_output(m->plan, name), &m->file, name,
                    first ? m->c->tolerance : second_tolerance(&m->file, m->c->tolerance),
                    what);
  }
}

/* How many cases the file has. */
static int check_case(const golden_case *c, int k) {
  char output[32], cotangent[32];
  golden_graph m = golden_graph_open(c);
  const gi_json *cases = gi_json_get(m.file.attributes, "cases");
  loss l = {.file = &m.file, .options = gi_json_at(cases, (size_t)k)};
  golden_inputs(&m, MAX_INPUTS, l.in);
  snprintf(output, sizeof output, "output.%d", k);
  snprintf(cotangent, sizeof cotangent, "cotangent.%d", k);
  const glia_value v = glia_output(output, row_of(&m.file, c->name)->build(&l));
  OK(glia_graph_status(m.g));
  make_gradients(&l, golden_total(&m, v, cotangent), k);
  golden_run(&m);
  check_results(&m, k);
  const int n = (int)gi_json_count(cases);
  golden_graph_close(&m);
  return n;
}

static int check_file(const golden_case *c) {
  const int n = check_case(c, 0);
  for (int k = 1; k < n; k++) check_case(c, k);
  return n;
}

static golden_suite suite = {"losses", 385, 1e-10, 2e-5, check_file};

GOLDEN_MAIN(suite)
