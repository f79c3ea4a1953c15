/* recurrent.c - rnn, gru, lstm and their gradients, step by step (ops/recurrent.h).
 *
 * A step is a product with the state of the one before, thin (as many rows as sequences) and
 * with a weight that may not fit in any cache, and then the cell. The weight is packed once in
 * panels (isa/product.h), which all sequences go by while a panel is near; what a panel's units
 * need of the cell is done as soon as its product is there.
 *
 *   forward   part b of step t: the columns of U h[t - 1] of all gates of some units, then
 *             their cells; with a projection h[t] is a second product
 *   backward  part b of step t: the columns of d a[t + 1] U of some units, which with dy is
 *             what reaches h[t], then their cells: d a[t]; with a projection, two parts
 *
 * So one step needs one loop shared out to the threads, or two with a projection, and waits
 * only for the step before. Where a step is too little work to share, the sequences are: each
 * thread then goes through all steps by itself. Every number is summed in one order: the same
 * bits for any number of threads.
 */
#include "backend/cpu/thin.h"
#include "ops/recurrent.h"

enum {
  PART = 1 << 16,     /* multiply-adds worth a thread */
  PARTS_A_THREAD = 4, /* of a step */
  ALIGN = 16          /* floats of a cache line */
};

typedef struct state {
  gi_recurrence r;
  gi_type lengths_type;
  gi_thin u, v; /* v.blocks 0: no projection */
  int threads;
  bool by_rows;   /* the sequences are shared out, not the steps */
  int64_t groups; /* of sequences */
  bool relu;
  int64_t width; /* of a panel */
  const gi_recurrent_loops *loops;
  gi_cell_loop *cell;
  float *owned;                                          /* panels of known weights */
  int64_t hidden_at, through_at, u_at, v_at, lengths_at; /* floats into the scratch */
  /* for the time of a run */
  const float *in[GI_RECURRENT_VALUES];       /* NULL: none of that kind */
  float *gates, *y, *last_h, *last_c, *cells; /* forward; rnn: gates is y */
  float *dx, *du, *dh0, *dc0, *dh_all;        /* backward */
  float *hidden, *through; /* [N, H]: o tanh(c), or what reaches it; [N, P]: d a U */
  const int64_t *length;
  int64_t step; /* in order of computation */
} state;

/* ---- what is taken ----------------------------------------------------------------------- */

static const char *fits(const gi_problem *p) {
  const gi_recurrence r = gi_recurrence_of(p->op, p->attr);
  for (int i = 0; i < p->n_in; i++)
    if (p->in[i].dtype != GLIA_F32 && i != r.at[GI_RECURRENT_LENGTHS]) return "takes f32 only";
  if (gi_has(&r, GI_RECURRENT_DGATES)) return "takes no gradients of what was saved";
  if (p->in[gi_steps_input(&r)].dim[1] == 0) return "there is no sequence";
  return NULL;
}

/* ---- places ------------------------------------------------------------------------------ */

static int64_t now(const state *s) { return gi_step(&s->r, s->step); }

/* Is step t padding of sequence n? */
static bool padding(const state *s, int64_t n) { return now(s) >= s->length[n]; }

/* The place in time of the step before, or -1: it is the first of sequence n. */
static int64_t earlier(const state *s, int64_t n) {
  const int64_t t = now(s);
  if (s->step == 0 || (s->r.reverse && t + 1 >= s->length[n])) return -1;
  return s->r.reverse ? t + 1 : t - 1;
}

/* Row (t, n) of values of so many columns. */
static int64_t row(const state *s, int64_t t, int64_t n, int64_t columns) {
  return (t * s->r.batch + n) * columns;
}

/* What is before the step in a sequence: of `all` values, or `first`. */
static const float *before(const state *s, const float *all, const float *first, int64_t n,
                           int64_t columns) {
  const int64_t t = earlier(s, n);
  return t < 0 ? first + n * columns : all + row(s, t, n, columns);
}

