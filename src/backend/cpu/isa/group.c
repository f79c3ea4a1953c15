/* group.c - runs a group of elementwise ops, tile by tile.
 *
 * What is left behind the last whole vector is done on a copy of one vector's length, so that
 * nothing is read or written beyond the end of the caller's memory.
 *
 * An output may share the memory of an input that is dense (the plan does this). It is then
 * written at once only if no later op reads that input; else it goes to its slot, and to memory
 * when the program has run for the tile.
 */
#include "backend/cpu/isa/isa.h"
#include "backend/cpu/isa/vector.h"

/* A run of the group's elements: where each register lies now. */
typedef struct place {
  const float *at[GI_REGISTERS];
  ptrdiff_t step[GI_REGISTERS];
} place;

/* ---- inputs that do not lie as floats in the group's order ------------------------------- */

static void fill(float *to, float v, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = v;
}

#define CONVERT(type)                                               \
  do {                                                              \
    const type *s = (const type *)from + offset;                    \
    if (stride == 0)                                                \
      fill(to, (float)s[0], n);                                     \
    else if (stride == 1)                                           \
      for (int64_t i = 0; i < n; i++) to[i] = (float)s[i];          \
    else                                                            \
      for (int64_t i = 0; i < n; i++) to[i] = (float)s[i * stride]; \
  } while (0)

static void widen(const uint16_t *from, int64_t stride, float *to, int64_t n) {
  if (stride == 1) {
    GI_ISA(gi_narrow_loops).widen(from, to, n);
    return;
  }
  for (int64_t i = 0; i < n; i++) GI_ISA(gi_narrow_loops).widen(from + i * stride, to + i, 1);
}

static void convert(glia_dtype t, const void *from, int64_t offset, int64_t stride, float *to,
                    int64_t n) {
  switch (t) {
    case GLIA_F32: CONVERT(float); break;
    case GLIA_BF16: widen((const uint16_t *)from + offset, stride, to, n); break;
    case GLIA_I32: CONVERT(int32_t); break;
    case GLIA_I64: CONVERT(int64_t); break;
    default: CONVERT(uint8_t); break; /* u8 and bool */
  }
}

/* Where element e of the group is: at[d] by dimension; returns its offset in the operand. */
static int64_t locate(const gi_group *g, const gi_operand *o, int64_t e, int64_t *at) {
  int64_t offset = 0;
  for (int d = g->rank - 1; d >= 0; d--) {
    at[d] = e % g->dim[d];
    e /= g->dim[d];
    offset += at[d] * o->stride[d];
  }
  return offset;
}

/* Elements e .. e + n - 1 of an operand: one run after the other along the last dimension. */
static void gather(const gi_group *g, const gi_operand *o, const void *from, int64_t e,
                   int64_t n, float *to) {
  int64_t at[GLIA_MAX_RANK], offset = locate(g, o, e, at);
  const int last = g->rank - 1;
  while (n > 0) {
    const int64_t left = g->dim[last] - at[last], run = left < n ? left : n;
    convert(o->dtype, from, offset, o->stride[last], to, run);
    to += run;
    n -= run;
    offset += run * o->stride[last];
    at[last] += run;
    for (int d = last; d > 0 && at[d] == g->dim[d]; d--) {
      offset += o->stride[d - 1] - at[d] * o->stride[d];
      at[d] = 0;
      at[d - 1]++;
    }
  }
}

/* The same where it may be spared: floats that lie in one run are taken in place, one that is
 * repeated fills a single vector. */
static void reach(const gi_group *g, const gi_operand *o, const void *from, int64_t e,
                  int64_t n, float *slot, const float **to, ptrdiff_t *step) {
  int64_t at[GLIA_MAX_RANK];
  const int last = g->rank - 1;
  const int64_t offset = locate(g, o, e, at), stride = o->stride[last];
  *to = slot;
  *step = GI_LANES;
  if (at[last] + n > g->dim[last] || stride > 1 || (stride == 1 && o->dtype != GLIA_F32)) {
    gather(g, o, from, e, n, slot);
  } else if (stride == 1) {
    *to = (const float *)from + offset;
  } else {
    convert(o->dtype, from, offset, 0, slot, GI_LANES);
    *step = 0;
  }
}

