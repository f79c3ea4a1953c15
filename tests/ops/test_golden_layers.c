/* test_golden_layers.c - ops and losses against PyTorch's: results and gradients of every
 * file in tests/golden/layers (tools/golden_layers.py), in f64 by the reference and in f32 by
 * the best backend. A file whose op has no row below fails the test.
 */
#include "golden_graph.h"

#include "tensor/tensor.h"

typedef struct layer { /* one file as a graph */
  const golden *file;
  glia_value input, weight, bias, target, running_mean, running_var;
} layer;

static const gi_json *attribute(const layer *l, const char *key) {
  return gi_json_get(l->file->attributes, key);
}

static void pair(const layer *l, const char *key, int64_t out[2]) {
  const gi_json *j = attribute(l, key);
  for (int i = 0; i < 2 && j != NULL; i++) out[i] = gi_json_int(gi_json_at(j, (size_t)i), 0);
}

static glia_window_opts window(const layer *l) {
  glia_window_opts o = {.size = sizeof o};
  pair(l, "kernel_size", o.kernel);
  pair(l, "stride", o.stride);
  pair(l, "padding", o.padding);
  pair(l, "dilation", o.dilation);
  pair(l, "output_padding", o.output_padding);
  o.groups = (int64_t)golden_number(l->file, "groups", 0);
  o.count_padding =
      gi_json_bool(attribute(l, "count_include_pad"), true); /* PyTorch's default */
  return o;
}

/* ---- rows ---------------------------------------------------------------------------- */

/* Leading axes are rows: products of matrices alone, as a dense layer would. */
static glia_value linear(const layer *l) {
  const int rank = glia_value_rank(l->input);
  int64_t shape[GLIA_MAX_RANK];
  memcpy(shape, glia_value_shape(l->input), (size_t)rank * sizeof shape[0]);
  const glia_value x =
      glia_reshape(l->input, 2, (const int64_t[]){-1, glia_value_dim(l->input, -1)});
  const glia_value y = glia_matmul(x, l->weight, .transpose_b = true);
  shape[rank - 1] = glia_value_dim(l->weight, 0);
  return glia_reshape(l->bias.graph != NULL ? glia_add(y, l->bias) : y, rank, shape);
}

static glia_value conv2d(const layer *l) {
  const glia_window_opts o = window(l);
  return glia_conv2d_with(l->input, l->weight, l->bias, &o);
}

static glia_value conv_transpose2d(const layer *l) {
  const glia_window_opts o = window(l);
  return glia_conv2d_transpose_with(l->input, l->weight, l->bias, &o);
}

