/* pool_axes.c - pooling of series and volumes, and of whatever has channels, as rows over the
 * ops. One number stands for all axes.
 */
#include "glia/layers.h"
#include "nn/layer.h"

/* Options as .net files give them. */
typedef struct pool_opts {
  size_t size;
  int64_t kernel, stride, padding;
  bool ceil_mode, count_padding;
  double power;
} pool_opts;
typedef struct cells_opts {
  size_t size;
  int64_t cells;
} cells_opts;

typedef enum how { LARGEST, SMALLEST, MEAN, POWER } how;

static glia_value windowed(glia_scope *s, const char *name, glia_value x, const pool_opts *o,
                           int axes, how kind) {
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  if (glia_value_rank(x) != axes + 2)
    return gi_leave(&e, gi_latch(x.graph, GLIA_SHAPE, "pooling: x has rank %d, wanted %s",
                                 glia_value_rank(x),
                                 axes == 1   ? "[N, C, L]"
                                 : axes == 2 ? "[N, C, H, W]"
                                             : "[N, C, D, H, W]"));
  glia_pool_opts p = {.size = sizeof p,
                      .axes = axes,
                      .ceil_mode = o->ceil_mode,
                      .count_padding = o->count_padding,
                      .power = o->power};
  for (int d = 0; d < axes; d++) {
    p.kernel[d] = o->kernel;
    p.stride[d] = o->stride;
    p.padding[d] = o->padding;
  }
  return gi_leave(&e, kind == LARGEST    ? glia_max_pool_opt(x, NULL, &p)
                      : kind == SMALLEST ? glia_min_pool_opt(x, NULL, &p)
                      : kind == MEAN     ? glia_avg_pool_opt(x, &p)
                                         : glia_lp_pool_opt(x, &p));
}

static glia_value adaptive(glia_scope *s, const char *name, glia_value x, int64_t cells,
                           int axes, bool largest) {
  const gi_entered e = gi_enter(s, name);
  const int64_t size[] = {cells, cells, cells};
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, largest ? glia_adaptive_max_pool(x, axes, size, NULL)
                              : glia_adaptive_avg_pool(x, axes, size));
}

/* All axes behind the channels. */
static glia_value whole(glia_scope *s, const char *name, glia_value x, bool largest) {
  const gi_entered e = gi_enter(s, name);
  glia_reduce_opts o = {.size = sizeof o, .n = glia_value_rank(x) - 2};
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  if (o.n < 1)
    return gi_leave(
        &e, gi_latch(x.graph, GLIA_SHAPE, "global pooling: x has rank %d, wanted [N, C, ...]",
                     glia_value_rank(x)));
  for (int d = 0; d < o.n; d++) o.axes[d] = 2 + d;
  return gi_leave(&e, largest ? glia_max_opt(x, &o) : glia_mean_opt(x, &o));
}

/* ---- rows ---------------------------------------------------------------------------- */

#define FIELD(kind, member, ...) GI_FIELD(kind, pool_opts, member, __VA_ARGS__)
#define WINDOW                                                                             \
  FIELD(I64, kernel, .positional = true, .required = true, .min = 1, .max = 65536,         \
        .doc = "cells along each axis"),                                                   \
      FIELD(I64, stride, .positional = true, .min = 1, .max = 65536, .dflt = "the kernel", \
            .doc = "steps of the window"),                                                 \
      FIELD(BOOL, ceil_mode, .doc = "round the output size up")
#define PADDING                                            \
  FIELD(I64, padding, .min = 0, .max = 32768, .dflt = "0", \
        .doc = "on both sides, at most half the kernel")
static const gi_field fields[] = {WINDOW, PADDING, {.name = NULL}};
static const gi_field fields_mean[] = {
    WINDOW,
    PADDING,
    FIELD(BOOL, count_padding, .doc = "average over the whole window, padding too"),
    {.name = NULL},
};
static const gi_field fields_power[] = {
    WINDOW,
    FIELD(F64, power, .min = 0.1, .max = 100, .dflt = "2", .doc = "p of (sum of x^p)^(1/p)"),
    {.name = NULL},
};
#undef FIELD
static const gi_field fields_cells[] = {
    GI_FIELD(I64, cells_opts, cells, .positional = true, .required = true, .min = 1,
             .max = 65536, .doc = "along each axis of the result"),
    {.name = NULL},
};

#define POOL(row, text, options, list, call)                                   \
  static glia_value build_##row(glia_scope *s, const char *name, glia_value x, \
                                const void *o) {                               \
    (void)o;                                                                   \
    return call;                                                               \
  }                                                                            \
  static const gi_layer row = {.name = #row,                                   \
                               .doc = text,                                    \
                               .nameless = true,                               \
                               .opts_size = options,                           \
                               .fields = list,                                 \
                               .build = build_##row};
#define WINDOWED(row, text, axes, kind, list) \
  POOL(row, text, sizeof(pool_opts), list, windowed(s, name, x, o, axes, kind))
#define ADAPTIVE(row, text, axes, largest)          \
  POOL(row, text, sizeof(cells_opts), fields_cells, \
       adaptive(s, name, x, ((const cells_opts *)o)->cells, axes, largest))

WINDOWED(max_pool1d, "largest element of each window of a series", 1, LARGEST, fields)
WINDOWED(max_pool3d, "largest element of each window of a volume", 3, LARGEST, fields)
WINDOWED(min_pool1d, "smallest element of each window of a series", 1, SMALLEST, fields)
WINDOWED(min_pool3d, "smallest element of each window of a volume", 3, SMALLEST, fields)
WINDOWED(avg_pool1d, "mean of each window of a series", 1, MEAN, fields_mean)
WINDOWED(avg_pool3d, "mean of each window of a volume", 3, MEAN, fields_mean)
WINDOWED(lp_pool1d, "p-norm of each window of a series", 1, POWER, fields_power)
WINDOWED(lp_pool2d, "p-norm of each window of an image", 2, POWER, fields_power)
ADAPTIVE(adaptive_avg_pool1d, "mean of each of a fixed number of cells of a series", 1, false)
ADAPTIVE(adaptive_avg_pool3d, "mean of each cell of a fixed grid of a volume", 3, false)
ADAPTIVE(adaptive_max_pool1d, "largest element of each of a fixed number of cells", 1, true)
ADAPTIVE(adaptive_max_pool3d, "largest element of each cell of a fixed grid of a volume", 3,
         true)
POOL(global_avg_pool, "mean of each channel: [N, C, ...] -> [N, C]", sizeof(size_t), NULL,
     whole(s, name, x, false))
POOL(global_max_pool, "largest element of each channel: [N, C, ...] -> [N, C]", sizeof(size_t),
     NULL, whole(s, name, x, true))

const gi_layer *const gi_layers_pool_axes[] = {
    &max_pool1d,          &max_pool3d,          &min_pool1d,
    &min_pool3d,          &avg_pool1d,          &avg_pool3d,
    &lp_pool1d,           &lp_pool2d,           &adaptive_avg_pool1d,
    &adaptive_avg_pool3d, &adaptive_max_pool1d, &adaptive_max_pool3d,
    &global_avg_pool,     &global_max_pool,     NULL};
