/* fuse_norm.c - batch norm and the relu behind it, with what is added between them (residual
 * networks), become one op, forward and backward.
 *
 *   r = relu(norm(x) [+ z])                   batch_norm_act(x [, z])           -> r [, signs]
 *   d = where(r > 0, dr, 0)
 *   dx, ... = batch_norm_grad(x, d)           batch_norm_act_grad(x, dr [, signs]) -> dx [, d]
 *
 * One pass over memory is spared forward and one or two backward, and r is not read for the
 * gradient: without z the sign of norm(x) is computed again from x, with z one bit an element
 * is kept. Where the backward part is not of this form (pooling: see shrink.c), the forward
 * part is fused all the same.
 *
 * The parts of a pattern are far apart, and what they need may be made between them: z after
 * norm(x), say, which the mean and the variance follow at once. So nodes are made when somebody
 * wants them, and a pattern as soon as somebody wants a part of it.
 */
#include "compile/compile.h"
#include "ops/attrs.h"

typedef enum part { FREE, FORWARD, BACKWARD } part;

typedef struct pattern {
  uint32_t norm, relu;  /* nodes */
  uint32_t z;           /* value; GI_NO_VALUE: nothing is added */
  uint32_t where, grad; /* nodes; where is GI_NO_VALUE if only the forward part is there */
  bool made[3];         /* by part */
} pattern;

typedef struct fuser {
  gi_rewrite r;
  GI_VEC(pattern) patterns;
  part *part; /* by node: of which part it is */
  int *of;    /* by node: and of which pattern */
  uint32_t *seen, stamp;
  GI_VEC(uint32_t) stack;
} fuser;

static const gi_node *node(const fuser *f, uint32_t k) { return f->r.from->nodes.at[k]; }
static uint32_t maker(const fuser *f, uint32_t v) { return f->r.from->values.at[v]->node; }
static bool same_type(const fuser *f, uint32_t a, uint32_t b) {
  return gi_type_equal(&f->r.from->values.at[a]->type, &f->r.from->values.at[b]->type);
}
static bool is_zero(const fuser *f, uint32_t v) {
  double c;
  const glia_value value = {(glia_graph *)(uintptr_t)f->r.from, v}; /* is only read */
  return gi_constant_scalar(value, &c) && c == 0;
}

/* ---- finding ----------------------------------------------------------------------------- */

/* Does value v need node `on`? True too if there is no memory to find out. */
static bool needs(fuser *f, uint32_t v, uint32_t on) {
  f->stamp++;
  f->stack.n = 0;
  if (!gi_vec_push(&f->stack, maker(f, v))) return true;
  while (f->stack.n > 0) {
    const uint32_t k = f->stack.at[--f->stack.n];
    if (k == on) return true;
    if (k < on || f->seen[k] == f->stamp) continue; /* nodes only read earlier ones */
    f->seen[k] = f->stamp;
    for (int i = 0; i < node(f, k)->n_in; i++)
      if (!gi_vec_push(&f->stack, maker(f, node(f, k)->in[i]))) return true;
  }
  return false;
}

/* The batch norm whose y is v, if nothing else uses v. */
static bool normal(const fuser *f, uint32_t v, uint32_t *norm) {
  *norm = maker(f, v);
  const gi_node *n = node(f, *norm);
  return n->op == &gi_op_batch_norm_train && n->out == v && f->r.uses[v] == 1 &&
         f->part[*norm] == FREE && f->r.from->values.at[n->in[0]]->type.rank < GLIA_MAX_RANK;
}

/* relu(norm) or relu(norm + z), in either order. */
static bool find_forward(fuser *f, uint32_t relu, pattern *p) {
  const uint32_t v = node(f, relu)->in[0];
  *p = (pattern){.relu = relu, .z = GI_NO_VALUE, .where = GI_NO_VALUE};
  if (normal(f, v, &p->norm)) return true;
  const gi_node *add = node(f, maker(f, v));
  if (add->op != &gi_op_add || f->r.uses[v] != 1) return false;
  for (int side = 0; side < 2; side++) {
    p->z = add->in[1 - side];
    if (same_type(f, v, add->in[side]) && same_type(f, v, p->z) &&
        normal(f, add->in[side], &p->norm) && !needs(f, p->z, p->norm))
      return true;
  }
  return false;
}

