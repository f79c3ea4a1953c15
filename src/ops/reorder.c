/* reorder.c - the same value: in another layout, or under another name. The meaning of both ops
 * is the identity, and only the compiler puts them in; reorder stands only in plans of backends
 * with layouts (compile/layout.c).
 */
#include "ops/attrs.h"

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
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_reorder_attr),
    .attrs = fields,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

/* ---- again: the same value under another name ------------------------------------------- */

/* What is computed from it is no common subexpression with what is computed from the value
 * itself; put in where a value is computed a second time to save memory
 * (compile/recompute.c). */
static const gi_attr fields_again[] = {
    {"number", GI_ATTR_I64, offsetof(gi_again_attr, number), "which computation it belongs to"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

static gi_cost cost_again(const gi_infer *c) {
  (void)c;
  return (gi_cost){0, 0};
}

static const gi_again_attr first = {1};
static const gi_sample samples_again[] = {
    {&first, 1, {{.rank = 2, .dim = {3, 4}, .low = -2, .high = 2}}, GLIA_OK},
};

const gi_op gi_op_again = {
    .name = "again",
    .doc = "the same value, for a second computation",
    .torch = "x0",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .precision = GI_TAKES_ANY,
    .attr_size = sizeof(gi_again_attr),
    .attrs = fields_again,
    .flags = GI_VIEW,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost_again,
    .samples = samples_again,
    .n_samples = GI_COUNT(samples_again),
};

const gi_op *const gi_ops_reorder[] = {&gi_op_reorder, &gi_op_again, NULL};
