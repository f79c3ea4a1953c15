/* fuse_ops.c - patterns of ops that one kernel can do: convolution with activation, product
 * with bias and activation, and what is added to their results. Each fused op's file knows its
 * pattern (gi_op.match); this pass only asks them all, in table order.
 */
#include "compile/compile.h"

typedef struct search {
  gi_match *m;
  const gi_op *found;
} search;

static bool try_op(const gi_op *op, void *user) {
  search *s = user;
  if (op->match == NULL) return true;
  memset(&s->m->attr, 0, sizeof s->m->attr);
  s->m->n_in = 0;
  s->m->path = s->m->last->path;
  if (!op->match(s->m)) return true;
  s->found = op;
  return false;
}

static glia_status visit(gi_rewrite *r, uint32_t k, const gi_node *n, const glia_value *in,
                         bool *copy) {
  gi_match m = {.g = r->from, .last = n, .uses = r->uses};
  search s = {&m, NULL};
  glia_value args[GI_MATCH_IN], out[GI_MAX_OUT];
  (void)in;
  gi_op_each(try_op, &s);
  if (s.found == NULL) {
    *copy = true;
    return GLIA_OK;
  }
  for (int i = 0; i < m.n_in; i++) args[i] = r->map[m.in[i]];
  const char *path = gi_arena_strdup(&r->to->arena, m.path);
  if (path == NULL) return gi_fail_nomem(strlen(m.path));
  const char *before = gi_set_path(r->to, path);
  gi_emit(r->to, s.found, &m.attr, args, m.n_in, out);
  gi_set_path(r->to, before);
  gi_rewrite_set(r, k, out);
  return glia_graph_status(r->to);
}

/* A pattern's inner nodes were copied before its last node was seen; nothing uses them now, and
 * gi_rewrite_all drops them. */
static glia_status run(const glia_graph *from, glia_graph *to, const gi_target *target) {
  return gi_rewrite_all(from, to, target, visit);
}

const gi_pass gi_pass_fuse_ops = {
    .name = "fuse_ops",
    .doc = "bias, activation and sums into convolution and product",
    .run = run,
};