static const float *state_before(const void *user, int64_t n) {
  const state *s = user;
  return before(s, s->y, s->in[GI_RECURRENT_H0], n, s->r.state);
}
static const float *hidden_row(const void *user, int64_t n) {
  const state *s = user;
  return s->hidden + n * s->r.units;
}
/* d a of the step behind this one, which was computed before it; at step -1, of the first. */
static const float *later_row(const void *user, int64_t n) {
  const state *s = user;
  const int64_t width = s->r.gates * s->r.units;
  return (s->du != NULL ? s->du : s->dx) + row(s, gi_step(&s->r, s->step + 1), n, width);
}
static const float *reaching_row(const void *user, int64_t n) {
  const state *s = user;
  return s->dh_all + row(s, now(s), n, s->r.state);
}

static void clear(float *p, int64_t n) { memset(p, 0, (size_t)n * sizeof *p); }

/* ---- forward ----------------------------------------------------------------------------- */

static int64_t saved_width(const state *s) { return s->r.units * (s->r.gates == 1 ? 1 : 4); }

/* Units first .. first + n - 1 of a sequence that has this step as padding. */
static void clear_units(const state *s, int64_t b, int64_t first, int64_t n) {
  const int64_t t = now(s), h = s->r.units;
  for (int64_t g = 0; g < saved_width(s) / h; g++)
    clear(s->gates + row(s, t, b, saved_width(s)) + g * h + first, n);
  if (s->cells != NULL) clear(s->cells + row(s, t, b, h) + first, n);
  if (s->v.blocks == 0) clear(s->y + row(s, t, b, s->r.state) + first, n);
}

static void cells_forward(const state *s, int64_t first, int64_t n, gi_thin_rows r) {
  const int64_t t = now(s), h = s->r.units;
  const float *x = s->in[GI_RECURRENT_X], *peeps = s->in[GI_RECURRENT_PEEPHOLES];
  for (int64_t b = r.first; b < r.last; b++) {
    if (padding(s, b)) {
      clear_units(s, b, first, n);
      continue;
    }
    gi_cell_row c = {.n = n, .apart = h, .relu = s->relu};
    c.gates = s->gates + row(s, t, b, saved_width(s)) + first;
    c.h = s->v.blocks > 0 ? s->hidden + b * h + first : s->y + row(s, t, b, h) + first;
    if (s->r.gates == 3) {
      c.x = x + row(s, t, b, 3 * h) + first;
      c.before = state_before(s, b) + first;
    } else if (s->r.gates == 4) {
      c.before = before(s, s->cells, s->in[GI_RECURRENT_C0], b, h) + first;
      c.cell = s->cells + row(s, t, b, h) + first;
      c.peepholes = peeps != NULL ? peeps + first : NULL;
    }
    s->cell(&c);
  }
}

/* Some units of a step: their sums, then their cells. */
static void forward_units(const state *s, int64_t block, gi_thin_rows r) {
  const int64_t t = now(s), h = s->r.units, first = block * s->width;
  const int64_t width = saved_width(s);
  for (int64_t g = 0; g < s->r.gates; g++) {
    /* the third gate of a gru is made of its product later, which has the fourth place */
    const int64_t at = row(s, t, 0, width) + (s->r.gates == 3 && g == 2 ? 3 : g) * h + first;
    gi_thin_target to = {.c = s->gates + at, .row_step = width};
    if (s->r.gates != 3) to.added = s->in[GI_RECURRENT_X] + at;
    if (s->r.gates == 3 && g == 2 && s->in[GI_RECURRENT_BIAS] != NULL)
      to.bias = s->in[GI_RECURRENT_BIAS] + first;
    gi_thin_multiply(&s->u, block, g, state_before, s, r, to);
  }
  cells_forward(s, first, GI_MIN(s->width, h - first), r);
}

/* Some numbers of the state, by the projection. */
static void forward_projection(const state *s, int64_t block, gi_thin_rows r) {
  const int64_t t = now(s), p = s->r.state, first = block * s->width;
  const gi_thin_target to = {.c = s->y + row(s, t, 0, p) + first, .row_step = p};
  gi_thin_multiply(&s->v, block, 0, hidden_row, s, r, to);
  for (int64_t b = r.first; b < r.last; b++)
    if (padding(s, b)) clear(s->y + row(s, t, b, p) + first, GI_MIN(s->width, p - first));
}