/* where(r > 0, dr, 0) */
static bool is_mask(const fuser *f, const gi_node *n, uint32_t r) {
  if (n->op != &gi_op_where || !is_zero(f, n->in[2])) return false;
  const gi_node *more = node(f, maker(f, n->in[0]));
  return more->op == &gi_op_greater && more->in[0] == r && is_zero(f, more->in[1]) &&
         same_type(f, n->in[1], r);
}

/* batch_norm_grad of the pattern's norm and of value d. */
static bool is_gradient(const fuser *f, const gi_node *n, const pattern *p, uint32_t d) {
  const gi_node *norm = node(f, p->norm);
  return n->op == &gi_op_batch_norm_grad && n->in[0] == norm->in[0] &&
         n->in[1] == norm->in[1] && n->in[2] == norm->out + 1 && n->in[3] == norm->out + 2 &&
         n->in[4] == d && gi_attr_equal(n->op, n->attr, norm->attr);
}

/* The mask behind relu and the gradient behind the mask. Without z the masked gradient is not
 * given out, so that nothing else may use it. */
static void find_backward(const fuser *f, pattern *p) {
  const glia_graph *g = f->r.from;
  const uint32_t r = node(f, p->relu)->out;
  for (uint32_t k = p->relu + 1; k < g->nodes.n; k++) {
    if (!f->r.live[k] || !is_mask(f, node(f, k), r)) continue;
    const uint32_t d = node(f, k)->out;
    for (uint32_t j = k + 1; j < g->nodes.n; j++) {
      if (!f->r.live[j] || !is_gradient(f, node(f, j), p, d)) continue;
      if (p->z == GI_NO_VALUE && f->r.uses[d] != 1) return;
      p->where = k;
      p->grad = j;
      return;
    }
  }
}

static void mark(fuser *f, uint32_t k, part which, int of) {
  f->part[k] = which;
  f->of[k] = of;
}

static glia_status find_patterns(fuser *f) {
  const glia_graph *g = f->r.from;
  for (uint32_t k = 0; k < g->nodes.n; k++) {
    pattern p;
    if (!f->r.live[k] || node(f, k)->op != &gi_op_relu || !find_forward(f, k, &p)) continue;
    find_backward(f, &p);
    const int of = (int)f->patterns.n;
    if (!gi_vec_push(&f->patterns, p)) return gi_fail_nomem(sizeof p);
    mark(f, p.norm, FORWARD, of);
    mark(f, p.relu, FORWARD, of);
    mark(f, maker(f, node(f, p.relu)->in[0]), FORWARD, of); /* the sum, or norm again */
    if (p.where == GI_NO_VALUE) continue;
    mark(f, p.where, BACKWARD, of);
    mark(f, p.grad, BACKWARD, of);
  }
  return GLIA_OK;
}

/* ---- making ------------------------------------------------------------------------------ */

static glia_status ensure(fuser *f, uint32_t k);

static glia_status ensure_value(fuser *f, uint32_t v, glia_value *out) {
  GI_TRY(ensure(f, maker(f, v)));
  *out = f->r.map[v];
  return GLIA_OK;
}

static glia_status set_path(fuser *f, uint32_t k) {
  const char *path = gi_arena_strdup(&f->r.to->arena, node(f, k)->path);
  if (path == NULL) return gi_fail_nomem(1);
  gi_set_path(f->r.to, path);
  return GLIA_OK;
}

