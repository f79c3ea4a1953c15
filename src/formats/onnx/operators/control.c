/* control.c - If, Loop and Scan. Graphs have no branches here: a condition is known when the
 * model is traced, then its branch stands in the node's place; the turns of a loop are traced
 * one after the other, as many as there are.
 */
#include <inttypes.h>

#include "formats/onnx/operator.h"

enum { TURNS = 100000, LISTS = 64 }; /* most turns; most values that are carried or collected */

static glia_status body_of(const gi_onnx_call *c, const char *name, const gi_onnx_graph **out) {
  const gi_onnx_attr *a = gi_onnx_attr_of(c, name);
  if (a == NULL || a->type != GI_ONNX_ATTR_GRAPH)
    return gi_onnx_fail(c, GLIA_MODEL, "has no graph '%s'", name);
  *out = a->g;
  return GLIA_OK;
}

static glia_status truth_of(const gi_onnx_call *c, glia_value v, const char *what, bool *out) {
  const glia_tensor *t = NULL;
  GI_TRY(gi_onnx_known_value(c, v, what, &t));
  if (glia_tensor_count(t) != 1)
    return gi_onnx_fail(c, GLIA_MODEL, "the condition '%s' has %" PRId64 " elements, not one",
                        what, glia_tensor_count(t));
  *out = glia_tensor_get(t, 0) != 0;
  return GLIA_OK;
}

/* ---- If ---------------------------------------------------------------------------------- */

static glia_status build_if(gi_onnx_call *c) {
  bool yes = false;
  const gi_onnx_graph *branch = NULL;
  GI_TRY(truth_of(c, c->in[0], c->node->in[0], &yes));
  GI_TRY(body_of(c, yes ? "then_branch" : "else_branch", &branch));
  if (branch->n_out != c->node->n_out)
    return gi_onnx_fail(c, GLIA_MODEL, "the branch gives %d values, the node %d", branch->n_out,
                        c->node->n_out);
  return gi_onnx_subgraph(c, branch, NULL, NULL, 0, c->out, c->out_type);
}

/* ---- what turns leave behind: one value each, joined at the end -------------------------- */

typedef struct pile {
  GI_VEC(glia_value) at;
  int type;
} pile;

static glia_status put(pile *p, glia_value v, int type) {
  p->type = type;
  return gi_vec_push(&p->at, v) ? GLIA_OK : gi_fail_nomem(p->at.cap * sizeof *p->at.at);
}

/* v with a new axis of size 1. */
static glia_value with_axis(glia_value v, int axis) {
  int64_t dim[GLIA_MAX_RANK + 1];
  const int rank = glia_value_rank(v);
  for (int i = 0; i <= rank; i++)
    dim[i] = i == axis ? 1 : glia_value_shape(v)[i > axis ? i - 1 : i];
  return glia_reshape(v, rank + 1, dim);
}

/* Joins a pile along a new axis; back to front if it is asked. `like` is what a turn would have
 * given, where there was none. */
static glia_status join(const gi_onnx_call *c, const pile *p, int64_t axis, bool back,
                        glia_value like, glia_value *out) {
  const glia_value one = p->at.n > 0 ? p->at.at[0] : like;
  const int rank = glia_value_rank(one), at = gi_axis(axis, rank + 1);
  if (rank >= GLIA_MAX_RANK || at < 0)
    return gi_onnx_fail(c, GLIA_SHAPE,
                        "what the turns give cannot be joined along axis %" PRId64, axis);
  if (p->at.n == 0) {
    *out = glia_slice(with_axis(like, at), at, 0, 0, 1);
    return GLIA_OK;
  }
  for (size_t i = 0; i < p->at.n; i++) p->at.at[i] = with_axis(p->at.at[i], at);
  *out = glia_concat(p->at.at, (int)p->at.n, at);
  if (back) *out = glia_flip(*out, (int[]){at}, 1);
  return GLIA_OK;
}

static void free_piles(pile *p) {
  for (int i = 0; i < LISTS; i++) gi_vec_free(&p[i].at);
}

/* ---- Loop -------------------------------------------------------------------------------- */

