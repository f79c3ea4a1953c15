/* pool.c - pooling of one, two and three axes. The number of them is in the op's name. */
#include "parity/parity.h"

static int axes_of(const question *q) {
  const char *digit = strpbrk(q_op(q), "123");
  return digit != NULL ? *digit - '0' : 2;
}

static glia_pool_opts window_of(const question *q) {
  const int axes = axes_of(q);
  glia_pool_opts o = {.size = sizeof o, .axes = axes};
  q_ints(q, "kernel_size", axes, o.kernel);
  q_ints(q, "stride", axes, o.stride);
  q_ints(q, "padding", axes, o.padding);
  q_ints(q, "dilation", axes, o.dilation);
  o.ceil_mode = q_bool(q, "ceil_mode", false);
  o.count_padding = q_bool(q, "count_include_pad", true);
  o.divisor = q_num(q, "divisor_override", 0);
  o.power = q_num(q, "norm_type", 2);
  return o;
}

/* The second output, where it is asked for, is where the winners were. */
static void with_index(question *q, glia_value y, glia_value index) {
  q_output(q, 0, y);
  if (q_bool(q, "return_indices", false)) q_output(q, 1, index);
}

static void max_pool(question *q) {
  const glia_pool_opts o = window_of(q);
  glia_value index = GLIA_NONE;
  const bool wanted = q_bool(q, "return_indices", false);
  const glia_value y = glia_max_pool_opt(q_input(q, 0), wanted ? &index : NULL, &o);
  with_index(q, y, index);
}
static void avg_pool(question *q) {
  const glia_pool_opts o = window_of(q);
  q_output(q, 0, glia_avg_pool_opt(q_input(q, 0), &o));
}
static void lp_pool(question *q) {
  const glia_pool_opts o = window_of(q);
  q_output(q, 0, glia_lp_pool_opt(q_input(q, 0), &o));
}

/* An axis whose size is null keeps it. */
static void size_of(const question *q, int64_t *size) {
  q_ints(q, "output_size", axes_of(q), size);
}
static void adaptive_max(question *q) {
  int64_t size[3] = {0};
  glia_value index = GLIA_NONE;
  size_of(q, size);
  const bool wanted = q_bool(q, "return_indices", false);
  const glia_value y =
      glia_adaptive_max_pool(q_input(q, 0), axes_of(q), size, wanted ? &index : NULL);
  with_index(q, y, index);
}
static void adaptive_avg(question *q) {
  int64_t size[3] = {0};
  size_of(q, size);
  q_output(q, 0, glia_adaptive_avg_pool(q_input(q, 0), axes_of(q), size));
}

/* Where windows overlap, several of y name one cell. The last of them stays there, but in
 * PyTorch the cell's gradient reaches all: it is that of the sum of all, whose value is taken
 * off again. */
static glia_value put_back(glia_value y, glia_value index, int axes, const int64_t *size) {
  const int rank = glia_value_rank(y);
  int64_t flat[GLIA_MAX_RANK], shape[GLIA_MAX_RANK], cells = 1;
  memcpy(flat, glia_value_shape(y), (size_t)rank * sizeof flat[0]);
  memcpy(shape, flat, sizeof shape);
  for (int d = 0; d < axes; d++) cells *= shape[rank - axes + d] = size[d];
  flat[rank - axes] = -1;
  const int lead = rank - axes + 1;
  const glia_value sum = glia_reshape(
      glia_put_along(glia_reshape(y, lead, flat), glia_reshape(index, lead, flat), -1, cells),
      rank, shape);
  return glia_add(glia_max_unpool(glia_stop_gradient(y), index, axes, size),
                  glia_sub(sum, glia_stop_gradient(sum)));
}

/* Without output_size, what the pooling was of: (n - 1) stride - 2 padding + kernel. */
static void max_unpool(question *q) {
  const glia_pool_opts o = window_of(q);
  const glia_value y = q_input(q, 0), index = q_input(q, 1);
  int64_t size[3] = {0};
  if (y.graph == NULL || index.graph == NULL || glia_value_rank(y) < o.axes ||
      glia_value_rank(index) != glia_value_rank(y)) {
    q_cannot(q, "has no values, or no index of their rank");
    return;
  }
  for (int d = 0; d < o.axes; d++) {
    const int64_t stride = o.stride[d] != 0 ? o.stride[d] : o.kernel[d];
    size[d] = (glia_value_dim(y, d - o.axes) - 1) * stride - 2 * o.padding[d] + o.kernel[d];
  }
  const int skip = q_count(q, "output_size") - o.axes; /* leading axes may be listed too */
  int64_t listed[GLIA_MAX_RANK] = {0};
  if (skip >= 0) {
    q_ints(q, "output_size", q_count(q, "output_size"), listed);
    memcpy(size, listed + skip, (size_t)o.axes * sizeof size[0]);
  }
  q_output(q, 0, put_back(y, index, o.axes, size));
}

#define AXES(name, module, fn)                                          \
  {.op = name "1d", .build = fn}, {.op = name "2d", .build = fn},       \
      {.op = name "3d", .build = fn}, {.op = module "1d", .build = fn}, \
      {.op = module "2d", .build = fn}, {                               \
    .op = module "3d", .build = fn                                      \
  }
static const parity_row rows[] = {
    AXES("max_pool", "MaxPool", max_pool),
    AXES("avg_pool", "AvgPool", avg_pool),
    AXES("lp_pool", "LPPool", lp_pool),
    AXES("adaptive_max_pool", "AdaptiveMaxPool", adaptive_max),
    AXES("adaptive_avg_pool", "AdaptiveAvgPool", adaptive_avg),
    AXES("max_unpool", "MaxUnpool", max_unpool),
};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_pool[] = {&all, NULL};
