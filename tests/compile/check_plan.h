/* tests/compile/check_plan.h - is a plan's memory right? Found out by playing the schedule
 * through with owners in place of elements, without the lifetimes that the planner computed.
 *
 * Each 64 bytes of the arena, and each variable, is owned by the value written there last. A
 * step must find every input still owned by the value that it wants, may write over an input
 * only element by element, and at the end all results must still be there.
 */
#ifndef GI_TEST_CHECK_PLAN_H
#define GI_TEST_CHECK_PLAN_H

#include "test.h"

#include "compile/plan.h"

enum { CHECK_BLOCK = 64 };

typedef struct checker {
  const glia_plan *p;
  const glia_graph *g;
  uint32_t *arena; /* by block: value + 1; 0: nobody */
  uint32_t *store; /* by value id of a variable: value + 1 */
  bool *made;      /* by value */
} checker;

static inline const gi_node *check_maker(const checker *c, uint32_t v) {
  return c->g->nodes.at[c->g->values.at[v]->node];
}

/* The value whose memory v is a view of. */
static inline uint32_t check_base(const checker *c, uint32_t v) {
  while (check_maker(c, v)->op->flags & GI_VIEW) v = check_maker(c, v)->in[0];
  return v;
}

static inline size_t check_bytes(const checker *c, uint32_t v) {
  const size_t b = gi_type_bytes(&c->g->values.at[v]->type);
  return b == 0 ? CHECK_BLOCK : (b + CHECK_BLOCK - 1) / CHECK_BLOCK * CHECK_BLOCK;
}

/* Is the memory of v still v's? */
static inline bool check_holds(const checker *c, uint32_t v) {
  const uint32_t b = check_base(c, v);
  const gi_place *place = &c->p->memory.place[v];
  switch (place->kind) {
    case GI_IN_STORE: return c->store[place->source] == b + 1;
    case GI_IN_ARENA:
      for (size_t i = 0; i < check_bytes(c, v) / CHECK_BLOCK; i++)
        if (c->arena[place->offset / CHECK_BLOCK + i] != b + 1) return false;
      return true;
    default: return c->made[b];
  }
}

static inline bool check_overlap(const checker *c, uint32_t a, uint32_t b) {
  const gi_place *x = &c->p->memory.place[a], *y = &c->p->memory.place[b];
  if (x->kind != y->kind) return false;
  if (x->kind == GI_IN_STORE) return x->source == y->source;
  return x->kind == GI_IN_ARENA && x->offset < y->offset + check_bytes(c, b) &&
         y->offset < x->offset + check_bytes(c, a);
}

/* May a step write `out` over its input `in`? Only element by element, place by place. */
static inline bool check_in_place(const checker *c, const gi_node *n, uint32_t out, int i) {
  const uint32_t in = n->in[i];
  const gi_val *x = c->g->values.at[out], *y = c->g->values.at[in];
  return gi_may_overwrite(n->op, i) && gi_shape_equal(&x->type, &y->type) &&
         x->layout == y->layout &&
         glia_dtype_size(x->type.dtype) == glia_dtype_size(y->type.dtype) &&
         c->p->memory.place[out].offset == c->p->memory.place[in].offset;
}

static inline void check_write(checker *c, const gi_node *n, uint32_t v) {
  const gi_place *place = &c->p->memory.place[v];
  for (int i = 0; i < n->n_in; i++)
    if (check_overlap(c, v, n->in[i]) && !check_in_place(c, n, v, i))
      fail_msg("%s: %%%u is written over the input %%%u", n->op->name, v, n->in[i]);
  for (uint32_t w = n->out; w < v; w++)
    if (check_overlap(c, v, w))
      fail_msg("%s: results %%%u and %%%u overlap", n->op->name, w, v);
  if (place->kind == GI_IN_STORE) {
    c->store[place->source] = v + 1;
    return;
  }
  if (place->kind ==
      GI_IN_FIXED) { /* each has a place of its own there, as long as it is read */
    if (place->offset != SIZE_MAX && place->offset + check_bytes(c, v) > c->p->memory.fixed)
      fail_msg("%s: %%%u lies outside the fixed memory", n->op->name, v);
    return;
  }
  if (place->kind != GI_IN_ARENA) fail_msg("%s: %%%u is written outside", n->op->name, v);
  if (place->offset % CHECK_BLOCK != 0 ||
      place->offset + check_bytes(c, v) > c->p->memory.arena)
    fail_msg("%s: %%%u lies at %zu of %zu bytes", n->op->name, v, place->offset,
             c->p->memory.arena);
  for (size_t i = 0; i < check_bytes(c, v) / CHECK_BLOCK; i++)
    c->arena[place->offset / CHECK_BLOCK + i] = v + 1;
}