static glia_status make_forward(fuser *f, pattern *p) {
  const gi_node *norm = node(f, p->norm);
  glia_value in[4], out[GI_MAX_OUT];
  const int n_in = p->z == GI_NO_VALUE ? 3 : 4;
  for (int i = 0; i < 3; i++) GI_TRY(ensure_value(f, norm->in[i], &in[i]));
  if (n_in == 4) GI_TRY(ensure_value(f, p->z, &in[3]));
  GI_TRY(set_path(f, p->norm));
  gi_emit(f->r.to, &gi_op_batch_norm_act, norm->attr, in, n_in, out);
  GI_TRY(glia_graph_status(f->r.to));
  f->r.map[node(f, p->relu)->out] = out[0];
  f->r.map[norm->out + 1] = out[1];
  f->r.map[norm->out + 2] = out[2];
  return GLIA_OK;
}

static glia_status make_backward(fuser *f, pattern *p) {
  const gi_node *norm = node(f, p->norm);
  glia_value in[7], out[GI_MAX_OUT];
  GI_TRY(ensure(f, p->norm));
  for (int i = 0; i < 3; i++) in[i] = f->r.map[norm->in[i]];
  in[3] = f->r.map[norm->out + 1];
  in[4] = f->r.map[norm->out + 2];
  GI_TRY(ensure_value(f, node(f, p->where)->in[1], &in[5]));
  if (p->z != GI_NO_VALUE) /* the signs stand behind r */
    in[6] = gi_value(f->r.to, f->r.map[node(f, p->relu)->out].id + 3);
  GI_TRY(set_path(f, p->grad));
  gi_emit(f->r.to, &gi_op_batch_norm_act_grad, norm->attr, in, p->z == GI_NO_VALUE ? 6 : 7,
          out);
  GI_TRY(glia_graph_status(f->r.to));
  gi_rewrite_set(&f->r, p->grad, out);
  if (p->z != GI_NO_VALUE) f->r.map[node(f, p->where)->out] = out[3];
  return GLIA_OK;
}

/* Makes node k, or the pattern it is part of, after all that it needs. */
static glia_status ensure(fuser *f, uint32_t k) {
  const gi_node *n = node(f, k);
  if (f->part[k] != FREE) {
    pattern *p = &f->patterns.at[f->of[k]];
    if (p->made[f->part[k]]) return GLIA_OK;
    p->made[f->part[k]] = true;
    return f->part[k] == FORWARD ? make_forward(f, p) : make_backward(f, p);
  }
  if (n->n_out > 0 && !gi_null(f->r.map[n->out])) return GLIA_OK;
  for (int i = 0; i < n->n_in; i++) GI_TRY(ensure(f, maker(f, n->in[i])));
  return gi_rewrite_copy(&f->r, k);
}

static glia_status build(fuser *f) {
  const size_t n = f->r.from->nodes.n + 1;
  f->part = gi_alloc(n * sizeof *f->part);
  f->of = gi_alloc(n * sizeof *f->of);
  f->seen = gi_alloc(n * sizeof *f->seen);
  if (f->part == NULL || f->of == NULL || f->seen == NULL)
    return gi_fail_nomem(n * sizeof *f->of);
  GI_TRY(find_patterns(f));
  for (uint32_t k = 0; k < f->r.from->nodes.n; k++)
    if (f->r.live[k]) GI_TRY(ensure(f, k));
  return GLIA_OK;
}

static glia_status rewrite(const glia_graph *from, glia_graph *to, const gi_target *target) {
  fuser f = {0};
  glia_status s = gi_rewrite_begin(&f.r, from, to, target);
  if (s == GLIA_OK) s = build(&f);
  gi_set_path(to, "");
  s = gi_rewrite_end(&f.r, s);
  gi_vec_free(&f.patterns);
  gi_vec_free(&f.stack);
  gi_free(f.part);
  gi_free(f.of);
  gi_free(f.seen);
  return s;
}

/* The comparisons that only masks wanted are left over, and dropped. */
static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  glia_graph *with_dead = NULL;
  GI_TRY(glia_graph_new(&with_dead));
  glia_status s = rewrite(from, with_dead, target);
  if (s == GLIA_OK) s = gi_rewrite_live(with_dead, to, target);
  glia_graph_free(with_dead);
  return s;
}

const gi_pass gi_pass_fuse_norm = {
    .name = "fuse_norm",
    .doc = "batch norm, what is added to it, and relu; forward and backward",
    .rounds = true,
    .run = run,
};