/* ---- chance ------------------------------------------------------------------------------ */

/* Where the run of a group is, and its memory. */
typedef struct run {
  const gi_group *g;
  const gi_group_call *c;
  float *splats, *slots, *rows;
  int64_t quad[GI_FUSED_IN]; /* by drawn operand: the four rows that are drawn; -1 none */
  place p;
  int direct[GI_FUSED_CODE]; /* op k writes to this output at once, or -1 */
} run;

/* Masks of elements e .. e + n - 1 into slot. */
static void draw_masks(run *r, int i, int64_t e, int64_t n, float *slot) {
  const gi_drawn *d = &r->g->in[i].drawn;
  const gi_chance_loops *chance = &GI_ISA(gi_chance_loops);
  const gi_stream s = {r->c->seed ^ d->stream, r->c->step};
  if (d->channels == 0) {
    chance->keep(&s, (uint64_t)e, n, d->least, slot);
    return;
  }
  const int64_t four = 4 * d->channels;
  float *rows = r->rows + d->rows_at;
  while (n > 0) {
    const int64_t quad = e / four, at = e % four, m = four - at < n ? four - at : n;
    if (r->quad[i] != quad) {
      const int64_t image = quad * 4 / d->plane, row = quad * 4 % d->plane;
      chance->keep_rows(&s, (uint64_t)(image * d->channels * d->plane + row),
                        (uint64_t)d->plane, d->channels, d->least, rows);
      r->quad[i] = quad;
    }
    memcpy(slot, rows + at, (size_t)m * sizeof *slot);
    slot += m;
    e += m;
    n -= m;
  }
}

/* ---- folds ------------------------------------------------------------------------------- */

/* Whole rows of the last dimension that go to the same accumulators, from element `at` on. */
static int64_t rows_alike(const gi_group *g, const int64_t *at, int64_t n) {
  const int last = g->rank - 1;
  if (last == 0 || at[last] != 0 || g->to[last] == 0 || g->to[last - 1] != 0) return 0;
  const int64_t left = g->dim[last - 1] - at[last - 1], rows = n / g->dim[last];
  return rows < left ? rows : left;
}

/* Adds elements e .. e + n - 1 to their accumulators. */
static void fold_run(const run *r, int k, int64_t e, int64_t n, const float *x) {
  const gi_group *g = r->g;
  const gi_fold_loops *fold = &GI_ISA(gi_fold_loops_f32);
  const gi_fold f = g->out[k].fold;
  const int last = g->rank - 1;
  const gi_operand o = {.access = GI_GATHERED};
  int64_t at[GLIA_MAX_RANK];
  locate(g, &o, e, at);
  while (n > 0) {
    int64_t offset = -r->c->base, rows = rows_alike(g, at, n), m = g->dim[last] - at[last];
    for (int d = 0; d < g->rank; d++) offset += at[d] * g->to[d];
    float *to = r->c->accumulator[k] + offset;
    if (m > n) m = n;
    if (g->to[last] == 0)
      *to = fold->join(f, *to, fold->row(f, x, 1, 0, m, 0));
    else
      fold->columns(f, x, rows > 0 ? rows : 1, g->dim[last], m, NULL, false, to);
    if (rows > 0) { /* m is a whole row */
      at[last - 1] += rows - 1;
      m *= rows;
    }
    at[last] += rows > 0 ? g->dim[last] : m;
    for (int d = last; d > 0 && at[d] == g->dim[d]; d--) {
      at[d] = 0;
      at[d - 1]++;
    }
    x += m;
    n -= m;
  }
}

/* The same of a register, which may be one vector that stands for all. */
static void fold_out(const run *r, int k, int64_t e, int64_t n, const float *x,
                     ptrdiff_t step) {
  float same[GI_TILE];
  if (step == 0) fill(same, x[0], n);
  fold_run(r, k, e, n, step == 0 ? same : x);
}

/* ---- the parts of a run ------------------------------------------------------------------ */