/* The states after the last step of each sequence. */
static void keep_last(const state *s) {
  const int64_t p = s->r.state, h = s->r.units;
  for (int64_t b = 0; b < s->r.batch; b++) {
    const int64_t length = s->length[b], t = s->r.reverse ? 0 : length - 1;
    const float *y = length > 0 ? s->y + row(s, t, b, p) : s->in[GI_RECURRENT_H0] + b * p;
    memcpy(s->last_h + b * p, y, (size_t)p * sizeof *y);
    if (s->cells == NULL) continue;
    const float *c = length > 0 ? s->cells + row(s, t, b, h) : s->in[GI_RECURRENT_C0] + b * h;
    memcpy(s->last_c + b * h, c, (size_t)h * sizeof *c);
  }
}

/* ---- backward ---------------------------------------------------------------------------- */

/* What reaches h [N, P], columns first .. first + n - 1: the sum of dy, of d a U, which is
 * there in s->through, and of what reaches it directly, kept in dh0. At steps of padding all of
 * it is kept for the step before. */
static void gather(const state *s, int64_t b, int64_t first, int64_t n) {
  const int64_t p = s->r.state;
  float *through = s->through + b * p + first, *kept = s->dh0 + b * p + first;
  const float *dy = s->in[GI_RECURRENT_DY] + row(s, now(s), b, p) + first;
  if (padding(s, b)) {
    for (int64_t j = 0; j < n; j++) kept[j] += through[j];
    return;
  }
  s->loops->add(n, through, dy, kept, through);
  clear(kept, n);
}

static void cells_backward(const state *s, int64_t b, int64_t first, int64_t n,
                           const float *dh) {
  const int64_t t = now(s), h = s->r.units, width = s->r.gates * h;
  const float *peeps = s->in[GI_RECURRENT_PEEPHOLES];
  float *dx = s->dx + row(s, t, b, width) + first;
  float *du = s->du != NULL ? s->du + row(s, t, b, width) + first : NULL;
  if (padding(s, b)) {
    for (int64_t g = 0; g < s->r.gates; g++) {
      clear(dx + g * h, n);
      if (du != NULL) clear(du + g * h, n);
    }
    return;
  }
  gi_cell_row c = {.n = n, .apart = h, .relu = s->relu, .dh = dh, .dx = dx, .du = du};
  if (s->r.gates > 1) c.gates = s->gates + row(s, t, b, 4 * h) + first;
  if (s->r.gates == 1) {
    c.h = s->y + row(s, t, b, h) + first;
  } else if (s->r.gates == 3) {
    c.before = state_before(s, b) + first;
    c.kept = s->dh0 + b * h + first;
  } else {
    c.before = before(s, s->cells, s->in[GI_RECURRENT_C0], b, h) + first;
    c.cell = s->cells + row(s, t, b, h) + first;
    c.dc = s->dc0 + b * h + first;
    c.peepholes = peeps != NULL ? peeps + first : NULL;
  }
  s->cell(&c);
}

/* d a U of the step behind, if there is one. */
static void go_through(const state *s, int64_t block, gi_thin_rows r) {
  const int64_t p = s->r.state, first = block * s->width;
  const int64_t n = GI_MIN(s->width, p - first);
  const gi_thin_target to = {.c = s->through + first, .row_step = p};
  if (s->step + 1 < s->r.steps)
    gi_thin_multiply(&s->u, block, 0, later_row, s, r, to);
  else
    for (int64_t b = r.first; b < r.last; b++) clear(s->through + b * p + first, n);
}

/* Some numbers of what reaches the state of a step and, where these are its units, their cells.
 */
static void backward_state(const state *s, int64_t block, gi_thin_rows r) {
  const int64_t p = s->r.state, first = block * s->width;
  const int64_t n = GI_MIN(s->width, p - first);
  go_through(s, block, r);
  for (int64_t b = r.first; b < r.last; b++) {
    const float *reaching = s->through + b * p + first;
    gather(s, b, first, n);
    if (s->v.blocks == 0) {
      cells_backward(s, b, first, n, reaching);
      continue;
    }
    float *all = s->dh_all + row(s, now(s), b, p) + first;
    if (padding(s, b))
      clear(all, n);
    else
      memcpy(all, reaching, (size_t)n * sizeof *all);
  }
}

