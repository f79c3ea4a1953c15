/* embedding.c - rows of a learned matrix by index; PyTorch's Embedding. */
#include "nn/layer.h"

static bool is_new(glia_scope *s) {
  const char *name = gi_scoped(s, "weight");
  return name != NULL && gi_store_find(s->store, name) == NULL;
}

/* The padding's row begins as zeros. */
static void clear_row(const glia_scope *s, int64_t row, int64_t width) {
  const char *name = gi_scoped(s, "weight");
  const gi_entry *e = name != NULL ? gi_store_find(s->store, name) : NULL;
  if (e == NULL) return;
  for (int64_t i = 0; i < width; i++) glia_tensor_set(e->tensor, row * width + i, 0);
}

static glia_value build(glia_scope *s, glia_value index, const glia_embedding_opts *o) {
  if (o->rows < 1 || o->width < 1)
    return gi_latch(s->graph, GLIA_INVALID,
                    "embedding: rows is %lld, width is %lld, wanted 1 or more",
                    (long long)o->rows, (long long)o->width);
  const bool fresh = is_new(s);
  const int64_t shape[] = {o->rows, o->width};
  const glia_value weight = glia_parameter(
      s, "weight", 2, shape, (glia_init){.kind = GLIA_INIT_NORMAL, .a = 0, .b = 1});
  const glia_lookup_opts look = {.size = sizeof look,
                                 .padded = o->padded,
                                 .padding = o->padding,
                                 .max_norm = o->max_norm,
                                 .norm = o->norm,
                                 .by_frequency = o->by_frequency,
                                 .sparse = o->sparse};
  const glia_value y = glia_embedding_with(weight, index, &look);
  if (fresh && o->padded && !gi_null(y))
    clear_row(s, o->padding < 0 ? o->padding + o->rows : o->padding, o->width);
  return y;
}

glia_value glia_embedding_opt(glia_scope *s, const char *name, glia_value index,
                              const glia_embedding_opts *opt) {
  glia_embedding_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(index)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build(e.scope, index, &o));
}

static glia_value build_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_embedding_opt(s, name, x, opts);
}

static const gi_field fields[] = {
    GI_FIELD(I64, glia_embedding_opts, rows, .positional = true, .required = true, .min = 1,
             .max = 1e9, .doc = "that an index may name"),
    GI_FIELD(I64, glia_embedding_opts, width, .positional = true, .required = true, .min = 1,
             .max = 1e9, .doc = "of a row"),
    GI_FIELD(F64, glia_embedding_opts, max_norm, .min = 0, .max = 1e30,
             .doc = "rows that are longer are taken as scaled down"),
    GI_FIELD(F64, glia_embedding_opts, norm, .min = 0, .max = 1e30, .dflt = "2",
             .doc = "which length"),
    GI_FIELD(BOOL, glia_embedding_opts, by_frequency,
             .doc = "gradients are divided by how often a row is named"),
    GI_FIELD(BOOL, glia_embedding_opts, sparse,
             .doc = "an update changes only the rows that a batch names, and their state"),
    {.name = NULL},
};

static const gi_layer embedding = {
    .name = "embedding",
    .doc = "rows of a learned matrix by index",
    .opts_size = sizeof(glia_embedding_opts),
    .fields = fields,
    .build = build_row,
};

const gi_layer *const gi_layers_embedding[] = {&embedding, NULL};
