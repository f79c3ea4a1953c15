/* memory.c - where every value lies.
 *
 * Values that need memory of their own get a buffer with a lifetime [first, last] in steps;
 * views and in-place results join the buffer of their source and stretch it. Buffers are then
 * placed by falling size, each in the smallest gap between the buffers placed before it that
 * live at the same time: one arena, no allocation while running.
 */
#include <stdlib.h>

#include "compile/compile.h"

enum { ALIGN = 64 };

typedef struct buffer {
  size_t bytes, offset;
  int first, last; /* steps */
} buffer;

typedef struct planner {
  const glia_graph *g;
  const uint32_t *order;
  int n, n_fixed;
  int *step;      /* by node: its place in the order; -1: a source */
  int *last;      /* by value: last step that reads it or a view of it; n: a root */
  uint32_t *base; /* by value: the value that it is a view of, at the bottom */
  int *buffer_of; /* by value: -1 none */
  uint32_t watch; /* a value, or GI_NO_VALUE */
  int watched;    /* step that makes it; -1: none */
  GI_VEC(buffer) buffers;
  gi_memory *out;
} planner;

static const gi_node *maker(const planner *p, uint32_t v) {
  return p->g->nodes.at[p->g->values.at[v]->node];
}

size_t gi_placed_bytes(const gi_type *t) {
  const size_t b = gi_type_bytes(t);
  return b == 0 ? ALIGN : (b + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t rounded_bytes(const planner *p, uint32_t v) {
  return gi_placed_bytes(&p->g->values.at[v]->type);
}

/* ---- lifetimes --------------------------------------------------------------------------- */

static void find_lifetimes(planner *p) {
  const glia_graph *g = p->g;
  for (size_t k = 0; k < g->nodes.n; k++) p->step[k] = -1;
  for (int i = 0; i < p->n; i++) p->step[p->order[i]] = i;
  for (uint32_t v = 0; v < g->values.n; v++) {
    const gi_node *n = maker(p, v);
    p->base[v] = n->op->flags & GI_VIEW ? p->base[n->in[0]] : v;
    p->last[v] = p->step[g->values.at[v]->node];
    p->buffer_of[v] = -1;
  }
  for (size_t k = 0; k < g->nodes.n; k++)
    for (int i = 0; i < g->nodes.at[k]->n_in; i++) {
      const uint32_t b = p->base[g->nodes.at[k]->in[i]];
      p->last[b] = GI_MAX(p->last[b], p->step[k]);
    }
  for (size_t i = 0; i < g->roots.n; i++) p->last[p->base[g->roots.at[i].value]] = p->n;
  p->watched = p->watch != GI_NO_VALUE ? p->step[g->values.at[p->base[p->watch]]->node] : -1;
}

/* ---- sources ----------------------------------------------------------------------------- */

static void place_source(planner *p, uint32_t v) {
  const gi_node *n = maker(p, v);
  gi_place *place = &p->out->place[v];
  place->source = v;
  place->kind = n->op == &gi_op_input      ? GI_IN_INPUT
                : n->op == &gi_op_variable ? GI_IN_STORE
                                           : GI_IN_CONSTANT;
}

/* ---- new values of variables ------------------------------------------------------------- */

static bool reads(const planner *p, const gi_node *n, uint32_t base) {
  for (int i = 0; i < n->n_in; i++)
    if (p->base[n->in[i]] == base) return true;
  return false;
}

/* Does the node read all that lies at `base` element by element, in the shape of its result v?
 */
static bool reads_in_step(const planner *p, const gi_node *n, uint32_t base, uint32_t v) {
  const gi_val *out = p->g->values.at[v];
  for (int i = 0; i < n->n_in; i++) {
    const gi_val *in = p->g->values.at[n->in[i]];
    if (p->base[n->in[i]] != base) continue;
    if (!gi_may_overwrite(n->op, i)) return false;
    if (!gi_shape_equal(&in->type, &out->type) || in->layout != out->layout) return false;
  }
  return true;
}

/* May the new value be written over the variable? Only if nobody reads the old one later, and
 * if the step can no longer be stopped. */
static bool may_overwrite(const planner *p, const gi_root *r) {
  const gi_node *n = maker(p, r->value);
  const int at = p->step[p->g->values.at[r->value]->node];
  if (n->op->flags & (GI_SOURCE | GI_VIEW)) return false;
  if (at <= p->watched) return false;
  if (p->out->place[r->value].kind == GI_IN_STORE) return false; /* taken by another variable */
  if (p->g->values.at[r->value]->layout != GI_PLAIN) return false;
  for (size_t k = 0; k < p->g->nodes.n; k++) {
    const gi_node *m = p->g->nodes.at[k];
    if (!reads(p, m, r->variable) || p->step[k] < at) continue;
    if (p->step[k] > at || !reads_in_step(p, m, r->variable, r->value)) return false;
  }
  for (size_t i = 0; i < p->g->roots.n; i++)
    if (p->base[p->g->roots.at[i].value] == r->variable) return false;
  return true;
}

static void place_assignments(planner *p) {
  for (size_t i = 0; i < p->g->roots.n; i++) {
    const gi_root *r = &p->g->roots.at[i];
    if (r->variable == GI_NO_VALUE) continue;
    p->out->copied[i] = !may_overwrite(p, r);
    if (p->out->copied[i]) continue;
    p->out->place[r->value] = (gi_place){.kind = GI_IN_STORE, .source = r->variable};
  }
}

/* ---- fixed values ----------------------------------------------------------------------- */

/* Made by a fixed step and read by one that is run every time, or a result. */
static bool stays(const planner *p, uint32_t v) {
  const int made = p->step[p->g->values.at[v]->node];
  return made >= 0 && made < p->n_fixed && p->last[v] >= p->n_fixed && p->base[v] == v;
}

static void place_fixed(planner *p) {
  for (uint32_t v = 0; v < p->g->values.n; v++) {
    if (!stays(p, v)) continue;
    p->out->place[v] = (gi_place){GI_IN_FIXED, p->out->fixed, v};
    p->out->fixed += rounded_bytes(p, v);
  }
}

/* ---- buffers ----------------------------------------------------------------------------- */

static glia_status new_buffer(planner *p, size_t bytes, int first, int last, int *out) {
  const buffer b = {bytes, 0, first, last};
  *out = (int)p->buffers.n;
  return gi_vec_push(&p->buffers, b) ? GLIA_OK : gi_fail_nomem(sizeof b);
}

/* An input of the node that dies with it and whose memory output v may take over; or none. */
static int dying_input(const planner *p, const gi_node *n, int at, uint32_t v) {
  const gi_val *out = p->g->values.at[v];
  for (int i = 0; i < n->n_in; i++) {
    const gi_val *in = p->g->values.at[n->in[i]];
    const uint32_t b = p->base[n->in[i]];
    const int buf = p->buffer_of[b];
    if (buf < 0 || p->last[b] != at || p->buffers.at[buf].last != at) continue;
    if (reads_in_step(p, n, b, v) &&
        glia_dtype_size(in->type.dtype) == glia_dtype_size(out->type.dtype))
      return buf;
  }
  return -1;
}

static glia_status buffers_of_node(planner *p, int at) {
  const gi_node *n = p->g->nodes.at[p->order[at]];
  if (n->op->flags & GI_VIEW) return GLIA_OK;
  for (uint32_t v = n->out; v < n->out + (uint32_t)n->n_out; v++) {
    if (p->out->place[v].kind != GI_IN_ARENA) continue;
    int buf = dying_input(p, n, at, v);
    if (buf < 0)
      GI_TRY(new_buffer(p, rounded_bytes(p, v), at, p->last[v], &buf));
    else
      p->buffers.at[buf].last =
          GI_MAX(p->buffers.at[buf].last, p->last[v] + (p->last[v] == at));
    p->buffer_of[v] = buf;
  }
  return GLIA_OK;
}

/* ---- offsets ----------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
  const buffer *x = *(const buffer *const *)a, *y = *(const buffer *const *)b;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
  if (x->first != y->first) return x->first < y->first ? -1 : 1;
  return x < y ? -1 : x > y;
}

static int by_offset(const void *a, const void *b) {
  const buffer *x = *(const buffer *const *)a, *y = *(const buffer *const *)b;
  if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
  return x < y ? -1 : x > y;
}

/* The smallest gap that holds b between the n neighbours (sorted by offset), or their end. */
static size_t best_gap(const buffer *b, buffer **near, size_t n) {
  size_t end = 0, best = SIZE_MAX, at = 0;
  for (size_t i = 0; i < n; i++) {
    if (near[i]->offset > end && near[i]->offset - end >= b->bytes &&
        near[i]->offset - end < best) {
      best = near[i]->offset - end;
      at = end;
    }
    end = GI_MAX(end, near[i]->offset + near[i]->bytes);
  }
  return best == SIZE_MAX ? end : at;
}

static glia_status place_buffers(planner *p) {
  const size_t n = p->buffers.n;
  buffer **sorted = gi_alloc((n + 1) * sizeof *sorted),
         **near = gi_alloc((n + 1) * sizeof *near);
  if (sorted != NULL && near != NULL) {
    for (size_t i = 0; i < n; i++) sorted[i] = &p->buffers.at[i];
    qsort(sorted, n, sizeof *sorted, by_size);
    for (size_t i = 0; i < n; i++) {
      size_t count = 0;
      for (size_t j = 0; j < i; j++)
        if (sorted[j]->first <= sorted[i]->last && sorted[i]->first <= sorted[j]->last)
          near[count++] = sorted[j];
      qsort(near, count, sizeof *near, by_offset);
      sorted[i]->offset = best_gap(sorted[i], near, count);
      p->out->arena = GI_MAX(p->out->arena, sorted[i]->offset + sorted[i]->bytes);
    }
  }
  const bool room = sorted != NULL && near != NULL;
  gi_free(sorted);
  gi_free(near);
  return room ? GLIA_OK : gi_fail_nomem(n * sizeof(buffer *));
}

static bool is_assigned(const planner *p, uint32_t variable) {
  for (size_t i = 0; i < p->g->roots.n; i++)
    if (p->g->roots.at[i].variable == variable) return true;
  return false;
}

/* Outputs that lie outside the arena (a parameter, an input) get a copy there; so do old values
 * of variables that others take over, where the variable is to change too: all are kept before
 * the first one changes, so that two may even exchange their values. */
static glia_status copy_ends(planner *p, int *kept) {
  for (size_t i = 0; i < p->g->roots.n; i++) {
    const gi_root *r = &p->g->roots.at[i];
    const uint32_t base = p->base[r->value];
    const bool output = r->variable == GI_NO_VALUE;
    kept[i] = -1;
    p->out->copy_to[i] = SIZE_MAX;
    if (output ? p->buffer_of[base] >= 0 : !is_assigned(p, base)) continue;
    p->out->copied[i] = true;
    GI_TRY(new_buffer(p, rounded_bytes(p, r->value), p->n, p->n, &kept[i]));
  }
  return GLIA_OK;
}

static glia_status plan(planner *p, int *kept) {
  find_lifetimes(p);
  for (uint32_t v = 0; v < p->g->values.n; v++)
    if (maker(p, v)->op->flags & GI_SOURCE) place_source(p, v);
  place_assignments(p);
  place_fixed(p);
  for (int i = 0; i < p->n; i++) GI_TRY(buffers_of_node(p, i));
  GI_TRY(copy_ends(p, kept));
  GI_TRY(place_buffers(p));
  for (uint32_t v = 0; v < p->g->values.n; v++) {
    gi_place *place = &p->out->place[v];
    const int buf = p->buffer_of[p->base[v]];
    if (p->base[v] != v) *place = p->out->place[p->base[v]];
    if (buf >= 0) *place = (gi_place){GI_IN_ARENA, p->buffers.at[buf].offset, v};
  }
  for (size_t i = 0; i < p->g->roots.n; i++)
    if (kept[i] >= 0) p->out->copy_to[i] = p->buffers.at[kept[i]].offset;
  return GLIA_OK;
}

glia_status gi_plan_memory(const glia_graph *g, const uint32_t *order, int n, int n_fixed,
                           uint32_t watch, gi_memory *out) {
  const size_t values = g->values.n + 1, nodes = g->nodes.n + 1, roots = g->roots.n + 1;
  planner p = {.g = g, .order = order, .n = n, .n_fixed = n_fixed, .watch = watch, .out = out};
  *out = (gi_memory){0};
  out->place = gi_alloc(values * sizeof *out->place);
  out->copied = gi_alloc(roots * sizeof *out->copied);
  out->copy_to = gi_alloc(roots * sizeof *out->copy_to);
  p.step = gi_alloc(nodes * sizeof *p.step);
  p.last = gi_alloc(values * sizeof *p.last);
  p.base = gi_alloc(values * sizeof *p.base);
  p.buffer_of = gi_alloc(values * sizeof *p.buffer_of);
  int *kept = gi_alloc(roots * sizeof *kept); /* by root: buffer of its copy */
  glia_status s = GLIA_OK;
  if (out->place == NULL || out->copied == NULL || out->copy_to == NULL || p.step == NULL ||
      p.last == NULL || p.base == NULL || p.buffer_of == NULL || kept == NULL)
    s = gi_fail_nomem(values * sizeof *out->place);
  else
    s = plan(&p, kept);
  gi_vec_free(&p.buffers);
  gi_free(p.step);
  gi_free(p.last);
  gi_free(p.base);
  gi_free(p.buffer_of);
  gi_free(kept);
  if (s != GLIA_OK) gi_memory_free(out);
  return s;
}

void gi_memory_free(gi_memory *m) {
  gi_free(m->place);
  gi_free(m->copied);
  gi_free(m->copy_to);
  *m = (gi_memory){0};
}