static inline void check_step(checker *c, const gi_node *n) {
  for (int i = 0; i < n->n_in; i++) {
    if (!c->made[n->in[i]]) fail_msg("%s runs before its input %%%u", n->op->name, n->in[i]);
    if (!check_holds(c, n->in[i]))
      fail_msg("%s: its input %%%u was written over", n->op->name, n->in[i]);
  }
  for (uint32_t v = n->out; v < n->out + (uint32_t)n->n_out; v++) {
    if (c->made[v]) fail_msg("%s runs twice", n->op->name);
    c->made[v] = true;
    if (!(n->op->flags & GI_VIEW)) check_write(c, n, v);
  }
}

static inline void check_sources(checker *c) {
  for (size_t k = 0; k < c->g->nodes.n; k++) {
    const gi_node *n = c->g->nodes.at[k];
    if (!(n->op->flags & GI_SOURCE)) continue;
    c->made[n->out] = true;
    c->store[n->out] = n->out + 1;
  }
}

/* Results are where the plan says, all at the same time. */
static inline void check_ends(const checker *c) {
  for (size_t i = 0; i < c->g->roots.n; i++) {
    const gi_root *r = &c->g->roots.at[i];
    const gi_place *place = &c->p->memory.place[r->value];
    if (!check_holds(c, r->value)) fail_msg("root %zu: %%%u is gone at the end", i, r->value);
    if (r->variable != GI_NO_VALUE && !c->p->memory.copied[i] &&
        (place->kind != GI_IN_STORE || place->source != r->variable))
      fail_msg("assignment %zu: neither copied nor in place", i);
    if (r->variable != GI_NO_VALUE || !c->p->memory.copied[i]) continue;
    const size_t to = c->p->memory.copy_to[i], bytes = check_bytes(c, r->value);
    for (size_t j = 0; j < c->g->roots.n; j++) {
      const gi_place *other = &c->p->memory.place[c->g->roots.at[j].value];
      if (other->kind == GI_IN_ARENA && other->offset < to + bytes &&
          to < other->offset + check_bytes(c, c->g->roots.at[j].value))
        fail_msg("the copy of root %zu is made over root %zu", i, j);
    }
  }
}

/* Fails the test with what is wrong, if anything is. */
static inline void check_plan(const glia_plan *p) {
  const glia_graph *g = p->graph;
  checker c = {.p = p, .g = g};
  c.arena = calloc(p->memory.arena / CHECK_BLOCK + 1, sizeof *c.arena);
  c.store = calloc(g->values.n + 1, sizeof *c.store);
  c.made = calloc(g->values.n + 1, sizeof *c.made);
  assert_true(c.arena != NULL && c.store != NULL && c.made != NULL);
  check_sources(&c);
  int step = 0;
  for (int i = 0; i < p->n_order; i++) {
    const gi_node *n = g->nodes.at[p->order[i]];
    check_step(&c, n);
    if (n->op->flags & GI_VIEW || i < p->n_fixed) continue; /* fixed steps are gone */
    assert_int_equal(p->steps[step].node, p->order[i]);
    for (int k = 0; k < n->n_out && step <= p->watch_step; k++)
      if (p->memory.place[n->out + (uint32_t)k].kind == GI_IN_STORE)
        fail_msg("%s changes a variable before the watched value is known", n->op->name);
    step++;
  }
  assert_int_equal(step, p->n_steps);
  for (uint32_t v = 0; v < g->values.n; v++)
    if (!c.made[v]) fail_msg("%s: %%%u is never computed", check_maker(&c, v)->op->name, v);
  check_ends(&c);
  free(c.arena);
  free(c.store);
  free(c.made);
}

#endif /* GI_TEST_CHECK_PLAN_H */