typedef struct loop {
  const gi_onnx_graph *body;
  int carried, collected;
  glia_value in[LISTS + 2], out[LISTS + 1];
  int in_type[LISTS + 2], out_type[LISTS + 1];
  pile piles[LISTS];
} loop;

/* One turn: number, condition and carried values go in; condition, carried and collected come
 * out. */
static glia_status turn(const gi_onnx_call *c, loop *l, int64_t number) {
  l->in[0] = glia_constant(c->g, GLIA_I64, 0, NULL, &number);
  l->in_type[0] = GI_ONNX_INT64;
  return gi_onnx_subgraph(c, l->body, l->in, l->in_type, 2 + l->carried, l->out, l->out_type);
}

static glia_status turns(const gi_onnx_call *c, loop *l, int64_t most, bool go) {
  const bool has_condition = gi_onnx_given(c, 1);
  for (int64_t i = 0; i < most && go; i++) {
    if (i == TURNS)
      return gi_onnx_fail(c, GLIA_UNSUPPORTED, "the loop does not end within %d turns", TURNS);
    GI_TRY(turn(c, l, i));
    for (int k = 0; k < l->collected; k++)
      GI_TRY(put(&l->piles[k], l->out[1 + l->carried + k], l->out_type[1 + l->carried + k]));
    for (int k = 0; k < l->carried; k++) {
      l->in[2 + k] = l->out[1 + k];
      l->in_type[2 + k] = l->out_type[1 + k];
    }
    l->in[1] = l->out[0];
    (void)has_condition; /* a loop without one still ends when its body says so */
    GI_TRY(truth_of(c, l->out[0], l->body->out[0].name, &go));
  }
  return GLIA_OK;
}

static glia_status loop_outputs(gi_onnx_call *c, loop *l) {
  for (int k = 0; k < l->carried; k++) {
    c->out[k] = l->in[2 + k];
    c->out_type[k] = l->in_type[2 + k];
  }
  if (l->collected > 0 && l->piles[0].at.n == 0)
    GI_TRY(turn(c, l, 0)); /* for the shapes alone */
  for (int k = 0; k < l->collected; k++) {
    const int from = 1 + l->carried + k, to = l->carried + k;
    GI_TRY(join(c, &l->piles[k], 0, false, l->out[from], &c->out[to]));
    c->out_type[to] = l->piles[k].at.n > 0 ? l->piles[k].type : l->out_type[from];
  }
  return GLIA_OK;
}

static glia_status build_loop(gi_onnx_call *c) {
  loop l = {.carried = GI_MAX(c->node->n_in - 2, 0)};
  GI_TRY(body_of(c, "body", &l.body));
  l.collected = l.body->n_out - 1 - l.carried;
  if (l.carried > LISTS || l.collected < 0 || l.body->n_out - 1 > LISTS ||
      l.body->n_out - 1 != c->node->n_out || l.body->n_in != l.carried + 2)
    return gi_onnx_fail(
        c, GLIA_MODEL, "the body has %d inputs and %d outputs, the node %d and %d (at most %d)",
        l.body->n_in, l.body->n_out, c->node->n_in, c->node->n_out, LISTS);
  int64_t most = INT64_MAX;
  bool go = true;
  int n = 1;
  if (gi_onnx_given(c, 0)) GI_TRY(gi_onnx_known_ints(c, 0, &most, 1, &n));
  if (gi_onnx_given(c, 1)) GI_TRY(truth_of(c, c->in[1], c->node->in[1], &go));
  const uint8_t going = go;
  l.in[1] = glia_constant(c->g, GLIA_BOOL, 0, NULL, &going);
  l.in_type[1] = GI_ONNX_BOOL;
  for (int k = 0; k < l.carried; k++) {
    l.in[2 + k] = c->in[2 + k];
    l.in_type[2 + k] = c->in_type[2 + k];
  }
  glia_status s = turns(c, &l, n == 1 ? most : 0, go);
  if (s == GLIA_OK) s = loop_outputs(c, &l);
  free_piles(l.piles);
  return s;
}

/* ---- Scan -------------------------------------------------------------------------------- */

typedef struct scan {
  const gi_onnx_graph *body;
  int states, scanned, collected;
  int64_t in_axis[LISTS], in_back[LISTS], out_axis[LISTS], out_back[LISTS];
  pile piles[LISTS];
} scan;

