/* test_golden_ops.c - ops against PyTorch's functions: results and gradients of every file in
 * tests/golden/ops (tools/golden_ops.py), in f64 by the reference and in f32 by the best
 * backend. A file whose op has no row below fails the test.
 */
#include "golden_graph.h"

#include "tensor/tensor.h"

enum { MAX_IN = 4 };

typedef struct function { /* one file as a graph */
  const golden *file;
  glia_graph *g;
  int n;
  glia_value in[MAX_IN];
} function;

static const gi_json *attribute(const function *f, const char *key) {
  return gi_json_get(f->file->attributes, key);
}
static double number(const function *f, const char *key) {
  const gi_json *j = attribute(f, key);
  if (j == NULL) fail_msg("%s has no %s", f->file->op, key);
  return gi_json_num(j, NAN);
}
static int64_t whole(const function *f, const char *key) { return (int64_t)number(f, key); }
static bool flag(const function *f, const char *key) {
  return gi_json_bool(attribute(f, key), false);
}
static bool says(const function *f, const char *key, const char *text) {
  return strcmp(gi_json_str(attribute(f, key), ""), text) == 0;
}
/* A list, or one number; returns how many there are. */
static int list(const function *f, const char *key, double *out) {
  const gi_json *j = attribute(f, key);
  if (j == NULL || gi_json_type(j) == GI_JSON_NULL) return 0;
  if (gi_json_type(j) != GI_JSON_ARRAY) {
    out[0] = gi_json_num(j, NAN);
    return 1;
  }
  const int n = (int)gi_json_count(j);
  assert_in_range(n, 1, GLIA_MAX_RANK);
  for (int i = 0; i < n; i++) out[i] = gi_json_num(gi_json_at(j, (size_t)i), NAN);
  return n;
}
static int wholes(const function *f, const char *key, int64_t *out) {
  double numbers[GLIA_MAX_RANK];
  const int n = list(f, key, numbers);
  for (int i = 0; i < n; i++) out[i] = (int64_t)numbers[i];
  return n;
}

/* ---- rows ---------------------------------------------------------------------------- */

static glia_value cumsum(const function *f) {
  return glia_cumsum(f->in[0], (int)whole(f, "dim"), false);
}
static glia_value cumprod(const function *f) {
  return glia_cumprod(f->in[0], (int)whole(f, "dim"), false);
}
static glia_value tril(const function *f) { return glia_tril(f->in[0], whole(f, "diagonal")); }
static glia_value triu(const function *f) { return glia_triu(f->in[0], whole(f, "diagonal")); }
static glia_value flip(const function *f) {
  int64_t dims[GLIA_MAX_RANK];
  int axes[GLIA_MAX_RANK];
  const int n = wholes(f, "dims", dims);
  for (int k = 0; k < n; k++) axes[k] = (int)dims[k];
  return glia_flip(f->in[0], axes, n);
}
static glia_value roll(const function *f) {
  return glia_roll(f->in[0], (int)whole(f, "dims"), whole(f, "shifts"));
}
static glia_value tile(const function *f) {
  int64_t times[GLIA_MAX_RANK];
  const int n = wholes(f, "dims", times);
  return glia_tile(f->in[0], n, times);
}
static glia_value repeat(const function *f) {
  return glia_repeat(f->in[0], (int)whole(f, "dim"), whole(f, "repeats"));
}

/* PyTorch's counts begin with the last axis: before, after, before, after ... */
static glia_value pad(const function *f) {
  int64_t counts[GLIA_MAX_RANK], before[GLIA_MAX_RANK] = {0}, after[GLIA_MAX_RANK] = {0};
  const int n = wholes(f, "pad", counts), rank = glia_value_rank(f->in[0]);
  for (int k = 0; k < n / 2; k++) {
    before[rank - 1 - k] = counts[2 * k];
    after[rank - 1 - k] = counts[2 * k + 1];
  }
  return glia_pad_edge(f->in[0], before, after,
                       says(f, "mode", "reflect")     ? GLIA_PAD_REFLECT
                       : says(f, "mode", "replicate") ? GLIA_PAD_REPLICATE
                                                      : GLIA_PAD_CIRCULAR);
}
static glia_value pixel_shuffle(const function *f) {
  return glia_pixel_shuffle(f->in[0], whole(f, "upscale_factor"));
}
static glia_value pixel_unshuffle(const function *f) {
  return glia_pixel_unshuffle(f->in[0], whole(f, "downscale_factor"));
}

