/* Losses against PyTorch's over a grid of options: results, gradients and second derivatives of
 * every case in tests/golden/losses (tools/golden_losses.py), in f64 by the reference and in
 * f32 by the best backend. A file whose op has no row below fails the test.
 */
#include "golden_tensors.h"

#include "glia/glia.h"

enum { MAX_INPUTS = 4 };

typedef struct loss { /* one case as a graph */
  const golden *file;
  const gi_json *options;
  glia_graph *g;
  glia_dtype dtype;
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

/* The tensor as the test's dtype; indices stay. Owned. */
static glia_tensor *tensor_as(const golden *file, const char *name, glia_dtype dtype) {
  glia_tensor *t = golden_tensor(file, name), *cast = NULL;
  if (!glia_dtype_is_float(glia_tensor_dtype(t))) return t;
  OK(glia_tensor_cast(t, dtype, &cast));
  glia_tensor_free(t);
  return cast;
}

static void make_inputs(loss *l, glia_tensor **tensors) {
  for (int i = 0; i < MAX_INPUTS; i++) {
    char name[32];
    snprintf(name, sizeof name, "input.%d", i);
    tensors[i] = NULL;
    l->in[i] = GLIA_NONE;
    if (!golden_has(l->file, name)) continue;
    tensors[i] = tensor_as(l->file, name, l->dtype);
    l->in[i] = glia_input(l->g, name, glia_tensor_dtype(tensors[i]),
                          glia_tensor_rank(tensors[i]), glia_tensor_shape(tensors[i]));
  }
}

/* <output, cotangent>, a scalar. */
static glia_value total(const loss *l, glia_value output, int k) {
  char name[32];
  snprintf(name, sizeof name, "cotangent.%d", k);
  if (!golden_has(l->file, name)) return output;
  glia_tensor *t = tensor_as(l->file, name, l->dtype);
  const glia_value cotangent = glia_constant(l->g, l->dtype, glia_tensor_rank(t),
                                             glia_tensor_shape(t), glia_tensor_data(t));
  glia_tensor_free(t);
  return glia_sum(glia_mul(output, cotangent));
}

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

static void check_results(const loss *l, const glia_plan *p, int k, double tolerance,
                          const char *file) {
  char name[32], what[320];
  snprintf(name, sizeof name, "output.%d", k);
  snprintf(what, sizeof what, "%s, case %d", file, k);
  assert_golden(glia_plan_output(p, name), l->file, name, tolerance, what);
  for (int i = 0; i < 2 * MAX_INPUTS; i++) {
    snprintf(name, sizeof name, "%s.%d.%d", i % 2 == 0 ? "grad" : "second", k, i / 2);
    if (golden_has(l->file, name))
      assert_golden(glia_plan_output(p, name), l->file, name,
                    i % 2 == 0 ? tolerance : second_tolerance(l->file, tolerance), what);
  }
}

static void check_case(const golden *file, const char *name, int k, glia_dtype dtype,
                       const char *backend, double tolerance) {
  loss l = {.file = file, .dtype = dtype};
  glia_tensor *tensors[MAX_INPUTS];
  glia_plan *p = NULL;
  char output[32];
  l.options = gi_json_at(gi_json_get(file->attributes, "cases"), (size_t)k);
  OK(glia_graph_new(&l.g));
  make_inputs(&l, tensors);
  snprintf(output, sizeof output, "output.%d", k);
  const glia_value v = glia_output(output, row_of(file, name)->build(&l));
  OK(glia_graph_status(l.g));
  make_gradients(&l, total(&l, v, k), k);
  OK(glia_compile(l.g, &p, .backend = backend));
  for (int i = 0; i < MAX_INPUTS; i++) {
    char input[32];
    snprintf(input, sizeof input, "input.%d", i);
    if (tensors[i] != NULL) OK(glia_plan_bind(p, input, tensors[i]));
  }
  OK(glia_plan_run(p));
  check_results(&l, p, k, tolerance, name);
  glia_plan_free(p);
  for (int i = 0; i < MAX_INPUTS; i++) glia_tensor_free(tensors[i]);
  glia_graph_free(l.g);
}

/* ---- all files ----------------------------------------------------------------------- */

static void check_all(glia_dtype dtype, const char *backend, double tolerance) {
  gi_names files = {0};
  int n = 0;
  OK(gi_list_dir(GI_TEST_SOURCE "/tests/golden/losses", &files));
  for (size_t i = 0; i < files.n; i++) {
    char name[256];
    const char *dot = strstr(files.at[i], ".safetensors");
    if (dot == NULL) continue;
    snprintf(name, sizeof name, "losses/%.*s", (int)(dot - files.at[i]), files.at[i]);
    golden file = golden_open(name);
    const int cases = (int)gi_json_count(gi_json_get(file.attributes, "cases"));
    for (int k = 0; k < cases; k++) check_case(&file, name, k, dtype, backend, tolerance);
    golden_close(&file);
    n += cases;
  }
  gi_names_free(&files);
  print_message("%d cases\n", n);
  assert_true(n >= 385);
}

static void test_reference_in_f64(void **state) {
  (void)state;
  check_all(GLIA_F64, "ref", 1e-10);
}

static void test_best_backend_in_f32(void **state) {
  (void)state;
  check_all(GLIA_F32, NULL, 2e-5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_reference_in_f64),
      cmocka_unit_test(test_best_backend_in_f32),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
