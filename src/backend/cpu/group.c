/* group.c - preparing a group of elementwise ops and reductions: the dimensions are put in the
 * order of memory and those that belong together for every operand are joined, so that most
 * groups end as one or two; operands are sorted by how they are reached; registers that are
 * never alive together share a slot.
 */
#include "backend/cpu/group.h"

#include <math.h>

#include "ops/attrs.h"

/* ---- the program ------------------------------------------------------------------------- */

gi_micro_loop *gi_group_loop(const gi_isa *isa, const char *name) {
  for (const gi_micro_row *r = isa->micro; r->name != NULL; r++)
    if (strcmp(r->name, name) == 0) return r->loop;
  return NULL;
}

static bool is_random(const gi_micro *m) {
  return m->op != NULL && (m->op->flags & GI_RANDOM) != 0;
}

int gi_group_drawn(const gi_program *p) {
  int n = 0;
  for (int k = 0; k < p->n_code; k++) n += is_random(&p->code[k]);
  return n;
}

static void read_single(const gi_problem *p, gi_program *one) {
  one->n_in = p->n_in;
  one->n_code = 1;
  one->n_out = 1;
  one->out[0].reg = p->n_in;
  gi_micro *m = &one->code[0];
  m->op = p->op;
  m->dtype = p->out[0].dtype;
  for (int i = 0; i < p->n_in; i++) m->src[i] = i;
  if (p->attr != NULL) memcpy(&m->attr, p->attr, GI_MIN(sizeof m->attr, p->op->attr_size));
}

static void drop_op(gi_program *p, int k) {
  const int reg = p->n_in + k;
  memmove(&p->code[k], &p->code[k + 1], (size_t)(--p->n_code - k) * sizeof p->code[0]);
  for (int j = k; j < p->n_code; j++)
    for (int i = 0; i < 3; i++) p->code[j].src[i] -= p->code[j].src[i] > reg;
  for (int j = 0; j < p->n_out; j++) p->out[j].reg -= p->out[j].reg > reg;
}

/* What is narrowed only to be given out is rounded when it is written. Inputs that are narrowed
 * keep their op: a result may lie over an input, so only what code makes may be written late.
 */
static void drop_narrowing(gi_program *p) {
  for (int k = p->n_code - 1; k >= 0; k--) {
    const int reg = p->n_in + k, from = p->code[k].src[0];
    bool read = false;
    if (p->code[k].op != &gi_op_cast || p->code[k].dtype != GLIA_BF16 || from < p->n_in)
      continue;
    for (int j = k + 1; j < p->n_code; j++)
      for (int i = 0; p->code[j].op != NULL && i < p->code[j].op->min_in; i++)
        read = read || p->code[j].src[i] == reg;
    for (int j = 0; j < p->n_out; j++)
      read = read || (p->out[j].reg == reg && p->out[j].fold != NULL);
    if (read) continue;
    for (int j = 0; j < p->n_out; j++)
      if (p->out[j].reg == reg) p->out[j].reg = from;
    drop_op(p, k);
  }
}

void gi_group_read(const gi_problem *p, gi_group_program *out) {
  memset(out, 0, sizeof *out);
  gi_program *to = &out->p;
  if (p->op == &gi_op_fused) {
    const gi_program *from = gi_fused_program(p->attr);
    memcpy(to, from, sizeof *from + (size_t)from->n_code * sizeof from->code[0]);
  } else {
    read_single(p, to);
  }
  const int own = to->n_in, drawn = gi_group_drawn(to);
  for (int k = 0, next = own; k < to->n_code && drawn > 0; k++) {
    gi_micro *m = &to->code[k];
    for (int i = 0; i < 3; i++) m->src[i] += m->src[i] >= own ? drawn : 0;
    if (is_random(m)) m->src[m->op->min_in] = next++;
  }
  for (int k = 0; k < to->n_out; k++) to->out[k].reg += to->out[k].reg >= own ? drawn : 0;
  to->n_in += drawn;
  drop_narrowing(to);
}

static bool is_cast(const gi_micro *m, glia_dtype to) {
  return m->op == &gi_op_cast && m->dtype == to;
}

static gi_micro_loop *loop_of(const gi_isa *isa, const gi_micro *m, glia_dtype from) {
  const char *name = m->op->name;
  if (is_cast(m, GLIA_BOOL) && from != GLIA_BOOL) name = "truth";
  if (is_cast(m, GLIA_BF16)) name = "narrow";
  return gi_group_loop(isa, name);
}

