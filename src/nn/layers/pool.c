/* pool.c - pooling layers as rows over the ops: max, min, average, adaptive, global. */
#include "nn/layer.h"

/* kernel 0 is refused by the op; the second number defaults to the first */
static glia_value windowed(glia_scope *s, const char *name, glia_value x, const void *opts,
                           glia_value (*op)(glia_value, const glia_window_opts *)) {
  glia_window_opts o;
  gi_opts(&o, sizeof o, opts);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  o.size = sizeof o;
  return gi_leave(&e, op(x, &o));
}

static glia_value build_max(glia_scope *s, const char *name, glia_value x, const void *o) {
  return windowed(s, name, x, o, glia_max_pool2d_opt);
}
static glia_value build_min(glia_scope *s, const char *name, glia_value x, const void *o) {
  return windowed(s, name, x, o, glia_min_pool2d_opt);
}
static glia_value build_avg(glia_scope *s, const char *name, glia_value x, const void *o) {
  return windowed(s, name, x, o, glia_avg_pool2d_opt);
}

typedef struct grid_opts {
  size_t size;
  int64_t grid[2];
} grid_opts;

static glia_value build_adaptive(glia_scope *s, const char *name, glia_value x, const void *o) {
  const gi_entered e = gi_enter(s, name);
  const grid_opts *g = o;
  return gi_leave(&e, glia_adaptive_avg_pool2d(x, g->grid[0], g->grid[1]));
}

static glia_value build_adaptive_max(glia_scope *s, const char *name, glia_value x,
                                     const void *o) {
  const gi_entered e = gi_enter(s, name);
  const grid_opts *g = o;
  return gi_leave(&e, glia_adaptive_max_pool2d(x, g->grid[0], g->grid[1]));
}

static glia_value build_global(glia_scope *s, const char *name, glia_value x, const void *o) {
  const gi_entered e = gi_enter(s, name);
  (void)o;
  return gi_leave(&e, glia_global_avg_pool2d(x));
}

#define WINDOW(field) offsetof(glia_window_opts, field)
static const gi_field window_fields[] = {
    {.name = "kernel",
     .kind = GI_FIELD_PAIR,
     .offset = WINDOW(kernel),
     .positional = true,
     .required = true,
     .min = 1,
     .max = 4096,
     .doc = "rows x columns"},
    {.name = "stride",
     .kind = GI_FIELD_PAIR,
     .offset = WINDOW(stride),
     .positional = true,
     .min = 1,
     .max = 4096,
     .dflt = "the kernel",
     .doc = "steps of the window"},
    {.name = "padding",
     .kind = GI_FIELD_PAIR,
     .offset = WINDOW(padding),
     .min = 0,
     .max = 2048,
     .dflt = "0",
     .doc = "on both sides, at most half the kernel"},
    {.name = "ceil_mode",
     .kind = GI_FIELD_BOOL,
     .offset = WINDOW(ceil_mode),
     .doc = "round the output size up"},
    {.name = "count_padding",
     .kind = GI_FIELD_BOOL,
     .offset = WINDOW(count_padding),
     .doc = "average over the whole window, padding too"},
    {.name = NULL},
};

static const gi_field grid_fields[] = {
    GI_FIELD(PAIR, grid_opts, grid, .positional = true, .required = true, .min = 1, .max = 4096,
             .doc = "rows x columns of cells"),
    {.name = NULL},
};

static const gi_layer max_pool2d = {.name = "max_pool2d",
                                    .doc = "largest element of each window",
                                    .nameless = true,
                                    .opts_size = sizeof(glia_window_opts),
                                    .fields = window_fields,
                                    .build = build_max};
static const gi_layer min_pool2d = {.name = "min_pool2d",
                                    .doc = "smallest element of each window",
                                    .nameless = true,
                                    .opts_size = sizeof(glia_window_opts),
                                    .fields = window_fields,
                                    .build = build_min};
static const gi_layer avg_pool2d = {.name = "avg_pool2d",
                                    .doc = "mean of each window",
                                    .nameless = true,
                                    .opts_size = sizeof(glia_window_opts),
                                    .fields = window_fields,
                                    .build = build_avg};
static const gi_layer adaptive_avg_pool2d = {.name = "adaptive_avg_pool2d",
                                             .doc = "mean of each cell of a fixed grid",
                                             .nameless = true,
                                             .opts_size = sizeof(grid_opts),
                                             .fields = grid_fields,
                                             .build = build_adaptive};
static const gi_layer adaptive_max_pool2d = {
    .name = "adaptive_max_pool2d",
    .doc = "largest element of each cell of a fixed grid",
    .nameless = true,
    .opts_size = sizeof(grid_opts),
    .fields = grid_fields,
    .build = build_adaptive_max};
static const gi_layer global_avg_pool2d = {
    .name = "global_avg_pool2d",
    .doc = "mean of each channel: [N, C, H, W] -> [N, C]",
    .nameless = true,
    .opts_size = sizeof(size_t),
    .build = build_global};

const gi_layer *const gi_layers_pool[] = {
    &max_pool2d,          &min_pool2d,        &avg_pool2d, &adaptive_avg_pool2d,
    &adaptive_max_pool2d, &global_avg_pool2d, NULL};
