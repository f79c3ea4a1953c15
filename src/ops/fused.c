/* fused.c - a group of elementwise ops, and of reductions that it ends in, as one op: its
 * program runs for each element, so that what lies between the ops never goes to memory. Made
 * by compile/fuse.c.
 *
 * Meaning: y[k] = register out[k] of the program (fused.h) over inputs broadcast to the group's
 * shape, folded over the program's axes where the output says so. The lowering is the group
 * again, op by op.
 */
#include "ops/attrs.h"
#include "ops/ref.h"

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
    gi_type t = shape;
    t.dtype = register_dtype(p, c->in, p->out[k].reg);
    c->out[k] = t;
    if (p->out[k].fold == NULL) continue;
    const gi_reduce_attr a = {.axes = p->axes, .keep = p->out[k].keep};
    gi_infer one = {1, &t, &a, 1, &c->out[k]};
    GI_TRY(p->out[k].fold->infer(&one));
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
    for (int i = 0; m->op != NULL && i < m->op->min_in; i++) {
      src[i] = reg[m->src[i]];
      if (m->op->flags & GI_RANDOM) /* each element has a number of its own */
        src[i] = glia_broadcast_to(src[i], shape.rank, shape.dim);
    }
    reg[p->n_in + k] = m->op == NULL ? glia_scalar(c->g, m->dtype, m->value)
                                     : gi_emit(c->g, m->op, &m->attr, src, m->op->min_in, NULL);
  }
  for (int k = 0; k < p->n_out; k++) {
    const gi_reduce_attr a = {.axes = p->axes, .keep = p->out[k].keep};
    const glia_value v = glia_broadcast_to(reg[p->out[k].reg], shape.rank, shape.dim);
    c->out[k] = p->out[k].fold == NULL ? v : gi_emit1(p->out[k].fold, &a, v);
  }
  return GLIA_OK;
}

/* ---- reference --------------------------------------------------------------------------- */

/* Each register is rounded to its dtype, as the op's own kernel would. */
static double rounded(glia_dtype t, double v) {
  double space;
  gi_store(t, &space, 0, v);
  return gi_load(t, &space, 0);
}

static void run_program(const gi_program *p, const gi_clock *clock, int64_t e, double *reg) {
  for (int k = 0; k < p->n_code; k++) {
    const gi_micro *m = &p->code[k];
    double x[4] = {0};
    if (m->op == NULL) {
      reg[p->n_in + k] = rounded(m->dtype, m->value);
      continue;
    }
    for (int i = 0; i < m->op->min_in; i++) x[i] = reg[m->src[i]];
    if (m->op->flags & GI_RANDOM) {
      const gi_rng r = {.seed = clock->seed, .stream = m->attr.stream, .step = clock->step};
      x[m->op->min_in] = gi_rng_uniform(&r, (uint64_t)e);
    }
    reg[p->n_in + k] = rounded(m->dtype, m->op->scalar(x, &m->attr));
  }
}

/* Registers that are folded are written out first, and folded by the reduction's own
 * reference. */
typedef struct outputs {
  int n;
  gi_buf at[GI_FUSED_OUT];
  void *owned[GI_FUSED_OUT];
} outputs;

static glia_status open_outputs(const gi_ref *c, const gi_type *shape, outputs *o) {
  const gi_program *p = gi_fused_program(c->attr);
  o->n = p->n_out;
  for (int k = 0; k < o->n; k++) {
    o->at[k] = c->out[k];
    if (p->out[k].fold == NULL) continue;
    o->at[k].t = *shape;
    o->at[k].t.dtype = c->out[k].t.dtype;
    o->at[k].p = o->owned[k] = gi_alloc(gi_type_bytes(&o->at[k].t) + 1);
    if (o->owned[k] == NULL) return gi_fail_nomem(gi_type_bytes(&o->at[k].t));
  }
  return GLIA_OK;
}

static glia_status fold_outputs(const gi_ref *c, const outputs *o) {
  const gi_program *p = gi_fused_program(c->attr);
  for (int k = 0; k < o->n; k++) {
    const gi_reduce_attr a = {.axes = p->axes, .keep = p->out[k].keep};
    gi_buf to = c->out[k];
    gi_ref one = {1, 1, &o->at[k], &to, &a, c->clock};
    if (p->out[k].fold != NULL) GI_TRY(p->out[k].fold->ref(&one));
  }
  return GLIA_OK;
}

static void run_all(gi_ref *c, const gi_type *shape, outputs *o) {
  const gi_program *p = gi_fused_program(c->attr);
  int64_t strides[GI_FUSED_IN][GLIA_MAX_RANK], at[GLIA_MAX_RANK] = {0};
  double reg[GI_FUSED_IN + GI_FUSED_CODE];
  for (int i = 0; i < p->n_in; i++) gi_broadcast_strides(&c->in[i].t, shape, strides[i]);
  const int64_t count = gi_type_count(shape);
  for (int64_t e = 0; e < count; e++, gi_next(shape, at)) {
    for (int i = 0; i < p->n_in; i++)
      reg[i] = gi_get(&c->in[i], gi_offset(shape->rank, at, strides[i]));
    run_program(p, c->clock, e, reg);
    for (int k = 0; k < o->n; k++) gi_put(&o->at[k], e, reg[p->out[k].reg]);
  }
}

static glia_status ref(gi_ref *c) {
  outputs o = {0};
  gi_type shape = c->in[0].t;
  for (int i = 1; i < c->n_in; i++) GI_TRY(gi_broadcast(&shape, &c->in[i].t, "fused", &shape));
  glia_status s = open_outputs(c, &shape, &o);
  if (s == GLIA_OK) {
    run_all(c, &shape, &o);
    s = fold_outputs(c, &o);
  }
  for (int k = 0; k < GI_FUSED_OUT; k++) gi_free(o.owned[k]);
  return s;
}

static gi_cost cost(const gi_infer *c) {
  const gi_program *p = gi_fused_program(c->attr);
  gi_cost k = gi_default_cost(c);
  gi_type shape = c->in[0];
  for (int i = 1; i < c->n_in; i++)
    if (gi_broadcast(&shape, &c->in[i], "fused", &shape) != GLIA_OK) return k;
  k.flops = (double)gi_type_count(&shape) * p->n_code;
  for (int i = 0; i < p->n_out; i++)
    k.flops += p->out[i].fold != NULL ? (double)gi_type_count(&shape) : 0;
  return k;
}

bool gi_is_random(const gi_node *n) {
  if (n->op != &gi_op_fused) return (n->op->flags & GI_RANDOM) != 0;
  const gi_program *p = gi_fused_program(n->attr);
  for (int k = 0; k < p->n_code; k++)
    if (p->code[k].op != NULL && p->code[k].op->flags & GI_RANDOM) return true;
  return false;
}

const gi_op gi_op_fused = {
    .name = "fused",
    .doc = "a group of elementwise ops, run element by element, and reductions of the results",
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
