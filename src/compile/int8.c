/* int8.c - inference in 8-bit whole numbers: products whose scale is known are written with
 * quantised operands.
 *
 * Calibration (train/run_int8.c) keeps with a model how large the first operand of each product
 * is: the variable "<layer>.input_scale". Where it is there, and the second operand is the same
 * in every run, the op's 8-bit form (gi_op.int8) takes its place. Weights are quantised when
 * the plan is made, activations in front of each product; what products give is f32.
 *
 * It runs behind fold_affine, so that a batch norm is in the weights before they are quantised.
 * Each filter has a scale of its own, so a factor for each filter changes the scales and not
 * the whole numbers: weights of a file that are multiples of a scale already lose nothing
 * again.
 */
#include "compile/offers.h"

static const char SCALE[] = "%s.input_scale";

typedef struct quantizer {
  gi_rewrite r;
  bool *fixed; /* by value */
} quantizer;

/* The scale of the node's first operand; null if none is known. */
static glia_value scale_of(glia_graph *g, const gi_node *n) {
  char name[512];
  const int length = snprintf(name, sizeof name, SCALE, n->path);
  if (g->store == NULL || length < 0 || (size_t)length >= sizeof name) return GLIA_NONE;
  const gi_entry *e = gi_store_find(g->store, name);
  if (e == NULL || glia_tensor_count(e->tensor) != 1) return GLIA_NONE;
  return gi_variable(g, name);
}

static glia_value in_int8(quantizer *q, const gi_node *n) {
  glia_value in[3];
  if (n->op->int8 == NULL || n->n_in < 2 || n->n_in > 3 || !q->fixed[n->in[1]])
    return GLIA_NONE;
  for (int i = 0; i < n->n_in; i++) {
    in[i] = q->r.map[n->in[i]];
    if (glia_value_dtype(in[i]) != GLIA_F32) return GLIA_NONE;
  }
  const glia_value scale = scale_of(q->r.to, n);
  return gi_null(scale) ? scale : n->op->int8(n->attr, in, n->n_in, scale);
}

static glia_status rewrite(quantizer *q, uint32_t k) {
  const gi_node *n = q->r.from->nodes.at[k];
  const char *path = gi_arena_strdup(&q->r.to->arena, n->path);
  if (path == NULL) return gi_fail_nomem(1);
  const char *before = gi_set_path(q->r.to, path);
  const glia_value v = in_int8(q, n);
  gi_set_path(q->r.to, before);
  GI_TRY(glia_graph_status(q->r.to));
  if (gi_null(v)) return gi_rewrite_copy(&q->r, k);
  gi_rewrite_set(&q->r, k, &v);
  return GLIA_OK;
}

static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  quantizer q = {.fixed = NULL};
  if (!target->fixed) return gi_rewrite_live(from, to, target);
  glia_status s = gi_rewrite_begin(&q.r, from, to, target);
  q.fixed = gi_alloc(from->values.n + 1);
  if (s == GLIA_OK && q.fixed == NULL) s = gi_fail_nomem(from->values.n);
  if (s == GLIA_OK) gi_mark_fixed(from, true, q.fixed);
  for (uint32_t k = 0; s == GLIA_OK && k < from->nodes.n; k++)
    if (q.r.live[k]) s = rewrite(&q, k);
  gi_free(q.fixed);
  return gi_rewrite_end(&q.r, s);
}

const gi_pass gi_pass_int8 = {
    .name = "int8",
    .doc = "products of calibrated models on 8-bit whole numbers, for inference",
    .run = run,
};