static gi_fold fold_of(const gi_op *op) {
  if (op == &gi_op_prod) return GI_FOLD_PROD;
  if (op == &gi_op_max) return GI_FOLD_MAX;
  return op == &gi_op_min ? GI_FOLD_MIN : GI_FOLD_SUM;
}

/* A dropout multiplies by 1 / (1 - p), and masks. */
static float first_number(const gi_micro *m) {
  if (!is_random(m)) return (float)m->attr.a;
  return m->attr.a < 1 ? (float)(1 / (1 - m->attr.a)) : 0.0f;
}

static void translate(gi_group *g, const gi_program *p, const gi_problem *problem) {
  const gi_isa *isa = gi_cpu_isa();
  g->n_in = p->n_in;
  g->n_code = p->n_code;
  g->n_out = p->n_out;
  for (int k = 0; k < p->n_code; k++) {
    const gi_micro *m = &p->code[k];
    gi_group_op *op = &g->code[k];
    if (m->op == NULL) {
      op->constant = true;
      op->a = m->dtype == GLIA_BOOL ? (float)(m->value != 0) : (float)m->value;
      continue;
    }
    const int first = m->src[0];
    op->loop = loop_of(
        isa, m, first < p->n_in ? problem->in[first].dtype : p->code[first - p->n_in].dtype);
    op->n_src = gi_micro_sources(m);
    memcpy(op->src, m->src, sizeof op->src);
    op->a = first_number(m);
    op->b = (float)m->attr.b;
  }
  for (int k = 0; k < p->n_out; k++) {
    const gi_fused_out *o = &p->out[k];
    g->out[k] = (gi_group_out){
        .reg = o->reg, .dtype = problem->out[k].dtype, .folded = o->fold != NULL};
    if (o->fold != NULL) g->out[k].fold = fold_of(o->fold);
    while (p->out[g->out[k].same].reg != o->reg) g->out[k].same++;
  }
}

/* ---- pairs ------------------------------------------------------------------------------- */

/* Does the program read register r just once, and not give it out? */
static bool read_once(const gi_group *g, int r) {
  int n = 0;
  for (int k = 0; k < g->n_code; k++)
    for (int i = 0; i < g->code[k].n_src; i++) n += g->code[k].src[i] == r;
  for (int k = 0; k < g->n_out; k++) n += g->out[k].reg == r;
  return n == 1;
}

/* Op k and the op behind its operand `side` as one loop, if there is one for the two. */
static bool merge(gi_group *g, const gi_program *p, int k, int side, const gi_isa *isa) {
  gi_group_op *second = &g->code[k];
  const int reg = second->src[side], j = reg - g->n_in, other = second->src[1 - side];
  if (j < 0 || g->code[j].loop == NULL || g->code[j].n_src > 2 || !read_once(g, reg))
    return false;
  const bool square = strcmp(p->code[j].op->name, "square") == 0;
  const bool reversed = side == 1 && strcmp(p->code[k].op->name, "sub") == 0;
  char name[32];
  snprintf(name, sizeof name, "%s%.8s %.8s", reversed ? "r" : "", p->code[k].op->name,
           square ? "mul" : p->code[j].op->name);
  gi_micro_loop *loop = gi_group_loop(isa, name);
  if (loop == NULL) return false;
  const int a = g->code[j].src[0], b = g->code[j].src[square ? 0 : 1];
  second->loop = loop;
  second->n_src = 3;
  second->src[0] = other;
  second->src[1] = a;
  second->src[2] = b;
  g->code[j].loop = NULL;
  g->code[j].n_src = 0;
  return true;
}

static void merge_pairs(gi_group *g, const gi_program *p) {
  const gi_isa *isa = gi_cpu_isa();
  for (int k = 0; k < g->n_code; k++)
    if (g->code[k].loop != NULL && g->code[k].n_src == 2 && !merge(g, p, k, 1, isa))
      merge(g, p, k, 0, isa);
}

/* ---- dimensions and strides -------------------------------------------------------------- */

/* Strides by dimension of the group: those of the inputs, of the accumulators of reductions,
 * and of their results. */
enum { ACCUMULATORS = GI_FUSED_IN, RESULTS, SETS };
typedef int64_t stride_sets[SETS][GLIA_MAX_RANK];

static const int plain_order[] = {0, 1, 2, 3, 4, 5, 6, 7}, last_order[] = {0, 2, 3, 1};

static const int *order_of(const gi_type *shape, gi_layout layout) {
  return layout == GI_CHANNELS_LAST && shape->rank == 4 ? last_order : plain_order;
}

