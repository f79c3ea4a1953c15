/* again.c - the same value under another name: what is computed from it is no common
 * subexpression with what is computed from the value itself. The compiler puts it in where a
 * value is computed a second time to save memory (compile/recompute.c).
 */
#include "ops/attrs.h"

static const gi_attr fields[] = {
    {"number", GI_ATTR_I64, offsetof(gi_again_attr, number), "which computation it belongs to"},
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

static glia_status ref(gi_ref *c) {
  memcpy(c->out[0].p, c->in[0].p, gi_type_bytes(&c->in[0].t));
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) {
  (void)c;
  return (gi_cost){0, 0};
}

static const gi_again_attr first = {1};
static const gi_sample samples[] = {
    {&first, 1, {{.rank = 2, .dim = {3, 4}, .low = -2, .high = 2}}, GLIA_OK},
};

const gi_op gi_op_again = {
    .name = "again",
    .doc = "the same value, for a second computation",
    .torch = "x0",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .attr_size = sizeof(gi_again_attr),
    .attrs = fields,
    .flags = GI_VIEW,
    .infer = infer,
    .vjp = vjp,
    .ref = ref,
    .cost = cost,
    .samples = samples,
    .n_samples = GI_COUNT(samples),
};

const gi_op *const gi_ops_again[] = {&gi_op_again, NULL};