/* Some units of a step behind a projection. */
static void backward_units(const state *s, int64_t block, gi_thin_rows r) {
  const int64_t h = s->r.units, first = block * s->width;
  const gi_thin_target to = {.c = s->hidden + first, .row_step = h};
  gi_thin_multiply(&s->v, block, 0, reaching_row, s, r, to);
  for (int64_t b = r.first; b < r.last; b++)
    cells_backward(s, b, first, GI_MIN(s->width, h - first), s->hidden + b * h + first);
}

/* What reaches h0: step -1. */
static void backward_start(const state *s, int64_t block, gi_thin_rows r) {
  const int64_t first = block * s->width;
  const gi_thin_target to = {.c = s->dh0 + first, .row_step = s->r.state, .add = true};
  gi_thin_multiply(&s->u, block, 0, later_row, s, r, to);
}

/* ---- running ----------------------------------------------------------------------------- */

typedef void stage(const state *s, int64_t block, gi_thin_rows r);

typedef struct loop {
  const state *s;
  stage *fn;
} loop;

static gi_thin_rows group_of(const state *s, int64_t group) {
  return (gi_thin_rows){s->r.batch * group / s->groups, s->r.batch * (group + 1) / s->groups};
}

static void run_part(void *user, int64_t part) {
  const loop *l = user;
  l->fn(l->s, part / l->s->groups, group_of(l->s, part % l->s->groups));
}

static void share(const state *s, stage *fn, int64_t blocks) {
  loop l = {s, fn};
  gi_cpu_for(s->threads, blocks * s->groups, run_part, &l);
}

/* Whole sequences: a state of its own keeps the step. */
static void run_group(void *user, int64_t group) {
  state s = *(const state *)user;
  const gi_thin_rows r = group_of(&s, group);
  for (int64_t k = 0; k < s.r.steps; k++) {
    s.step = s.r.backward ? s.r.steps - 1 - k : k;
    for (int64_t b = 0; b < s.u.blocks; b++)
      (s.r.backward ? backward_state : forward_units)(&s, b, r);
    for (int64_t b = 0; b < s.v.blocks; b++)
      (s.r.backward ? backward_units : forward_projection)(&s, b, r);
  }
  s.step = -1;
  for (int64_t b = 0; b < s.u.blocks && s.r.backward; b++) backward_start(&s, b, r);
}

static void run_steps(state *s) {
  if (s->by_rows) {
    gi_cpu_for(s->threads, s->groups, run_group, s);
    return;
  }
  for (int64_t k = 0; k < s->r.steps; k++) {
    s->step = s->r.backward ? s->r.steps - 1 - k : k;
    share(s, s->r.backward ? backward_state : forward_units, s->u.blocks);
    if (s->v.blocks > 0)
      share(s, s->r.backward ? backward_units : forward_projection, s->v.blocks);
  }
  s->step = -1;
  if (s->r.backward) share(s, backward_start, s->u.blocks);
}

/* The lengths in the scratch, the weights packed, scratch and inputs by name. */
static glia_status begin(state *s, const gi_exec *x) {
  float *scratch = x->scratch;
  for (int i = 0; i < GI_RECURRENT_VALUES; i++)
    s->in[i] = s->r.at[i] >= 0 ? x->in[s->r.at[i]] : NULL;
  const int at = s->r.at[GI_RECURRENT_LENGTHS];
  int64_t *length = (int64_t *)(void *)(scratch + s->lengths_at);
  const gi_buf given = {s->lengths_type, at >= 0 ? (void *)(uintptr_t)x->in[at] : NULL};
  GI_TRY(gi_recurrence_lengths(&s->r, at >= 0 ? &given : NULL, length));
  s->length = length;
  s->hidden = scratch + s->hidden_at;
  s->through = scratch + s->through_at;
  s->u.from = s->in[GI_RECURRENT_U];
  s->v.from = s->in[GI_RECURRENT_PROJECTION];
  if (!s->u.kept) s->u.panels = scratch + s->u_at;
  if (!s->v.kept) s->v.panels = scratch + s->v_at;
  gi_thin_pack(&s->u, s->threads);
  gi_thin_pack(&s->v, s->threads);
  return GLIA_OK;
}