/* Strides of an operand by dimension of the group, 0 where it repeats. */
static void operand_strides(const gi_type *t, gi_layout layout, const gi_type *shape,
                            int64_t *strides) {
  int64_t own[GLIA_MAX_RANK];
  gi_layout_strides(t, layout, own);
  for (int d = 0; d < shape->rank; d++) {
    const int k = d - (shape->rank - t->rank);
    strides[d] = k < 0 || t->dim[k] == 1 ? 0 : own[k];
  }
}

/* Strides of what is left when the axes are folded away, kept dense in this order. */
static void folded_strides(const gi_type *shape, const gi_dims *axes, const int *order,
                           int64_t *strides) {
  int64_t stride = 1;
  for (int j = shape->rank - 1; j >= 0; j--) {
    bool folded = false;
    for (int i = 0; i < axes->n; i++) folded |= axes->at[i] == order[j];
    strides[order[j]] = folded ? 0 : stride;
    stride *= folded ? 1 : shape->dim[order[j]];
  }
}

/* Drops dimensions of size 1, puts the others in the order of memory and joins neighbours that
 * every operand walks through as one. */
static void join_dims(gi_made_group *m, const gi_type *shape, const int *order,
                      stride_sets sets) {
  gi_group *g = &m->g;
  int64_t joined[SETS][GLIA_MAX_RANK] = {{0}};
  g->rank = 0;
  for (int j = 0; j < shape->rank; j++) {
    const int d = order[j];
    if (shape->dim[d] == 1) continue;
    bool joins = g->rank > 0;
    for (int i = 0; i < SETS && joins; i++)
      joins = joined[i][g->rank - 1] == sets[i][d] * shape->dim[d];
    if (!joins) g->dim[g->rank++] = 1;
    g->dim[g->rank - 1] *= shape->dim[d];
    for (int i = 0; i < SETS; i++) joined[i][g->rank - 1] = sets[i][d];
  }
  if (g->rank == 0) g->dim[g->rank++] = 1; /* one element */
  for (int i = 0; i < g->n_in; i++) memcpy(g->in[i].stride, joined[i], sizeof joined[i]);
  memcpy(g->to, joined[ACCUMULATORS], sizeof g->to);
  memcpy(m->result, joined[RESULTS], sizeof m->result);
}

static bool is_dense(const gi_group *g, const gi_operand *o) {
  int64_t want = 1;
  for (int d = g->rank - 1; d >= 0; d--) {
    if (g->dim[d] != 1 && o->stride[d] != want) return false;
    want *= g->dim[d];
  }
  return true;
}

/* A row that every row of the group repeats, or its elements one by one in a short row. */
static bool is_periodic(const gi_group *g, const gi_operand *o) {
  return g->rank == 2 && o->stride[0] == 0 && g->dim[1] > 0 && g->dim[1] <= GI_TILE &&
         g->dim[1] % GI_SPLAT == 0;
}

static gi_access access_of(const gi_group *g, const gi_operand *o) {
  bool one = true;
  for (int d = 0; d < g->rank; d++) one = one && (o->stride[d] == 0 || g->dim[d] == 1);
  if (one) return GI_ONE;
  if (o->dtype == GLIA_F32 && is_dense(g, o)) return GI_DENSE;
  return is_periodic(g, o) ? GI_PERIODIC : GI_GATHERED;
}

static void sort_operands(gi_group *g, int own) {
  g->tile = GI_TILE;
  for (int i = 0; i < own; i++) {
    g->in[i].access = access_of(g, &g->in[i]);
    if (g->in[i].access == GI_PERIODIC) g->tile = GI_TILE - GI_TILE % g->dim[1];
  }
}

/* The masks of random ops are the inputs from `own` on, in the order of the code. */
static void describe_masks(gi_group *g, const gi_program *p, int own, const gi_type *shape,
                           gi_layout layout) {
  for (int k = 0, i = own; k < p->n_code; k++) {
    if (!is_random(&p->code[k])) continue;
    gi_operand *o = &g->in[i++];
    const gi_elementwise_attr *a = &p->code[k].attr;
    o->access = GI_DRAWN;
    o->dtype = GLIA_F32;
    o->drawn = (gi_drawn){.stream = a->stream, .least = (uint32_t)ceil(a->a * 0x1p24)};
    if (layout != GI_CHANNELS_LAST || shape->rank != 4) continue;
    o->drawn.channels = shape->dim[1];
    o->drawn.plane = shape->dim[2] * shape->dim[3];
    o->drawn.rows_at = g->rows;
    g->rows += 4 * shape->dim[1];
  }
}

/* ---- slots ------------------------------------------------------------------------------- */

