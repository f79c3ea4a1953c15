/* cut.c - minimum cut of a network by Dinic's algorithm (1970): find the vertices by their
 * distance to the sink, push flow along shortest ways until there are none of this length, and
 * again, until the source no longer reaches the sink. Capacities are whole numbers, so that it
 * ends and is exact.
 *
 * Distances are counted from the sink: those that reach it when all is done are the sink's
 * side, which is so the smallest there is.
 */
#include "compile/offers.h"

glia_status gi_cut_begin(gi_cut *c) {
  *c = (gi_cut){.failed = false};
  gi_cut_vertex(c);
  gi_cut_vertex(c);
  return c->failed ? gi_fail_nomem(2 * sizeof(int)) : GLIA_OK;
}

int gi_cut_vertex(gi_cut *c) {
  if (!gi_vec_push(&c->first, -1)) {
    c->failed = true;
    return GI_CUT_SOURCE;
  }
  return (int)c->first.n - 1;
}

static void add_half(gi_cut *c, int from, int to, int64_t capacity) {
  const gi_cut_edge e = {to, capacity, c->first.at[from]};
  c->first.at[from] = (int)c->edges.n;
  c->edges.at[c->edges.n++] = e;
}

void gi_cut_add(gi_cut *c, int from, int to, int64_t capacity) {
  if (c->failed || from == to || capacity <= 0) return;
  if (!gi_vec_reserve(&c->edges, c->edges.n + 2)) {
    c->failed = true;
    return;
  }
  add_half(c, from, to, capacity);
  add_half(c, to, from, 0);
}

/* level[v] = 1 + distance to the sink over edges with room; 0: it is not reached. */
static bool find_levels(gi_cut *c, int *queue) {
  int head = 0, tail = 0;
  memset(c->level, 0, c->first.n * sizeof *c->level);
  c->level[GI_CUT_SINK] = 1;
  queue[tail++] = GI_CUT_SINK;
  while (head < tail) {
    const int v = queue[head++];
    for (int e = c->first.at[v]; e >= 0; e = c->edges.at[e].next) {
      const int u = c->edges.at[e].to;
      if (c->level[u] != 0 || c->edges.at[e ^ 1].room == 0) continue;
      c->level[u] = c->level[v] + 1;
      queue[tail++] = u;
    }
  }
  return c->level[GI_CUT_SOURCE] != 0;
}

/* The first edge from `e` on that leads one step nearer to the sink; -1: none. */
static int nearer(const gi_cut *c, int v, int e) {
  while (e >= 0 && (c->edges.at[e].room == 0 || c->level[c->edges.at[e].to] != c->level[v] - 1))
    e = c->edges.at[e].next;
  return e;
}

/* Pushes what the way's narrowest edge lets through; way: edges from the source to the sink. */
static void push_along(gi_cut *c, const int *way, int n) {
  int64_t least = INT64_MAX;
  for (int i = 0; i < n; i++) least = GI_MIN(least, c->edges.at[way[i]].room);
  for (int i = 0; i < n; i++) {
    c->edges.at[way[i]].room -= least;
    c->edges.at[way[i] ^ 1].room += least;
  }
}

/* All ways of the present levels. at[v]: the edge of v to try next. */
static void push_all(gi_cut *c, int *at, int *way) {
  int n = 0, v = GI_CUT_SOURCE;
  memcpy(at, c->first.at, c->first.n * sizeof *at);
  for (;;) {
    if (v == GI_CUT_SINK) {
      push_along(c, way, n);
      n = 0;
      v = GI_CUT_SOURCE;
    }
    at[v] = nearer(c, v, at[v]);
    if (at[v] >= 0) {
      way[n++] = at[v];
      v = c->edges.at[at[v]].to;
    } else if (v == GI_CUT_SOURCE) {
      return;
    } else { /* a dead end: back, and past the edge that led here */
      const int e = way[--n];
      v = c->edges.at[e ^ 1].to;
      at[v] = c->edges.at[e].next;
    }
  }
}

glia_status gi_cut_solve(gi_cut *c) {
  const size_t n = c->first.n;
  int *space = c->failed ? NULL : gi_alloc(3 * n * sizeof *space);
  c->level = c->failed ? NULL : gi_alloc(n * sizeof *c->level);
  const bool room = space != NULL && c->level != NULL;
  while (room && find_levels(c, space)) push_all(c, space + n, space + 2 * n);
  gi_free(space);
  return room ? GLIA_OK : gi_fail_nomem(n * sizeof *space);
}

bool gi_cut_on_sink(const gi_cut *c, int vertex) { return c->level[vertex] != 0; }

void gi_cut_free(gi_cut *c) {
  gi_vec_free(&c->first);
  gi_vec_free(&c->edges);
  gi_free(c->level);
}