static glia_status list_of(const gi_onnx_call *c, const char *name, int want, int64_t *out) {
  int n = 0;
  for (int i = 0; i < LISTS; i++) out[i] = 0;
  GI_TRY(gi_onnx_ints(c, name, out, LISTS, &n));
  if (n != 0 && n != want)
    return gi_onnx_fail(c, GLIA_MODEL, "attribute '%s' has %d numbers, %d are wanted", name, n,
                        want);
  return GLIA_OK;
}

/* Entry i of an axis, without the axis. */
static glia_value entry(glia_value x, int axis, int64_t i) {
  int64_t dim[GLIA_MAX_RANK];
  const int rank = glia_value_rank(x);
  for (int k = 0, to = 0; k < rank; k++)
    if (k != axis) dim[to++] = glia_value_shape(x)[k];
  return glia_reshape(glia_slice(x, axis, i, i + 1, 1), rank - 1, dim);
}

/* All turns over x[0..scanned), states[0..states) before and after them. */
static glia_status scan_turns(const gi_onnx_call *c, scan *s, glia_value *state,
                              int *state_type, const glia_value *x, const int *x_type) {
  int64_t n = -1;
  for (int k = 0; k < s->scanned; k++) {
    const int axis = gi_axis(s->in_axis[k], glia_value_rank(x[k]));
    if (axis < 0 || (n >= 0 && glia_value_dim(x[k], axis) != n))
      return gi_onnx_fail(c, GLIA_SHAPE,
                          "scanned input %d has no axis %" PRId64
                          " or another "
                          "length than the ones before",
                          k, s->in_axis[k]);
    n = glia_value_dim(x[k], axis);
  }
  if (n < 1 || n > TURNS)
    return gi_onnx_fail(c, GLIA_UNSUPPORTED,
                        "scans over %" PRId64 " entries, 1 to %d are taken", n, TURNS);
  for (int64_t i = 0; i < n; i++) {
    glia_value in[2 * LISTS], out[2 * LISTS];
    int in_type[2 * LISTS], out_type[2 * LISTS];
    memcpy(in, state, (size_t)s->states * sizeof *in);
    memcpy(in_type, state_type, (size_t)s->states * sizeof *in_type);
    for (int k = 0; k < s->scanned; k++) {
      const int axis = gi_axis(s->in_axis[k], glia_value_rank(x[k]));
      in[s->states + k] = entry(x[k], axis, s->in_back[k] != 0 ? n - 1 - i : i);
      in_type[s->states + k] = x_type[k];
    }
    GI_TRY(gi_onnx_subgraph(c, s->body, in, in_type, s->states + s->scanned, out, out_type));
    memcpy(state, out, (size_t)s->states * sizeof *state);
    memcpy(state_type, out_type, (size_t)s->states * sizeof *state_type);
    for (int k = 0; k < s->collected; k++)
      GI_TRY(put(&s->piles[k], out[s->states + k], out_type[s->states + k]));
  }
  return GLIA_OK;
}

static glia_status read_scan(const gi_onnx_call *c, int first, scan *s) {
  int64_t scanned = 0;
  GI_TRY(body_of(c, "body", &s->body));
  GI_TRY(gi_onnx_int(c, "num_scan_inputs", 0, &scanned));
  const int n_in = c->node->n_in - first;
  if (scanned < 1 || scanned > n_in || n_in > LISTS || s->body->n_out > LISTS ||
      s->body->n_in != n_in || s->body->n_out != c->node->n_out ||
      s->body->n_out < n_in - (int)scanned)
    return gi_onnx_fail(c, GLIA_MODEL,
                        "scans %" PRId64
                        " of %d inputs; its body has %d inputs and %d outputs, the "
                        "node gives %d (at most %d)",
                        scanned, n_in, s->body->n_in, s->body->n_out, c->node->n_out, LISTS);
  s->scanned = (int)scanned;
  s->states = n_in - s->scanned;
  s->collected = s->body->n_out - s->states;
  return GLIA_OK;
}

