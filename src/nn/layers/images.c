/* images.c - layers that change the size of images or look across their channels, for .net
 * files; in C they are the functions of glia/graph.h. And prelu, whose slope is learned.
 */
#include "nn/layer.h"

/* ---- upsample, pixel_shuffle ------------------------------------------------------------- */

typedef struct upsample_opts {
  size_t size;
  double factor;
  int mode;
} upsample_opts;
typedef struct shuffle_opts {
  size_t size;
  int64_t factor;
} shuffle_opts;

static const char *const modes[] = {"nearest", "linear", "cubic", "area", NULL};

static glia_value build_upsample(glia_scope *s, const char *name, glia_value x, const void *o) {
  const gi_entered e = gi_enter(s, name);
  const upsample_opts *opts = o;
  glia_resize_opts r = {.size = sizeof r, .mode = (glia_resize_mode)opts->mode};
  for (int d = 0; d < GLIA_MAX_RANK; d++) r.scale[d] = opts->factor;
  return gi_leave(&e, glia_resize_opt(x, &r));
}
static glia_value build_shuffle(glia_scope *s, const char *name, glia_value x, const void *o) {
  const gi_entered e = gi_enter(s, name);
  return gi_leave(&e, glia_pixel_shuffle(x, ((const shuffle_opts *)o)->factor));
}

static const gi_field upsample_fields[] = {
    GI_FIELD(F64, upsample_opts, factor, .positional = true, .required = true, .min = 1e-3,
             .max = 1e3, .doc = "so many times as large along each axis"),
    GI_FIELD(CHOICE, upsample_opts, mode, .dflt = "nearest", .doc = "how it lies between",
             .choices = modes),
    {.name = NULL},
};
static const gi_field shuffle_fields[] = {
    GI_FIELD(I64, shuffle_opts, factor, .positional = true, .required = true, .min = 1,
             .max = 1e3, .doc = "so many times as large, out of its square as many channels"),
    {.name = NULL},
};

/* ---- local_response_norm ----------------------------------------------------------------- */

typedef struct response_opts {
  size_t size;
  int64_t width;
  double alpha, beta, k;
} response_opts;

static glia_value build_response(glia_scope *s, const char *name, glia_value x, const void *o) {
  const gi_entered e = gi_enter(s, name);
  const response_opts *r = o;
  return gi_leave(
      &e, glia_local_response_norm(x, r->width, r->alpha != 0 ? r->alpha : 1e-4,
                                   r->beta != 0 ? r->beta : 0.75, r->k != 0 ? r->k : 1));
}

static const gi_field response_fields[] = {
    GI_FIELD(I64, response_opts, width, .positional = true, .required = true, .min = 1,
             .max = 1e6, .doc = "channels that are looked at"),
    GI_FIELD(F64, response_opts, alpha, .min = 0, .max = 1e6, .dflt = "1e-4",
             .doc = "of their mean square"),
    GI_FIELD(F64, response_opts, beta, .min = 0, .max = 1e3, .dflt = "0.75",
             .doc = "power of the divisor"),
    GI_FIELD(F64, response_opts, k, .min = 0, .max = 1e6, .dflt = "1", .doc = "added to it"),
    {.name = NULL},
};

/* ---- prelu ------------------------------------------------------------------------------- */

typedef struct prelu_opts {
  size_t size;
  bool by_channel;
} prelu_opts;

static glia_value build_prelu(glia_scope *s, const char *name, glia_value x, const void *o) {
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  const bool each = ((const prelu_opts *)o)->by_channel && glia_value_rank(x) > 1;
  const int64_t n = each ? glia_value_dim(x, 1) : 1;
  const glia_init quarter = {.kind = GLIA_INIT_CONSTANT, .a = 0.25}; /* PyTorch's */
  return gi_leave(&e, glia_prelu(x, glia_parameter(e.scope, "weight", 1, &n, quarter)));
}

static const gi_field prelu_fields[] = {
    GI_FIELD(BOOL, prelu_opts, by_channel, .doc = "a slope for each channel"),
    {.name = NULL},
};

static const gi_layer upsample = {.name = "upsample",
                                  .doc = "makes series, images or volumes larger",
                                  .nameless = true,
                                  .opts_size = sizeof(upsample_opts),
                                  .fields = upsample_fields,
                                  .build = build_upsample};
static const gi_layer pixel_shuffle = {.name = "pixel_shuffle",
                                       .doc = "channels become pixels of a larger image",
                                       .nameless = true,
                                       .opts_size = sizeof(shuffle_opts),
                                       .fields = shuffle_fields,
                                       .build = build_shuffle};
static const gi_layer response = {.name = "local_response_norm",
                                  .doc = "normalisation by the channels around each",
                                  .nameless = true,
                                  .opts_size = sizeof(response_opts),
                                  .fields = response_fields,
                                  .build = build_response};
static const gi_layer prelu = {.name = "prelu",
                               .doc = "x > 0 ? x : weight x, with a weight that is learned",
                               .opts_size = sizeof(prelu_opts),
                               .fields = prelu_fields,
                               .build = build_prelu};

const gi_layer *const gi_layers_images[] = {&upsample, &pixel_shuffle, &response, &prelu, NULL};