static glia_status run_forward(const gi_exec *x) {
  state *s = x->state;
  const bool lstm = s->r.gates == 4;
  GI_TRY(begin(s, x));
  s->y = x->out[lstm ? 1 : 0];
  s->last_h = x->out[lstm ? 2 : 1];
  s->gates = x->out[s->r.gates == 3 ? 2 : 0];
  s->last_c = lstm ? x->out[3] : NULL;
  s->cells = lstm ? x->out[4] : NULL;
  run_steps(s);
  keep_last(s);
  return GLIA_OK;
}

/* An input as what the places above read: it is not written. */
static float *unwritten(const state *s, gi_recurrent_value i) {
  return (float *)(uintptr_t)s->in[i];
}

static glia_status run_backward(const gi_exec *x) {
  state *s = x->state;
  const gi_recurrence *r = &s->r;
  GI_TRY(begin(s, x));
  s->gates = unwritten(s, GI_RECURRENT_GATES);
  s->cells = unwritten(s, GI_RECURRENT_CELLS);
  s->y = unwritten(s, GI_RECURRENT_Y);
  s->dx = x->out[0];
  s->dh0 = x->out[1];
  s->dc0 = r->gates == 4 ? x->out[2] : NULL;
  s->du = r->gates == 3 ? x->out[2] : NULL;
  s->dh_all = s->v.blocks > 0 ? x->out[3] : NULL;
  memcpy(s->dh0, s->in[GI_RECURRENT_DH], (size_t)(r->batch * r->state) * sizeof(float));
  if (s->dc0 != NULL)
    memcpy(s->dc0, s->in[GI_RECURRENT_DC], (size_t)(r->batch * r->units) * sizeof(float));
  run_steps(s);
  return GLIA_OK;
}

/* ---- preparing --------------------------------------------------------------------------- */

/* Forward the columns are rows of the weights, gate by gate; backward its columns. */
static void describe(state *s) {
  const gi_recurrence *r = &s->r;
  const int64_t h = r->units, p = r->state;
  if (r->backward)
    s->u = (gi_thin){.columns = p, .gates = 1, .depth = r->gates * h, .outer = 1, .inner = p};
  else
    s->u = (gi_thin){
        .columns = h, .gates = r->gates, .depth = p, .outer = p, .inner = 1, .gate = h * p};
  gi_thin_size(&s->u);
  if (!gi_has(r, GI_RECURRENT_PROJECTION)) {
    s->v = (gi_thin){.kept = true};
    return;
  }
  if (r->backward)
    s->v = (gi_thin){.columns = h, .gates = 1, .depth = p, .outer = 1, .inner = h};
  else
    s->v = (gi_thin){.columns = p, .gates = 1, .depth = h, .outer = h, .inner = 1};
  gi_thin_size(&s->v);
}

/* Steps are shared out where that is worth it, else sequences. */
static void divide(state *s, int threads) {
  const gi_recurrence *r = &s->r;
  const int64_t step = r->batch * r->gates * r->units * r->state;
  const int64_t tiles = (r->batch + GI_PRODUCT_ROWS - 1) / GI_PRODUCT_ROWS;
  s->threads = gi_cpu_parts(threads, step, PART);
  s->groups = 1;
  s->by_rows = s->threads == 1;
  if (s->by_rows) {
    const int64_t all = step > INT64_MAX / r->steps ? INT64_MAX : step * r->steps;
    s->threads = (int)GI_MIN(gi_cpu_parts(threads, all, PART), tiles);
    s->groups = s->threads;
  } else if (s->u.blocks < (int64_t)PARTS_A_THREAD * s->threads) {
    const int64_t wanted =
        ((int64_t)PARTS_A_THREAD * s->threads + s->u.blocks - 1) / s->u.blocks;
    s->groups = GI_MIN(wanted, tiles);
  }
}