static glia_status scan_now(gi_onnx_call *c, scan *s) {
  glia_value state[LISTS];
  int type[LISTS];
  memcpy(state, c->in, (size_t)s->states * sizeof *state);
  memcpy(type, c->in_type, (size_t)s->states * sizeof *type);
  GI_TRY(scan_turns(c, s, state, type, c->in + s->states, c->in_type + s->states));
  memcpy(c->out, state, (size_t)s->states * sizeof *state);
  memcpy(c->out_type, type, (size_t)s->states * sizeof *type);
  for (int k = 0; k < s->collected; k++) {
    GI_TRY(join(c, &s->piles[k], s->out_axis[k], s->out_back[k] != 0, GLIA_NONE,
                &c->out[s->states + k]));
    c->out_type[s->states + k] = s->piles[k].type;
  }
  return GLIA_OK;
}

static glia_status build_scan(gi_onnx_call *c) {
  scan s = {0};
  GI_TRY(read_scan(c, 0, &s));
  GI_TRY(list_of(c, "scan_input_axes", s.scanned, s.in_axis));
  GI_TRY(list_of(c, "scan_input_directions", s.scanned, s.in_back));
  GI_TRY(list_of(c, "scan_output_axes", s.collected, s.out_axis));
  GI_TRY(list_of(c, "scan_output_directions", s.collected, s.out_back));
  const glia_status status = scan_now(c, &s);
  free_piles(s.piles);
  return status;
}

/* Opset 8: everything has a batch axis in front and is scanned along the next; each sequence of
 * a batch by itself. Input 0 are the sequences' lengths, which must be left out. */
static glia_status build_scan8(gi_onnx_call *c) {
  scan s = {0};
  GI_TRY(read_scan(c, 1, &s));
  GI_TRY(list_of(c, "directions", s.scanned, s.in_back));
  if (gi_onnx_given(c, 0))
    return gi_onnx_fail(c, GLIA_UNSUPPORTED, "sequences of different lengths are not taken");
  const int n_in = s.states + s.scanned, n_out = s.states + s.collected;
  const int64_t batch = glia_value_dim(c->in[1], 0);
  pile outs[LISTS] = {0};
  glia_status status = batch > 0 ? GLIA_OK : gi_onnx_fail(c, GLIA_SHAPE, "the batch is empty");
  for (int64_t b = 0; b < batch && status == GLIA_OK; b++) {
    glia_value in[LISTS], out[LISTS];
    int in_type[LISTS], out_type[LISTS];
    for (int k = 0; k < n_in; k++) in[k] = entry(c->in[1 + k], 0, b);
    for (int k = 0; k < n_in; k++) in_type[k] = c->in_type[1 + k];
    gi_onnx_call one = *c;
    one.in = in;
    one.in_type = in_type;
    one.out = out;
    one.out_type = out_type;
    status = scan_now(&one, &s);
    for (int k = 0; k < n_out && status == GLIA_OK; k++)
      status = put(&outs[k], out[k], out_type[k]);
    free_piles(s.piles);
  }
  for (int k = 0; k < n_out && status == GLIA_OK; k++) {
    status = join(c, &outs[k], 0, false, GLIA_NONE, &c->out[k]);
    c->out_type[k] = outs[k].type;
  }
  free_piles(outs);
  return status;
}

static glia_status build_any_scan(gi_onnx_call *c) {
  return c->version < 9 ? build_scan8(c) : build_scan(c);
}

static const gi_onnx_operator if_row = {.name = "If",
                                        .since = {1},
                                        .min_in = 1,
                                        .max_in = 1,
                                        .max_out = -1,
                                        .attributes = "then_branch else_branch",
                                        .build = build_if};

static const gi_onnx_operator loop_row = {.name = "Loop",
                                          .since = {1},
                                          .min_in = 0,
                                          .max_in = -1,
                                          .max_out = -1,
                                          .attributes = "body",
                                          .build = build_loop};

static const gi_onnx_operator scan_row = {
    .name = "Scan",
    .since = {8, 9},
    .min_in = 0, /* opset 8: input 0 may be left out */
    .max_in = -1,
    .max_out = -1,
    .attributes =
        "body num_scan_inputs directions scan_input_axes scan_input_directions "
        "scan_output_axes scan_output_directions",
    .build = build_any_scan};

const gi_onnx_operator *const gi_onnx_operators_control[] = {&if_row, &loop_row, &scan_row,
                                                             NULL};