static glia_value channel(glia_value v, glia_value x) {
  int64_t shape[GLIA_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
  shape[1] = glia_value_dim(x, 1);
  return glia_reshape(v, glia_value_rank(x), shape);
}

/* new = (1 - momentum) old + momentum batch; the variance without bias. */
static void moved(const layer *l, const char *name, glia_value old, glia_value batch) {
  const double momentum = golden_number(l->file, "momentum", 0);
  glia_output(name, glia_add(glia_mul(old, glia_scalar_like(old, 1 - momentum)),
                             glia_mul(batch, glia_scalar_like(old, momentum))));
}

static glia_value batch_norm(const layer *l) {
  const double eps = golden_number(l->file, "eps", 0);
  const glia_value x = l->input;
  if (!gi_json_bool(attribute(l, "training"), false)) {
    const glia_value r = glia_rsqrt(glia_add(l->running_var, glia_scalar_like(x, eps)));
    const glia_value h =
        glia_mul(glia_sub(x, channel(l->running_mean, x)), channel(glia_mul(r, l->weight), x));
    return glia_add(h, channel(l->bias, x));
  }
  glia_value mean, variance;
  const glia_value y = glia_batch_norm_train(x, l->weight, l->bias, eps, &mean, &variance);
  double m = 1;
  for (int d = 0; d < glia_value_rank(x); d++) m *= d == 1 ? 1 : (double)glia_value_dim(x, d);
  moved(l, "running_mean_after", l->running_mean, mean);
  moved(l, "running_var_after", l->running_var,
        glia_mul(variance, glia_scalar_like(x, m / (m - 1))));
  return y;
}

static glia_value max_pool2d(const layer *l) {
  const glia_window_opts o = window(l);
  return glia_max_pool2d_opt(l->input, &o);
}
static glia_value min_pool2d(const layer *l) {
  const glia_window_opts o = window(l);
  return glia_min_pool2d_opt(l->input, &o);
}
static glia_value avg_pool2d(const layer *l) {
  const glia_window_opts o = window(l);
  return glia_avg_pool2d_opt(l->input, &o);
}
static glia_value adaptive_avg_pool2d(const layer *l) {
  int64_t size[2] = {0, 0};
  pair(l, "output_size", size);
  return glia_adaptive_avg_pool2d(l->input, size[0], size[1]);
}
static glia_value adaptive_max_pool2d(const layer *l) {
  int64_t size[2] = {0, 0};
  pair(l, "output_size", size);
  return glia_adaptive_max_pool2d(l->input, size[0], size[1]);
}

static glia_value leaky_relu(const layer *l) {
  return glia_leaky_relu(l->input, golden_number(l->file, "negative_slope", 0));
}
static glia_value elu(const layer *l) {
  return glia_elu(l->input, golden_number(l->file, "alpha", 0));
}
static glia_value gelu(const layer *l) {
  const bool by_tanh = strcmp(gi_json_str(attribute(l, "approximate"), ""), "tanh") == 0;
  return by_tanh ? glia_gelu_tanh(l->input) : glia_gelu(l->input);
}
static glia_value softmax(const layer *l) {
  return glia_softmax(l->input, (int)golden_number(l->file, "dim", 0));
}
static glia_value log_softmax(const layer *l) {
  return glia_log_softmax(l->input, (int)golden_number(l->file, "dim", 0));
}

#define PLAIN(name) \
  static glia_value name##_of(const layer *l) { return glia_##name(l->input); }
PLAIN(relu)
PLAIN(relu6)
PLAIN(sigmoid)
PLAIN(tanh)
PLAIN(selu)
PLAIN(silu)
PLAIN(softplus)
PLAIN(softsign)
PLAIN(hard_swish)
PLAIN(hard_sigmoid)
PLAIN(mish)

static glia_value mse(const layer *l) { return glia_mse_loss(l->input, l->target); }
static glia_value mae(const layer *l) { return glia_mae_loss(l->input, l->target); }
static glia_value huber(const layer *l) {
  return glia_huber_loss(l->input, l->target, golden_number(l->file, "delta", 0));
}
static glia_value bce(const layer *l) { return glia_bce_with_logits_loss(l->input, l->target); }
static glia_value cross_entropy(const layer *l) {
  return glia_cross_entropy_loss(
      l->input, l->target, .label_smoothing = golden_number(l->file, "label_smoothing", 0),
      .class_weights = l->weight);
}

#define F "torch.nn.functional."
typedef struct row {
  const char *op;
  glia_value (*build)(const layer *l);
} row;
static const row rows[] = {
    {F "linear", linear},
    {F "conv2d", conv2d},
    {F "conv_transpose2d", conv_transpose2d},
    {F "batch_norm", batch_norm},
    {F "max_pool2d", max_pool2d},
    {"-torch.nn.functional.max_pool2d(-input)", min_pool2d},
    {F "avg_pool2d", avg_pool2d},
    {F "adaptive_avg_pool2d", adaptive_avg_pool2d},
    {F "adaptive_max_pool2d", adaptive_max_pool2d},
    {F "relu", relu_of},
    {F "relu6", relu6_of},
    {"torch.sigmoid", sigmoid_of},
    {"torch.tanh", tanh_of},
    {F "selu", selu_of},
    {F "silu", silu_of},
    {F "softplus", softplus_of},
    {F "softsign", softsign_of},
    {F "hardswish", hard_swish_of},
    {F "hardsigmoid", hard_sigmoid_of},
    {F "mish", mish_of},
    {F "leaky_relu", leaky_relu},
    {F "elu", elu},
    {F "gelu", gelu},
    {F "softmax", softmax},
    {F "log_softmax", log_softmax},
    {F "mse_loss", mse},
    {F "l1_loss", mae},
    {F "huber_loss", huber},
    {F "binary_cross_entropy_with_logits", bce},
    {F "cross_entropy", cross_entropy},
};

/* PyTorch's gradient of hardsigmoid takes 1/6 as an f32, whatever the dtype. */
static double tolerance_of(const char *op, double tolerance) {
  return strcmp(op, F "hardsigmoid") == 0 ? fmax(tolerance, 1e-7) : tolerance;
}

/* ---- one file ------------------------------------------------------------------------ */

static const row *row_of(const char *name, const char *op) {
  for (int i = 0; i < GI_COUNT(rows); i++)
    if (strcmp(rows[i].op, op) == 0) return &rows[i];
  fail_msg("%s: there is no row for %s", name, op);
  return NULL;
}

static int check_file(const golden_case *c) {
  golden_graph m = golden_graph_open(c);
  const layer l = {.file = &m.file,
                   .input = golden_input(&m, "input"),
                   .weight = golden_input(&m, "weight"),
                   .bias = golden_input(&m, "bias"),
                   .target = golden_input(&m, "target"),
                   .running_mean = golden_input(&m, "running_mean"),
                   .running_var = golden_input(&m, "running_var")};
  const glia_value y = glia_output("output", row_of(c->name, m.file.op)->build(&l));
  OK(glia_graph_status(m.g));
  golden_gradients(&m, golden_total(&m, y, "grad_output"), NULL);
  golden_run(&m);
  golden_compare(&m, tolerance_of(m.file.op, c->tolerance));
  golden_graph_close(&m);
  return 1;
}

static golden_suite suite = {"layers", 58, 1e-12, 1e-5, check_file};

GOLDEN_MAIN(suite)
