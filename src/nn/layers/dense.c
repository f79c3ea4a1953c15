/* dense.c - y = act(x W^T + b): x [..., K], W [units, K], b [units]. */
#include "nn/layer.h"
#include "nn/linear.h"

enum { NAME_LIMIT = 256 };

/* The stored weight of a network that saw other inputs: said in the user's words. */
static bool inputs_fit(glia_scope *s, glia_value x, int64_t inputs) {
  char origin[NAME_LIMIT];
  const char *name = gi_scoped(s, "weight");
  const gi_entry *e = name != NULL ? gi_store_find(s->store, name) : NULL;
  if (e == NULL || glia_tensor_rank(e->tensor) != 2) return true;
  const int64_t expected = glia_tensor_shape(e->tensor)[1];
  if (expected == inputs) return true;
  gi_latch(s->graph, GLIA_MODEL, "expects %lld inputs, got %lld from %s", (long long)expected,
           (long long)inputs, gi_origin(x, origin, sizeof origin));
  return false;
}

static glia_value build(glia_scope *s, glia_value x, const glia_dense_opts *o) {
  if (o->units < 1)
    return gi_latch(s->graph, GLIA_INVALID, "dense: units is %lld, wanted 1 or more",
                    (long long)o->units);
  if (glia_value_rank(x) < 2)
    return gi_latch(s->graph, GLIA_SHAPE, "dense: x has rank %d, wanted [N, inputs]",
                    glia_value_rank(x));
  const int64_t inputs = glia_value_dim(x, -1), shape[] = {o->units, inputs};
  if (!inputs_fit(s, x, inputs)) return GLIA_NONE;
  const glia_value w = glia_parameter(s, "weight", 2, shape, (glia_init){.kind = o->init});
  const glia_value b = o->no_bias
                           ? GLIA_NONE
                           : glia_parameter(s, "bias", 1, shape, (glia_init){.fan_in = inputs});
  if (s->graph->status != GLIA_OK) return GLIA_NONE;
  const glia_value y = gi_linear(gi_as_rows(x), w, b);
  return gi_as_before(glia_activation(y, o->activation), x);
}

glia_value glia_dense_opt(glia_scope *s, const char *name, glia_value x,
                          const glia_dense_opts *opt) {
  glia_dense_opts o;
  gi_opts(&o, sizeof o, opt);
  const gi_entered e = gi_enter(s, name);
  if (e.scope == NULL || gi_null(x)) return gi_leave(&e, GLIA_NONE);
  return gi_leave(&e, build(e.scope, x, &o));
}

static glia_value build_row(glia_scope *s, const char *name, glia_value x, const void *opts) {
  return glia_dense_opt(s, name, x, opts);
}

static const gi_field fields[] = {
    GI_FIELD(I64, glia_dense_opts, units, .positional = true, .required = true, .min = 1,
             .max = 1e9, .doc = "outputs"),
    GI_FIELD(NAME, glia_dense_opts, activation, .positional = true, .dflt = "linear",
             .doc = "what follows", .choices = gi_activation_names),
    GI_FIELD(BOOL, glia_dense_opts, no_bias, .doc = "leave the bias out"),
    GI_FIELD(CHOICE, glia_dense_opts, init, .dflt = "default", .doc = "initial weights",
             .choices = gi_init_names),
    {.name = NULL},
};

static const gi_layer dense = {
    .name = "dense",
    .doc = "y = act(x W^T + b)",
    .opts_size = sizeof(glia_dense_opts),
    .fields = fields,
    .build = build_row,
};

const gi_layer *const gi_layers_dense[] = {&dense, NULL};