static void write_out(glia_dtype t, void *out, int64_t e, const float *from, ptrdiff_t step,
                      int64_t n) {
  const int64_t mask = step == 0 ? GI_LANES - 1 : -1; /* one vector stands for all */
  if (t == GLIA_F32) {
    float *to = (float *)out + e;
    if (step != 0)
      memmove(to, from, (size_t)n * sizeof *to);
    else
      fill(to, from[0], n);
    return;
  }
  if (t == GLIA_BF16) {
    const int64_t most = step == 0 ? GI_LANES : n;
    for (int64_t i = 0; i < n; i += most)
      GI_ISA(gi_narrow_loops)
          .narrow(from, (uint16_t *)out + e + i, most < n - i ? most : n - i);
    return;
  }
  uint8_t *to = (uint8_t *)out + e;
  for (int64_t i = 0; i < n; i++) to[i] = from[i & mask] != 0.0f;
}

static void run_code(const gi_group *g, place *p, float *const *result, int64_t n) {
  for (int k = 0; k < g->n_code; k++) {
    const gi_group_op *op = &g->code[k];
    if (op->loop == NULL) continue;
    gi_micro_call call = {.out = result[k], .a = op->a, .b = op->b};
    for (int i = 0; i < op->n_src; i++) {
      call.src[i] = p->at[op->src[i]];
      call.step[i] = p->step[op->src[i]];
    }
    op->loop(&call, n);
    p->at[g->n_in + k] = result[k];
    p->step[g->n_in + k] = GI_LANES;
  }
}

/* Brings the inputs of elements e .. e + n - 1 to hand. walked: every operand is walked along.
 */
static void reach_inputs(run *r, int64_t e, int64_t n, bool walked) {
  for (int i = 0; i < r->g->n_in; i++) {
    const gi_operand *o = &r->g->in[i];
    float *slot = r->slots + (int64_t)o->slot * GI_TILE;
    if (o->access == GI_DENSE) {
      r->p.at[i] = (const float *)r->c->in[i] + e;
      r->p.step[i] = GI_LANES;
    } else if (o->access == GI_DRAWN) {
      draw_masks(r, i, e, n, slot);
      r->p.at[i] = slot;
      r->p.step[i] = GI_LANES;
    } else if (o->access == GI_GATHERED) {
      reach(r->g, o, r->c->in[i], e, n, slot, &r->p.at[i], &r->p.step[i]);
      if (walked && r->p.step[i] == 0) fill(slot, slot[0], n);
    }
  }
}

/* Gives the registers that are outputs, where they are not written yet. */
static void give_outputs(const run *r, int64_t e, int64_t n) {
  const gi_group *g = r->g;
  for (int k = 0; k < g->n_out; k++) {
    const int reg = g->out[k].reg;
    if (g->out[k].folded)
      fold_out(r, k, e, n, r->p.at[reg], r->p.step[reg]);
    else if (reg < g->n_in || r->direct[reg - g->n_in] != k)
      write_out(g->out[k].dtype, r->c->out[k], e, r->p.at[reg], r->p.step[reg], n);
  }
}

/* Elements e .. e + n - 1, whole vectors. */
static void run_tile(run *r, int64_t e, int64_t n) {
  const gi_group *g = r->g;
  float *result[GI_FUSED_CODE];
  reach_inputs(r, e, n, false);
  for (int k = 0; k < g->n_code; k++)
    result[k] = r->direct[k] >= 0 ? (float *)r->c->out[r->direct[k]] + e
                                  : r->slots + (int64_t)g->code[k].slot * GI_TILE;
  run_code(g, &r->p, result, n);
  give_outputs(r, e, n);
}

/* The same by compiled code. Outputs that are bool or folded go through the slots of their
 * registers. */
static void run_compiled(run *r, int64_t e, int64_t n) {
  const gi_group *g = r->g;
  float *to[GI_FUSED_OUT];
  reach_inputs(r, e, n, true);
  for (int k = 0; k < g->n_out; k++) {
    const int reg = g->out[k].reg, op = reg - g->n_in;
    if (op < 0 || g->code[op].constant || g->out[k].same != k) continue;
    const bool memory = g->out[k].dtype == GLIA_F32 && !g->out[k].folded;
    to[k] = memory ? (float *)r->c->out[k] + e : r->slots + (int64_t)g->code[op].slot * GI_TILE;
    r->p.at[reg] = to[k];
    r->p.step[reg] = GI_LANES;
    r->direct[op] = memory ? k : -1;
  }
  g->compiled(r->p.at, to, r->splats, n * (int64_t)sizeof(float));
  give_outputs(r, e, n);
}