static glia_value celu(const function *f) { return glia_celu(f->in[0], number(f, "alpha")); }
static glia_value log_sigmoid(const function *f) { return glia_log_sigmoid(f->in[0]); }
static glia_value soft_shrink(const function *f) {
  return glia_soft_shrink(f->in[0], number(f, "lambd"));
}
static glia_value hard_shrink(const function *f) {
  return glia_hard_shrink(f->in[0], number(f, "lambd"));
}
static glia_value tanh_shrink(const function *f) { return glia_tanh_shrink(f->in[0]); }
static glia_value threshold(const function *f) {
  return glia_threshold(f->in[0], number(f, "threshold"), number(f, "value"));
}
static glia_value glu(const function *f) { return glia_glu(f->in[0], (int)whole(f, "dim")); }
static glia_value prelu(const function *f) { return glia_prelu(f->in[0], f->in[1]); }

static glia_value interpolate(const function *f) {
  glia_resize_opts o = {.size = sizeof o};
  const int axes = glia_value_rank(f->in[0]) - 2;
  wholes(f, "size", o.to);
  if (list(f, "scale_factor", o.scale) == 1)
    for (int k = 1; k < axes; k++) o.scale[k] = o.scale[0];
  for (int k = 0; k < axes && flag(f, "recompute_scale_factor"); k++) {
    o.to[k] = (int64_t)floor((double)glia_value_dim(f->in[0], 2 + k) * o.scale[k]);
    o.scale[k] = 0;
  }
  o.antialias = flag(f, "antialias");
  if (flag(f, "align_corners")) o.coordinates = GLIA_ALIGN_CORNERS;
  o.mode = says(f, "mode", "area")      ? GLIA_RESIZE_AREA
           : says(f, "mode", "bicubic") ? GLIA_RESIZE_CUBIC
                                        : GLIA_RESIZE_LINEAR;
  if (says(f, "mode", "nearest")) o.mode = GLIA_RESIZE_NEAREST;
  if (says(f, "mode", "nearest-exact")) {
    o.mode = GLIA_RESIZE_NEAREST;
    o.coordinates = GLIA_HALF_PIXEL;
    o.rounding = GLIA_ROUND_HALF_UP;
  }
  return glia_resize_opt(f->in[0], &o);
}

static glia_value grid_sample(const function *f) {
  return glia_grid_sample(f->in[0], f->in[1],
                          .mode = says(f, "mode", "nearest")   ? GLIA_SAMPLE_NEAREST
                                  : says(f, "mode", "bicubic") ? GLIA_SAMPLE_CUBIC
                                                               : GLIA_SAMPLE_LINEAR,
                          .outside = says(f, "padding_mode", "border") ? GLIA_OUTSIDE_BORDER
                                     : says(f, "padding_mode", "reflection")
                                         ? GLIA_OUTSIDE_REFLECTION
                                         : GLIA_OUTSIDE_ZEROS,
                          .align_corners = flag(f, "align_corners"));
}
static glia_value affine_grid(const function *f) {
  int64_t size[GLIA_MAX_RANK];
  wholes(f, "size", size);
  return glia_affine_grid(f->in[0], size + 2, flag(f, "align_corners"));
}

static glia_value einsum(const function *f) {
  return glia_einsum(gi_json_str(attribute(f, "equation"), ""), f->in, f->n);
}

static glia_value input_or_none(const function *f, int i) {
  return i < f->n ? f->in[i] : GLIA_NONE;
}
static glia_value layer_norm(const function *f) {
  int64_t shape[GLIA_MAX_RANK];
  return glia_layer_norm_with(f->in[0], wholes(f, "normalized_shape", shape),
                              input_or_none(f, 1), input_or_none(f, 2), number(f, "eps"));
}
static glia_value rms_norm(const function *f) {
  int64_t shape[GLIA_MAX_RANK];
  return glia_rms_norm_with(f->in[0], wholes(f, "normalized_shape", shape), f->in[1],
                            number(f, "eps"));
}
static glia_value group_norm(const function *f) {
  return glia_group_norm_with(f->in[0], whole(f, "num_groups"), input_or_none(f, 1),
                              input_or_none(f, 2), number(f, "eps"));
}
static glia_value instance_norm(const function *f) {
  return glia_group_norm_with(f->in[0], glia_value_dim(f->in[0], 1), f->in[1], f->in[2],
                              number(f, "eps"));
}
static glia_value local_response_norm(const function *f) {
  return glia_local_response_norm(f->in[0], whole(f, "size"), number(f, "alpha"),
                                  number(f, "beta"), number(f, "k"));
}