static gi_cell_loop *cell_of(const state *s) {
  const gi_recurrent_loops *l = s->loops;
  if (s->r.gates == 1) return s->r.backward ? l->rnn_grad : l->rnn;
  if (s->r.gates == 3) return s->r.backward ? l->gru_grad : l->gru;
  return s->r.backward ? l->lstm_grad : l->lstm;
}

static int64_t take(int64_t *end, int64_t floats) {
  const int64_t at = *end;
  *end += (floats + ALIGN - 1) / ALIGN * ALIGN;
  return at;
}

/* Packs the weights that are the same in every run. */
static glia_status keep_known(state *s, const gi_problem *p, gi_prepared *out) {
  gi_thin *const w[] = {&s->u, &s->v};
  const int at[] = {s->r.at[GI_RECURRENT_U], s->r.at[GI_RECURRENT_PROJECTION]};
  int64_t floats = 0;
  for (int i = 0; i < 2; i++)
    if (at[i] >= 0 && p->known != NULL && p->known[at[i]] != NULL)
      floats += gi_thin_floats(w[i]);
  if (floats == 0) return GLIA_OK;
  s->owned = gi_alloc_aligned((size_t)floats * sizeof *s->owned);
  if (s->owned == NULL) return gi_fail_nomem((size_t)floats * sizeof *s->owned);
  for (int64_t i = 0, done = 0; i < 2; i++) {
    if (at[i] < 0 || p->known[at[i]] == NULL) continue;
    w[i]->from = p->known[at[i]];
    w[i]->panels = s->owned + done;
    gi_thin_pack(w[i], 1);
    w[i]->kept = true;
    done += gi_thin_floats(w[i]);
    out->unread |= (uint64_t)1 << at[i];
  }
  out->kept = (size_t)floats * sizeof *s->owned;
  return GLIA_OK;
}

static void release(void *state_) {
  state *s = state_;
  gi_free_aligned(s->owned);
  gi_free(s);
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  const gi_recurrent_attr *a = p->attr;
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  const gi_isa *isa = gi_cpu_isa();
  s->r = gi_recurrence_of(p->op, a);
  gi_recurrence_size(&s->r, &p->in[gi_steps_input(&s->r)], &p->in[s->r.at[GI_RECURRENT_U]]);
  if (gi_has(&s->r, GI_RECURRENT_LENGTHS))
    s->lengths_type = p->in[s->r.at[GI_RECURRENT_LENGTHS]];
  s->relu = s->r.gates == 1 && strcmp(a->activation, "relu") == 0;
  s->width = isa->product->width;
  s->loops = isa->recurrent;
  s->cell = cell_of(s);
  describe(s);
  divide(s, p->threads);
  const glia_status kept = keep_known(s, p, out);
  if (kept != GLIA_OK) {
    release(s);
    return kept;
  }
  const gi_recurrence *r = &s->r;
  int64_t end = 0;
  s->lengths_at = take(&end, 2 * r->batch); /* int64_t */
  s->hidden_at = take(&end, s->v.blocks > 0 ? r->batch * r->units : 0);
  s->through_at = take(&end, r->backward ? r->batch * r->state : 0);
  s->u_at = take(&end, s->u.kept ? 0 : gi_thin_floats(&s->u));
  s->v_at = take(&end, s->v.kept ? 0 : gi_thin_floats(&s->v));
  out->state = s;
  out->scratch = (size_t)end * sizeof(float);
  out->threads = s->threads;
  return GLIA_OK;
}

static const gi_kernel forward = {
    .ops = {"rnn", "gru", "lstm"},
    .name = "recurrent_panels",
    .fits = fits,
    .prepare = prepare,
    .run = run_forward,
    .release = release,
};
static const gi_kernel backward = {
    .ops = {"rnn_grad", "gru_grad", "lstm_grad"},
    .name = "recurrent_panels",
    .fits = fits,
    .prepare = prepare,
    .run = run_backward,
    .release = release,
};

const gi_kernel *const gi_cpu_kernels_recurrent[] = {&forward, &backward, NULL};
