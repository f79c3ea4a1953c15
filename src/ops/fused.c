/* fused.c - a group of elementwise ops as one op: its program runs for each element, so that
 * what lies between the ops never goes to memory. Made by compile/fuse.c.
 *
 * Meaning: y[k] = register out[k] of the program (fused.h) over inputs broadcast to the group's
 * shape. The lowering is the group again, op by op.
 */
#include "ops/fused.h"

static const gi_attr fields[] = {
    {"program", GI_ATTR_BLOB, offsetof(gi_fused_attr, program), "registers and code"},
    {NULL, GI_ATTR_I64, 0, NULL},
};

static glia_dtype register_dtype(const gi_program *p, const gi_type *in, int r) {
  return r < p->n_in ? in[r].dtype : p->code[r - p->n_in].dtype;
}

static glia_status infer(gi_infer *c) {
  const gi_program *p = gi_fused_program(c->attr);
  gi_type shape = c->in[0];
  if (p->n_in != c->n_in)
    return gi_fail(GLIA_INVALID, "fused: the program takes %d inputs, got %d", p->n_in,
                   c->n_in);
  for (int i = 1; i < c->n_in; i++) GI_TRY(gi_broadcast(&shape, &c->in[i], "fused", &shape));
  c->n_out = p->n_out;
  for (int k = 0; k < p->n_out; k++) {
    c->out[k] = shape;
    c->out[k].dtype = register_dtype(p, c->in, p->out[k]);
  }
  return GLIA_OK;
}

static glia_status lower(gi_lower *c) {
  const gi_program *p = gi_fused_program(c->attr);
  glia_value reg[GI_FUSED_IN + GI_FUSED_CODE];
  gi_type shape = gi_value_type(c->in[0]);
  for (int i = 0; i < c->n_in; i++) {
    const gi_type t = gi_value_type(c->in[i]);
    GI_TRY(gi_broadcast(&shape, &t, "fused", &shape));
    reg[i] = c->in[i];
  }
  for (int k = 0; k < p->n_code; k++) {
    const gi_micro *m = &p->code[k];
    glia_value src[3];
    for (int i = 0; m->op != NULL && i < m->op->min_in; i++) src[i] = reg[m->src[i]];
    reg[p->n_in + k] = m->op == NULL ? glia_scalar(c->g, m->dtype, m->value)
                                     : gi_emit(c->g, m->op, &m->attr, src, m->op->min_in, NULL);
  }
  for (int k = 0; k < p->n_out; k++)
    c->out[k] = glia_broadcast_to(reg[p->out[k]], shape.rank, shape.dim);
  return GLIA_OK;
}

/* Each register is rounded to its dtype, as the op's own kernel would. */
static double rounded(glia_dtype t, double v) {
  double space;
  gi_store(t, &space, 0, v);
  return gi_load(t, &space, 0);
}

static void run_program(const gi_program *p, double *reg) {
  for (int k = 0; k < p->n_code; k++) {
    const gi_micro *m = &p->code[k];
    double x[3] = {0};
    if (m->op == NULL) {
      reg[p->n_in + k] = rounded(m->dtype, m->value);
      continue;
    }
    for (int i = 0; i < m->op->min_in; i++) x[i] = reg[m->src[i]];
    reg[p->n_in + k] = rounded(m->dtype, m->op->scalar(x, &m->attr));
  }
}

static glia_status ref(gi_ref *c) {
  const gi_program *p = gi_fused_program(c->attr);
  const gi_type *shape = &c->out[0].t;
  int64_t strides[GI_FUSED_IN][GLIA_MAX_RANK], at[GLIA_MAX_RANK] = {0};
  double reg[GI_FUSED_IN + GI_FUSED_CODE];
  for (int i = 0; i < p->n_in; i++) gi_broadcast_strides(&c->in[i].t, shape, strides[i]);
  const int64_t count = gi_type_count(shape);
  for (int64_t e = 0; e < count; e++) {
    for (int i = 0; i < p->n_in; i++) {
      int64_t offset = 0;
      for (int d = 0; d < shape->rank; d++) offset += at[d] * strides[i][d];
      reg[i] = gi_load(c->in[i].t.dtype, c->in[i].p, offset);
    }
    run_program(p, reg);
    for (int k = 0; k < p->n_out; k++)
      gi_store(c->out[k].t.dtype, c->out[k].p, e, reg[p->out[k]]);
    for (int d = shape->rank - 1; d >= 0 && ++at[d] == shape->dim[d]; d--) at[d] = 0;
  }
  return GLIA_OK;
}

static gi_cost cost(const gi_infer *c) {
  const gi_program *p = gi_fused_program(c->attr);
  gi_cost k = {0, 0};
  for (int i = 0; i < c->n_in; i++) k.bytes += (double)gi_type_bytes(&c->in[i]);
  for (int i = 0; i < c->n_out; i++) k.bytes += (double)gi_type_bytes(&c->out[i]);
  k.flops = (double)gi_type_count(&c->out[0]) * p->n_code;
  return k;
}

const gi_op gi_op_fused = {
    .name = "fused",
    .doc = "a group of elementwise ops, run element by element",
    .min_in = 1,
    .max_in = GI_FUSED_IN,
    .n_out = 1,
    .flags = GI_IN_PLACE,
    .attr_size = sizeof(gi_fused_attr),
    .attrs = fields,
    .infer = infer,
    .lower = lower,
    .ref = ref,
    .cost = cost,
};

const gi_op *const gi_ops_fused[] = {&gi_op_fused, NULL};
