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

static void convert(glia_dtype t, const void *from, int64_t offset, int64_t stride, float *to,
                    int64_t n) {
  switch (t) {
    case GLIA_F32: CONVERT(float); break;
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

/* Elements e .. e + n - 1, whole vectors. direct[k]: op k writes to this output at once, or -1.
 */
static void run_tile(const gi_group *g, const void *const *in, void *const *out, place *p,
                     const int *direct, int64_t e, int64_t n, float *slots) {
  float *result[GI_FUSED_CODE];
  for (int i = 0; i < g->n_in; i++) {
    const gi_operand *o = &g->in[i];
    if (o->access == GI_DENSE) {
      p->at[i] = (const float *)in[i] + e;
      p->step[i] = GI_LANES;
    } else if (o->access == GI_GATHERED) {
      reach(g, o, in[i], e, n, slots + (int64_t)o->slot * GI_TILE, &p->at[i], &p->step[i]);
    }
  }
  for (int k = 0; k < g->n_code; k++)
    result[k] = direct[k] >= 0 ? (float *)out[direct[k]] + e
                               : slots + (int64_t)g->code[k].slot * GI_TILE;
  run_code(g, p, result, n);
  for (int k = 0; k < g->n_out; k++) {
    const int reg = g->out[k].reg;
    if (reg >= g->n_in && direct[reg - g->n_in] == k) continue;
    write_out(g->out[k].dtype, out[k], e, p->at[reg], p->step[reg], n);
  }
}

/* The same by compiled code. Bool outputs go through the slots of their registers. */
static void run_compiled(const gi_group *g, const void *const *in, void *const *out, place *p,
                         int64_t e, int64_t n, const float *splats, float *slots) {
  float *to[GI_FUSED_OUT];
  for (int i = 0; i < g->n_in; i++) {
    const gi_operand *o = &g->in[i];
    if (o->access == GI_DENSE) p->at[i] = (const float *)in[i] + e;
    if (o->access != GI_GATHERED) continue;
    float *slot = slots + (int64_t)o->slot * GI_TILE;
    reach(g, o, in[i], e, n, slot, &p->at[i], &p->step[i]);
    if (p->step[i] == 0) fill(slot, slot[0], n); /* code walks along every operand */
  }
  for (int k = 0; k < g->n_out; k++) {
    const int op = g->out[k].reg - g->n_in;
    if (op < 0 || g->code[op].constant) continue;
    to[k] = g->out[k].dtype == GLIA_F32 ? (float *)out[k] + e
                                        : slots + (int64_t)g->code[op].slot * GI_TILE;
  }
  g->compiled(p->at, to, splats, n * (int64_t)sizeof(float));
  for (int k = 0; k < g->n_out; k++) {
    const int reg = g->out[k].reg, op = reg - g->n_in;
    const bool given = op < 0 || g->code[op].constant; /* an input or a constant */
    const bool one = op < 0 ? g->in[reg].access == GI_ONE : given;
    if (given)
      write_out(g->out[k].dtype, out[k], e, p->at[reg], one ? 0 : GI_LANES, n);
    else if (g->out[k].dtype != GLIA_F32)
      write_out(g->out[k].dtype, out[k], e, to[k], GI_LANES, n);
  }
}

/* Elements e .. e + n - 1, less than one vector: on copies. */
static void run_rest(const gi_group *g, const void *const *in, void *const *out, place *p,
                     int64_t e, int64_t n) {
  float copy[GI_REGISTERS][GI_LANES] = {{0}}, *result[GI_FUSED_CODE];
  for (int i = 0; i < g->n_in; i++) {
    if (g->in[i].access == GI_ONE) continue;
    gather(g, &g->in[i], in[i], e, n, copy[i]);
    p->at[i] = copy[i];
    p->step[i] = GI_LANES;
  }
  for (int k = 0; k < g->n_code; k++) result[k] = copy[g->n_in + k];
  run_code(g, p, result, GI_LANES);
  for (int k = 0; k < g->n_out; k++) {
    const int reg = g->out[k].reg;
    write_out(g->out[k].dtype, out[k], e, p->at[reg], p->step[reg], n);
  }
}

/* Does output k share memory with an input that an op after `op` reads? */
static bool overwrites(const gi_group *g, const void *const *in, const void *out, int op) {
  for (int i = 0; i < g->n_in; i++)
    if (in[i] == out && g->in[i].last_read > op) return true;
  return false;
}

void GI_ISA(gi_group_run)(const gi_group *g, const void *const *in, void *const *out,
                          int64_t first, int64_t last, float *scratch) {
  place p;
  int direct[GI_FUSED_CODE];
  float *splats = scratch, *slots = scratch + (int64_t)GI_REGISTERS * GI_SPLAT;
  for (int k = 0; k < g->n_code; k++) direct[k] = -1;
  for (int k = 0; k < g->n_out; k++) {
    const int op = g->out[k].reg - g->n_in;
    if (op >= 0 && g->code[op].loop != NULL && g->out[k].dtype == GLIA_F32 && direct[op] < 0 &&
        !overwrites(g, in, out[k], op))
      direct[op] = k;
  }
  for (int r = 0; r < g->n_in + g->n_code; r++) {
    float *splat_at = splats + r * GI_SPLAT, v;
    if (r < g->n_in && g->in[r].access == GI_ONE)
      convert(g->in[r].dtype, in[r], 0, 0, &v, 1);
    else if (r >= g->n_in && g->code[r - g->n_in].constant)
      v = g->code[r - g->n_in].a;
    else
      continue;
    fill(splat_at, v, GI_SPLAT);
    p.at[r] = splat_at;
    p.step[r] = 0;
  }
  for (int i = 0; i < g->n_in; i++) {
    if (g->in[i].access != GI_PERIODIC) continue;
    float *slot = slots + (int64_t)g->in[i].slot * GI_TILE;
    gather(g, &g->in[i], in[i], 0, g->tile < g->count ? g->tile : g->count, slot);
    p.at[i] = slot;
    p.step[i] = GI_LANES;
  }
  const int64_t most = g->streams ? last - first : g->tile;
  for (int64_t e = first; e < last; e += most) {
    const int64_t n = last - e < most ? last - e : most, whole = n - n % GI_LANES;
    if (whole > 0 && g->compiled != NULL)
      run_compiled(g, in, out, &p, e, whole, splats, slots);
    else if (whole > 0)
      run_tile(g, in, out, &p, direct, e, whole, slots);
    if (n > whole) run_rest(g, in, out, &p, e + whole, n - whole);
  }
}