static void last_reads(const gi_group *g, int *last) {
  for (int r = 0; r < g->n_in + g->n_code; r++) last[r] = -1;
  for (int k = 0; k < g->n_code; k++)
    for (int i = 0; i < g->code[k].n_src; i++) last[g->code[k].src[i]] = k;
  for (int k = 0; k < g->n_out; k++) last[g->out[k].reg] = g->n_code;
}

/* Each input that is copied has a slot to itself up to its last reading, each op's result too;
 * an op may write over its own operands, but not over one that may be a single vector, which it
 * reads again and again. Rows that stay for the whole run keep their slot. */
static void give_slots(gi_group *g) {
  int last[GI_REGISTERS], free_at[GI_REGISTERS]; /* by slot: op from which it is free */
  last_reads(g, last);
  g->n_slots = 0;
  for (int i = 0; i < g->n_in; i++) {
    gi_operand *o = &g->in[i];
    o->last_read = last[i];
    o->slot = -1;
    if (o->access == GI_DENSE || o->access == GI_ONE) continue;
    o->slot = g->n_slots++;
    const bool repeated = o->access == GI_GATHERED && o->stride[g->rank - 1] == 0;
    free_at[o->slot] = o->access == GI_PERIODIC ? g->n_code + 1 : last[i] + repeated;
  }
  for (int k = 0; k < g->n_code; k++) {
    gi_group_op *op = &g->code[k];
    op->slot = -1;
    if (op->loop == NULL) continue;
    int s = 0;
    while (s < g->n_slots && free_at[s] > k) s++;
    if (s == g->n_slots) g->n_slots++;
    op->slot = s;
    free_at[s] = GI_MAX(last[g->n_in + k], k + 1);
  }
}

/* ---- making ------------------------------------------------------------------------------ */

/* Machine code where it can be had, else pairs of ops. A single op is not worth code: its loop
 * goes through memory once, too. */
static void compile(gi_made_group *m, const gi_program *p) {
  gi_group *g = &m->g;
  int ops = 0;
  for (int k = 0; k < p->n_code; k++) ops += p->code[k].op != NULL;
  if (ops > 1 && gi_cpu_isa() != &gi_isa_base) m->jit = gi_jit_new(p, g);
  if (m->jit == NULL) {
    merge_pairs(g, p);
    return;
  }
  g->compiled = gi_jit_code(m->jit);
  g->streams = true;
  for (int i = 0; i < g->n_in; i++)
    g->streams = g->streams && (g->in[i].access == GI_DENSE || g->in[i].access == GI_ONE);
  for (int k = 0; k < g->n_out; k++)
    g->streams = g->streams && g->out[k].dtype == GLIA_F32 && !g->out[k].folded;
}

gi_type gi_group_shape(const gi_problem *p) {
  gi_type shape = p->in[0];
  for (int i = 1; i < p->n_in; i++) /* cannot fail: infer did the same */
    if (gi_broadcast(&shape, &p->in[i], p->op->name, &shape) != GLIA_OK) break;
  return shape;
}

gi_layout gi_group_layout(const gi_problem *p, const gi_layout *in) {
  const gi_type shape = gi_group_shape(p);
  for (int i = 0; i < p->n_in; i++)
    if (in[i] == GI_CHANNELS_LAST && gi_shape_equal(&p->in[i], &shape)) return in[i];
  return GI_PLAIN;
}

void gi_group_make(const gi_problem *p, gi_made_group *out) {
  gi_group_program space;
  stride_sets sets = {{0}};
  gi_group *g = &out->g;
  const gi_type shape = gi_group_shape(p);
  gi_group_read(p, &space);
  const gi_program *program = &space.p;
  const gi_layout layout = gi_group_layout(p, p->in_layout);
  const int *order = order_of(&shape, layout);
  translate(g, program, p);
  for (int i = 0; i < p->n_in; i++) {
    g->in[i].dtype = p->in[i].dtype;
    operand_strides(&p->in[i], p->in_layout[i], &shape, sets[i]);
  }
  for (int k = 0; k < g->n_out; k++) out->folds |= g->out[k].folded;
  if (out->folds) {
    folded_strides(&shape, &program->axes, order, sets[ACCUMULATORS]);
    folded_strides(&shape, &program->axes, plain_order, sets[RESULTS]);
  }
  join_dims(out, &shape, order, sets);
  g->count = gi_type_count(&shape);
  sort_operands(g, p->n_in);
  describe_masks(g, program, p->n_in, &shape, layout);
  compile(out, program);
  give_slots(g);
}

void gi_group_drop(gi_made_group *m) { gi_jit_free(m->jit); }
