/* pool.c - pooling of pictures. */
#include "parity/parity.h"

static glia_window_opts window_of(question *q) {
  glia_window_opts o = {.size = sizeof o, .dilation = {1, 1}};
  q_ints(q, "kernel_size", 2, o.kernel);
  q_ints(q, "stride", 2, o.stride);
  q_ints(q, "padding", 2, o.padding);
  q_ints(q, "dilation", 2, o.dilation);
  o.ceil_mode = q_bool(q, "ceil_mode", false);
  o.count_padding = q_bool(q, "count_include_pad", true);
  return o;
}

static void max_pool(question *q) {
  const glia_window_opts o = window_of(q);
  q_output(q, 0, glia_max_pool2d_opt(q_input(q, 0), &o));
}
static void avg_pool(question *q) {
  const glia_window_opts o = window_of(q);
  if (q_int(q, "divisor_override", 0) != 0) {
    q_cannot(q, "gives the divisor itself");
    return;
  }
  q_output(q, 0, glia_avg_pool2d_opt(q_input(q, 0), &o));
}

/* An axis whose size is null keeps it. */
static void adaptive(question *q,
                     glia_value (*pool)(glia_value x, int64_t height, int64_t width)) {
  const glia_value x = q_input(q, 0);
  int64_t size[2] = {glia_value_dim(x, -2), glia_value_dim(x, -1)};
  q_ints(q, "output_size", 2, size);
  q_output(q, 0, pool(x, size[0], size[1]));
}
static void adaptive_max(question *q) { adaptive(q, glia_adaptive_max_pool2d); }
static void adaptive_avg(question *q) { adaptive(q, glia_adaptive_avg_pool2d); }

static const parity_row rows[] = {{.op = "max_pool2d", .build = max_pool},
                                  {.op = "avg_pool2d", .build = avg_pool},
                                  {.op = "adaptive_max_pool2d", .build = adaptive_max},
                                  {.op = "adaptive_avg_pool2d", .build = adaptive_avg}};
static const parity_rows all = {GI_COUNT(rows), rows};
const parity_rows *const gi_parity_pool[] = {&all, NULL};
