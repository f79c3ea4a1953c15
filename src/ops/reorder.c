/* reorder.c - the same value in another layout. Its meaning is the identity; only plans of
 * backends with layouts hold it, put there by compile/layout.c.
 */
#include "graph/graph.h"

static const gi_attr fields[] = {
    {"from", GI_ATTR_I64, offsetof(gi_reorder_attr, from), "layout taken"},
    {"to", GI_ATTR_I64, offsetof(gi_reorder_attr, to), "layout given"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

static glia_status infer(gi_infer *c) {
  c->out[0] = c->in[0];
  return GLIA_OK;
}

static glia_status vjp(gi_vjp *c) {
  c->din[0] = c->dout[0];
  return GLIA_OK;
}

/* Logical order on both sides: a copy. */
static glia_status ref(gi_ref *c) {
  memcpy(c->out[0].p, c->in[0].p, gi_type_bytes(&c->in[0].t));
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) {
  return (gi_cost){0, 2.0 * (double)gi_type_bytes(&c->in[0])};
}

static const gi_reorder_attr last = {GI_PLAIN, GI_CHANNELS_LAST};
static const gi_sample samples[] = {
    {&last, 1, {{.rank = 4, .dim = {2, 3, 4, 5}, .low = -2, .high = 2}}, GLIA_OK},
};

const gi_op gi_op_reorder = {
    .name = "reorder",
    .doc = "the same value in another layout",
    .torch = "x0",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_size = sizeof(gi_reorder_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_reorder[] = {&gi_op_reorder, NULL};