static const struct {
  const char *op;
  glia_value (*build)(const function *f);
} rows[] = {
    {"cumsum", cumsum},
    {"cumprod", cumprod},
    {"tril", tril},
    {"triu", triu},
    {"flip", flip},
    {"roll", roll},
    {"tile", tile},
    {"repeat_interleave", repeat},
    {"pad", pad},
    {"pixel_shuffle", pixel_shuffle},
    {"pixel_unshuffle", pixel_unshuffle},
    {"celu", celu},
    {"logsigmoid", log_sigmoid},
    {"softshrink", soft_shrink},
    {"hardshrink", hard_shrink},
    {"tanhshrink", tanh_shrink},
    {"threshold", threshold},
    {"glu", glu},
    {"prelu", prelu},
    {"interpolate", interpolate},
    {"grid_sample", grid_sample},
    {"affine_grid", affine_grid},
    {"einsum", einsum},
    {"layer_norm", layer_norm},
    {"rms_norm", rms_norm},
    {"group_norm", group_norm},
    {"instance_norm", instance_norm},
    {"local_response_norm", local_response_norm},
};

/* ---- one file ------------------------------------------------------------------------ */

static glia_value build(const char *name, const function *f) {
  for (int i = 0; i < GI_COUNT(rows); i++)
    if (strcmp(rows[i].op, f->file->op) == 0) return rows[i].build(f);
  fail_msg("%s: there is no row for %s", name, f->file->op);
  return GLIA_NONE;
}

/* The input in which the slope is zero by definition: the graph has no gradient there. */
static const char *without_slope(const function *f) {
  const bool nearest = strcmp(f->file->op, "grid_sample") == 0 && says(f, "mode", "nearest");
  return nearest ? "input.1" : NULL;
}

static int check_file(const golden_case *c) {
  golden_graph m = golden_graph_open(c);
  function f = {.file = &m.file, .g = m.g};
  f.n = golden_inputs(&m, MAX_IN, f.in);
  const glia_value y = glia_output("output", build(c->name, &f));
  OK(glia_graph_status(m.g));
  const int grads = golden_gradients(&m, golden_total(&m, y, "grad_output"), without_slope(&f));
  assert_int_equal(grads, without_slope(&f) != NULL ? 1 : f.n);
  golden_run(&m);
  golden_compare(&m, c->tolerance);
  golden_graph_close(&m);
  return 1;
}

static golden_suite suite = {"ops", 140, 1e-11, 2e-5, check_file};

/* ---- what is refused, and what PyTorch does not have ----------------------------------- */

/* A graph with one input of this shape: the null value and `status`, its message naming `what`.
 */
static void refused(glia_graph *g, glia_value v, glia_status status, const char *what) {
  assert_null(v.graph);
  assert_int_equal(glia_graph_status(g), status);
  if (strstr(glia_error_message(), what) == NULL)
    fail_msg("wanted a message about %s, got: %s", what, glia_error_message());
  glia_graph_free(g);
}

static glia_value input(int rank, const int64_t *shape) {
  glia_graph *g = NULL;
  OK(glia_graph_new(&g));
  return glia_input(g, "x", GLIA_F32, rank, shape);
}
#define INPUT(...)                                                 \
  input((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), \
        (const int64_t[]){__VA_ARGS__})

static void test_refusals_name_the_op(void **state) {
  (void)state;
  glia_value x = INPUT(2, 3);
  refused(x.graph, glia_roll(x, 2, 1), GLIA_SHAPE, "roll");
  x = INPUT(2, 3);
  refused(x.graph, glia_tile(x, 1, (const int64_t[]){2}), GLIA_SHAPE, "tile");
  x = INPUT(2, 3);
  refused(x.graph, glia_tile(x, 2, (const int64_t[]){2, INT64_MAX}), GLIA_INVALID, "tile");
  x = INPUT(2, 3);
  refused(x.graph, glia_repeat(x, 0, -1), GLIA_INVALID, "repeat");
  x = INPUT(2, 3);
  refused(x.graph,
          glia_pad_edge(x, (const int64_t[]){2, 0}, (const int64_t[]){0, 0}, GLIA_PAD_REFLECT),
          GLIA_SHAPE, "pad_edge");
  x = INPUT(0, 3);
  refused(
      x.graph,
      glia_pad_edge(x, (const int64_t[]){1, 0}, (const int64_t[]){0, 0}, GLIA_PAD_REPLICATE),
      GLIA_SHAPE, "pad_edge");
  x = INPUT(3, 2, 2);
  refused(x.graph, glia_pixel_shuffle(x, 2), GLIA_SHAPE, "pixel_shuffle");
  x = INPUT(3, 3, 2);
  refused(x.graph, glia_pixel_unshuffle(x, 2), GLIA_SHAPE, "pixel_unshuffle");
  x = INPUT(3, 3);
  refused(x.graph, glia_glu(x, 1), GLIA_SHAPE, "glu");
  x = INPUT(3, 4);
  refused(x.graph, glia_resize(x, .n = 1), GLIA_INVALID, "resize");
  x = INPUT(3, 0);
  refused(x.graph, glia_resize(x, .n = 1, .to = {4}), GLIA_SHAPE, "resize");
  x = INPUT(1, 2, 3, 3);
  refused(x.graph, glia_grid_sample(x, x), GLIA_SHAPE, "grid_sample");
  x = INPUT(1, 3, 3);
  refused(x.graph, glia_affine_grid(x, (const int64_t[]){1, 1, 1}, false), GLIA_SHAPE,
          "affine_grid");
  x = INPUT(2, 6);
  refused(x.graph, glia_group_norm_with(x, 4, GLIA_NONE, GLIA_NONE, 0), GLIA_SHAPE,
          "group_norm");
  x = INPUT(6);
  refused(x.graph, glia_local_response_norm(x, 3, 1, 1, 1), GLIA_SHAPE, "local_response_norm");
}