/* Elements e .. e + n - 1, less than one vector: on copies. */
static void run_rest(run *r, int64_t e, int64_t n) {
  const gi_group *g = r->g;
  float copy[GI_REGISTERS][GI_LANES] = {{0}}, *result[GI_FUSED_CODE];
  for (int i = 0; i < g->n_in; i++) {
    if (g->in[i].access == GI_ONE) continue;
    if (g->in[i].access == GI_DRAWN)
      draw_masks(r, i, e, n, copy[i]);
    else
      gather(g, &g->in[i], r->c->in[i], e, n, copy[i]);
    r->p.at[i] = copy[i];
    r->p.step[i] = GI_LANES;
  }
  for (int k = 0; k < g->n_code; k++) result[k] = copy[g->n_in + k];
  run_code(g, &r->p, result, GI_LANES);
  for (int k = 0; k < g->n_code; k++) r->direct[k] = -1;
  give_outputs(r, e, n);
}

/* Does output k share memory with an input that an op after `op` reads? */
static bool overwrites(const gi_group *g, const void *const *in, const void *out, int op) {
  for (int i = 0; i < g->n_in; i++)
    if (g->in[i].access != GI_DRAWN && in[i] == out && g->in[i].last_read > op) return true;
  return false;
}

/* Which ops of the program, run op by op, write to memory at once. */
static void direct_outputs(run *r) {
  const gi_group *g = r->g;
  for (int k = 0; k < g->n_code; k++) r->direct[k] = -1;
  for (int k = 0; k < g->n_out && g->compiled == NULL; k++) {
    const int op = g->out[k].reg - g->n_in;
    if (op >= 0 && g->code[op].loop != NULL && g->out[k].dtype == GLIA_F32 &&
        !g->out[k].folded && r->direct[op] < 0 && !overwrites(g, r->c->in, r->c->out[k], op))
      r->direct[op] = k;
  }
}

/* What stays for the whole run: single elements, constants, periodic rows. */
static void fill_splats(run *r, const gi_group *g) {
  for (int reg = 0; reg < g->n_in + g->n_code; reg++) {
    float *splat_at = r->splats + reg * GI_SPLAT, v;
    if (reg < g->n_in && g->in[reg].access == GI_ONE)
      convert(g->in[reg].dtype, r->c->in[reg], 0, 0, &v, 1);
    else if (reg >= g->n_in && g->code[reg - g->n_in].constant)
      v = g->code[reg - g->n_in].a;
    else
      continue;
    fill(splat_at, v, GI_SPLAT);
    r->p.at[reg] = splat_at;
    r->p.step[reg] = 0;
  }
  for (int i = 0; i < g->n_in; i++) {
    if (g->in[i].access != GI_PERIODIC) continue;
    float *slot = r->slots + (int64_t)g->in[i].slot * GI_TILE;
    gather(g, &g->in[i], r->c->in[i], 0, g->tile < g->count ? g->tile : g->count, slot);
    r->p.at[i] = slot;
    r->p.step[i] = GI_LANES;
  }
}

void GI_ISA(gi_group_run)(const gi_group *g, const gi_group_call *c, int64_t first,
                          int64_t last) {
  run r = {.g = g, .c = c, .splats = c->scratch};
  r.slots = r.splats + (int64_t)GI_REGISTERS * GI_SPLAT;
  r.rows = r.slots + (int64_t)g->n_slots * GI_TILE;
  for (int i = 0; i < GI_FUSED_IN; i++) r.quad[i] = -1;
  direct_outputs(&r);
  fill_splats(&r, g);
  const int64_t most = g->streams ? last - first : g->tile;
  for (int64_t e = first; e < last; e += most) {
    const int64_t n = last - e < most ? last - e : most, whole = n - n % GI_LANES;
    if (whole > 0 && g->compiled != NULL)
      run_compiled(&r, e, whole);
    else if (whole > 0)
      run_tile(&r, e, whole);
    if (n > whole) run_rest(&r, e + whole, n - whole);
  }
}
