/* embedding.c - rows of a learned matrix by index, one by one or brought together by bags;
 * PyTorch's Embedding and EmbeddingBag.
 */
#include "glia/layers.h"
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

typedef struct matrix { /* what both layers have */
  const char *who;
  int64_t rows, width;
  const glia_lookup_opts *look;
} matrix;

/* bag NULL: rows one by one. */
static glia_value build(glia_scope *s, glia_value index, const matrix *m,
                        const glia_bag_opts *bag) {
  if (m->rows < 1 || m->width < 1)
    return gi_latch(s->graph, GLIA_INVALID, "%s: rows is %lld, width is %lld, wanted 1 or more",
                    m->who, (long long)m->rows, (long long)m->width);
  const bool fresh = is_new(s);
  const int64_t shape[] = {m->rows, m->width};
  const glia_value weight = glia_parameter(
      s, "weight", 2, shape, (glia_init){.kind = GLIA_INIT_NORMAL, .a = 0, .b = 1});
  const glia_value y = bag != NULL ? glia_embedding_bag_with(weight, index, bag)
                                   : glia_embedding_with(weight, index, m->look);
  const int64_t padding = m->look->padding;
  if (fresh && m->look->padded && !gi_null(y))
    clear_row(s, padding < 0 ? padding + m->rows : padding, m->width);
  return y;
}

glia_value glia_embedding_opt(glia_scope *s, const char *name, glia_value index,
                              const glia_embedding_opts *opt) {
  glia_embedding_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(index)) return gi_leave(&e, GLIA_NONE);
  const glia_lookup_opts look = {.size = sizeof look,
                                 .padded = o.padded,
                                 .padding = o.padding,
                                 .max_norm = o.max_norm,
                                 .norm = o.norm,
                                 .by_frequency = o.by_frequency,
                                 .sparse = o.sparse};
  const matrix m = {"embedding", o.rows, o.width, &look};
  return gi_leave(&e, build(e.scope, index, &m, NULL));
}

glia_value glia_embedding_bag_opt(glia_scope *s, const char *name, glia_value index,
                                  const glia_embedding_bag_opts *opt) {
  glia_embedding_bag_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(index)) return gi_leave(&e, GLIA_NONE);
  const glia_bag_opts bag = {.size = sizeof bag,
                             .mode = o.mode,
                             .offsets = o.offsets,
                             .last_offset = o.last_offset,
                             .weights = o.weights,
                             .lookup = {.size = sizeof bag.lookup,
                                        .padded = o.padded,
                                        .padding = o.padding,
                                        .max_norm = o.max_norm,
                                        .norm = o.norm,
                                        .by_frequency = o.by_frequency,
                                        .sparse = o.sparse}};
  const matrix m = {"embedding_bag", o.rows, o.width, &bag.lookup};
  return gi_leave(&e, build(e.scope, index, &m, &bag));
}

static glia_value build_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_embedding_opt(s, name, x, opts);
}

static glia_value build_bag_row(glia_scope *s, const char *name, glia_value x,
                                const void *opts) {
  return glia_embedding_bag_opt(s, name, x, opts);
}

#define COMMON(type)                                                                         \
  GI_FIELD(I64, type, rows, .positional = true, .required = true, .min = 1, .max = 1e9,      \
           .doc = "that an index may name"),                                                 \
      GI_FIELD(I64, type, width, .positional = true, .required = true, .min = 1, .max = 1e9, \
               .doc = "of a row"),                                                           \
      GI_FIELD(F64, type, max_norm, .min = 0, .max = 1e30,                                   \
               .doc = "rows that are longer are taken as scaled down"),                      \
      GI_FIELD(F64, type, norm, .min = 0, .max = 1e30, .dflt = "2", .doc = "which length"),  \
      GI_FIELD(BOOL, type, by_frequency,                                                     \
               .doc = "gradients are divided by how often a row is named"),                  \
      GI_FIELD(BOOL, type, sparse,                                                           \
               .doc = "an update changes only the rows that a batch names, and their state")
static const gi_field fields[] = {COMMON(glia_embedding_opts), {.name = NULL}};

static const char *const modes[] = {"mean", "sum", "max", NULL};
static const gi_field bag_fields[] = {
    COMMON(glia_embedding_bag_opts),
    GI_FIELD(CHOICE, glia_embedding_bag_opts, mode, .dflt = "mean",
             .doc = "how the rows of a bag become one", .choices = modes),
    {.name = NULL},
};
#undef COMMON

static const gi_layer embedding = {
    .name = "embedding",
    .doc = "rows of a learned matrix by index",
    .opts_size = sizeof(glia_embedding_opts),
    .fields = fields,
    .build = build_row,
};

static const gi_layer embedding_bag = {
    .name = "embedding_bag",
    .doc = "rows of a learned matrix by index, those of a bag as one: [B, n] -> [B, width]",
    .opts_size = sizeof(glia_embedding_bag_opts),
    .fields = bag_fields,
    .build = build_bag_row,
};

const gi_layer *const gi_layers_embedding[] = {&embedding, &embedding_bag, NULL};