static void test_equations_are_checked(void **state) {
  static const struct {
    const char *equation;
    glia_status status;
  } bad[] = {
      {"ij->ik", GLIA_INVALID},
      {"ij->ii", GLIA_INVALID},
      {"ij->", GLIA_OK},
      {"i->i", GLIA_SHAPE},
      {"ijk->i", GLIA_SHAPE},
      {"ij,jk", GLIA_INVALID},
      {"i2->i", GLIA_INVALID},
      {"ij-i", GLIA_INVALID},
      {"", GLIA_SHAPE},
      {"ii->i", GLIA_SHAPE},
      {"...ijk", GLIA_INVALID},
      {"......", GLIA_INVALID},
      {"ij->ijabcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZijijijijijijij",
       GLIA_INVALID},
      {"ijijijijijijijij", GLIA_INVALID},
      {".ij->ij", GLIA_INVALID},
  };
  (void)state;
  for (int i = 0; i < GI_COUNT(bad); i++) {
    const glia_value x = INPUT(2, 3);
    const glia_value y = glia_einsum(bad[i].equation, &x, 1);
    if (bad[i].status != GLIA_OK) {
      refused(x.graph, y, bad[i].status, "einsum");
      continue;
    }
    OK(glia_graph_status(x.graph));
    glia_graph_free(x.graph);
  }
}

/* ONNX's examples: crops look outside, and rounding chooses the neighbour. */
static void expect_resized(const double *x, int64_t n, glia_resize_opts o, const double *want,
                           int64_t m) {
  glia_graph *g = NULL;
  glia_tensor *t = NULL;
  OK(glia_graph_new(&g));
  o.size = sizeof o;
  o.n = 1;
  o.to[0] = m;
  OK(glia_eval(glia_resize_opt(glia_constant(g, GLIA_F64, 1, &n, x), &o), &t));
  assert_int_equal(glia_tensor_count(t), m);
  for (int64_t i = 0; i < m; i++) NEAR(glia_tensor_get(t, i), want[i], 1e-12);
  glia_tensor_free(t);
  glia_graph_free(g);
}
#define RESIZED(x, want, ...) \
  expect_resized(x, GI_COUNT(x), (glia_resize_opts){__VA_ARGS__}, want, GI_COUNT(want))

static void test_coordinates_of_onnx(void **state) {
  static const double x[] = {1, 2, 3, 4};
  static const double crop[] = {2, 3, 4, -9}, down[] = {1, 1, 2}, up[] = {1, 3, 4},
                      half_up[] = {1, 2, 2, 3, 3, 4, 4, 4},
                      half_down[] = {1, 1, 2, 2, 3, 3, 4, 4}, one[] = {1}, middle[] = {2.5},
                      symmetric[] = {1.375, 3.625};
  (void)state;
  RESIZED(x, crop, .mode = GLIA_RESIZE_LINEAR, .coordinates = GLIA_CROP, .crop_from = {1.0 / 3},
          .crop_to = {4.0 / 3}, .outside = -9);
  RESIZED(x, down, .coordinates = GLIA_ASYMMETRIC, .scale = {1.2});
  RESIZED(x, up, .coordinates = GLIA_ASYMMETRIC, .rounding = GLIA_ROUND_UP);
  RESIZED(x, half_up, .coordinates = GLIA_ASYMMETRIC, .rounding = GLIA_ROUND_HALF_UP);
  RESIZED(x, half_down, .coordinates = GLIA_ASYMMETRIC, .rounding = GLIA_ROUND_HALF_DOWN);
  RESIZED(x, one, .mode = GLIA_RESIZE_LINEAR, .coordinates = GLIA_PYTORCH_HALF_PIXEL);
  RESIZED(x, middle, .mode = GLIA_RESIZE_LINEAR, .coordinates = GLIA_HALF_PIXEL);
  RESIZED(x, symmetric, .mode = GLIA_RESIZE_LINEAR, .coordinates = GLIA_HALF_PIXEL_SYMMETRIC,
          .scale = {2 / 4.5});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      GOLDEN_TESTS(suite),
      cmocka_unit_test(test_refusals_name_the_op),
      cmocka_unit_test(test_equations_are_checked),
      cmocka_unit_test(test_coordinates_of_onnx),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
