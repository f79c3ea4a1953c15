/* elementwise.c - fused groups, and single elementwise ops as groups of one (isa/group.h).
 *
 * Preparing a group: the dimensions are put in the order of memory and those that belong
 * together for every operand are joined, so that most groups end as one or two; operands are
 * sorted by how they are reached; registers that are never alive together share a slot.
 */
#include "backend/cpu/cpu.h"
#include "backend/cpu/jit.h"

enum {
  PART = 32768 /* elements times ops that are worth waking a thread for: some 10 us */
};

typedef struct state {
  gi_group g;
  gi_group_run *run;
  gi_jit *jit; /* owned; NULL: op by op */
  int parts;
  /* for the time of a run */
  const void *const *in;
  void *const *out;
  float *scratch;
} state;

/* ---- what is taken ----------------------------------------------------------------------- */

static gi_micro_loop *find(const gi_isa *isa, const char *name) {
  for (const gi_micro_row *r = isa->micro; r->name != NULL; r++)
    if (strcmp(r->name, name) == 0) return r->loop;
  return NULL;
}

static gi_micro_loop *loop_of(const gi_isa *isa, const gi_micro *m, glia_dtype from) {
  const bool truth = m->dtype == GLIA_BOOL && from != GLIA_BOOL;
  return find(isa, truth && strcmp(m->op->name, "cast") == 0 ? "truth" : m->op->name);
}

static bool is_float_or_bool(glia_dtype t) { return t == GLIA_F32 || t == GLIA_BOOL; }

/* Integers are taken where they become floats at once: rounded once, as cast does. */
static const char *check_input(const gi_program *p, glia_dtype t, int reg) {
  if (is_float_or_bool(t)) return NULL;
  if (t != GLIA_I32 && t != GLIA_I64 && t != GLIA_U8)
    return "takes f32 and bool, and integers that are cast";
  for (int k = 0; k < p->n_code; k++)
    for (int i = 0; p->code[k].op != NULL && i < p->code[k].op->min_in; i++)
      if (p->code[k].src[i] == reg && strcmp(p->code[k].op->name, "cast") != 0)
        return "integers are taken by cast alone";
  for (int k = 0; k < p->n_out; k++)
    if (p->out[k] == reg) return "integers are taken by cast alone";
  return NULL;
}

static const char *check_program(const gi_program *p, const gi_type *in) {
  for (int i = 0; i < p->n_in; i++) {
    const char *why = check_input(p, in[i].dtype, i);
    if (why != NULL) return why;
  }
  for (int k = 0; k < p->n_code; k++) {
    if (!is_float_or_bool(p->code[k].dtype)) return "gives f32 and bool only";
    if (p->code[k].op != NULL && find(&gi_isa_base, p->code[k].op->name) == NULL)
      return "has no vector loop for one of the ops";
  }
  return NULL;
}

/* Space for the program of a single op. */
typedef union single {
  gi_program p;
  unsigned char bytes[sizeof(gi_program) + sizeof(gi_micro)];
} single;

static const gi_program *program_of(const gi_problem *p, single *space) {
  if (p->op == &gi_op_fused) return gi_fused_program(p->attr);
  memset(space, 0, sizeof *space);
  gi_program *one = &space->p;
  one->n_in = p->n_in;
  one->n_code = 1;
  one->n_out = 1;
  one->out[0] = p->n_in;
  gi_micro *m = &one->code[0];
  m->op = p->op;
  m->dtype = p->out[0].dtype;
  for (int i = 0; i < p->n_in; i++) m->src[i] = i;
  if (p->attr != NULL) memcpy(&m->attr, p->attr, GI_MIN(sizeof m->attr, p->op->attr_size));
  return one;
}

static bool is_elementwise(const gi_op *op) {
  return op == &gi_op_fused || (op->flags & GI_ELEMENTWISE) != 0;
}

static const char *fits(const gi_problem *p) {
  single space;
  if (!is_elementwise(p->op)) return "";
  if (p->n_in == 0 || p->n_in > GI_FUSED_IN) return "takes 1 to 16 operands";
  return check_program(program_of(p, &space), p->in);
}

/* Plain, or all operands of the group's full shape channels-last. */
static bool layouts(const gi_problem *p, int choice, gi_layout *in, gi_layout *out) {
  if (choice == 0) return true;
  bool full = false;
  for (int i = 0; i < p->n_in; i++) {
    if (!gi_shape_equal(&p->in[i], &p->out[0])) continue;
    in[i] = GI_CHANNELS_LAST;
    full = true;
  }
  for (int k = 0; k < p->n_out; k++) out[k] = GI_CHANNELS_LAST;
  return choice == 1 && full && p->out[0].rank == 4;
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
  gi_micro_loop *loop = find(isa, name);
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

/* Drops dimensions of size 1, puts the others in the order of memory (that of the results) and
 * joins neighbours that every operand walks through as one. strides[n_in] are the results'. */
static void join_dims(gi_group *g, const gi_type *shape, gi_layout layout,
                      int64_t strides[][GLIA_MAX_RANK]) {
  static const int plain[] = {0, 1, 2, 3, 4, 5, 6, 7}, last[] = {0, 2, 3, 1};
  const int *order = layout == GI_CHANNELS_LAST && shape->rank == 4 ? last : plain;
  g->rank = 0;
  for (int j = 0; j < shape->rank; j++) {
    const int d = order[j];
    if (shape->dim[d] == 1) continue;
    bool joins = g->rank > 0;
    for (int i = 0; i < g->n_in && joins; i++)
      joins = g->in[i].stride[g->rank - 1] == strides[i][d] * shape->dim[d];
    if (!joins) g->dim[g->rank++] = 1;
    g->dim[g->rank - 1] *= shape->dim[d];
    for (int i = 0; i < g->n_in; i++) g->in[i].stride[g->rank - 1] = strides[i][d];
  }
  if (g->rank > 0) return;
  g->rank = 1; /* one element */
  g->dim[0] = 1;
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
  return g->rank == 2 && o->stride[0] == 0 && g->dim[1] <= GI_TILE && g->dim[1] % GI_SPLAT == 0;
}

static void sort_operands(gi_group *g) {
  g->tile = GI_TILE;
  for (int i = 0; i < g->n_in; i++) {
    gi_operand *o = &g->in[i];
    bool one = true;
    for (int d = 0; d < g->rank; d++) one = one && (o->stride[d] == 0 || g->dim[d] == 1);
    if (one)
      o->access = GI_ONE;
    else if (o->dtype == GLIA_F32 && is_dense(g, o))
      o->access = GI_DENSE;
    else if (is_periodic(g, o))
      o->access = GI_PERIODIC;
    else
      o->access = GI_GATHERED;
    if (o->access == GI_PERIODIC) g->tile = GI_TILE - GI_TILE % g->dim[1];
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
 * an op may write over its own operands. Rows that stay for the whole run keep their slot. */
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
    free_at[o->slot] = o->access == GI_PERIODIC ? g->n_code + 1 : last[i];
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

/* ---- preparing and running --------------------------------------------------------------- */

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
    op->n_src = m->op->min_in;
    memcpy(op->src, m->src, sizeof op->src);
    op->a = (float)m->attr.a;
    op->b = (float)m->attr.b;
  }
  for (int k = 0; k < p->n_out; k++)
    g->out[k] = (gi_group_out){p->out[k], problem->out[k].dtype};
}

/* Machine code where it can be had, else pairs of ops. A single op is not worth code: its loop
 * goes through memory once, too. */
static void compile(state *s, const gi_program *p) {
  gi_group *g = &s->g;
  int ops = 0;
  for (int k = 0; k < p->n_code; k++) ops += p->code[k].op != NULL;
  if (ops > 1 && gi_cpu_isa() != &gi_isa_base) s->jit = gi_jit_new(p, g);
  if (s->jit == NULL) {
    merge_pairs(g, p);
    return;
  }
  g->compiled = gi_jit_code(s->jit);
  g->streams = true;
  for (int i = 0; i < g->n_in; i++)
    g->streams = g->streams && (g->in[i].access == GI_DENSE || g->in[i].access == GI_ONE);
  for (int k = 0; k < g->n_out; k++) g->streams = g->streams && g->out[k].dtype == GLIA_F32;
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  int64_t strides[GI_FUSED_IN][GLIA_MAX_RANK];
  single space;
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  gi_group *g = &s->g;
  const gi_program *program = program_of(p, &space);
  translate(g, program, p);
  for (int i = 0; i < g->n_in; i++) {
    g->in[i].dtype = p->in[i].dtype;
    operand_strides(&p->in[i], p->in_layout[i], &p->out[0], strides[i]);
  }
  join_dims(g, &p->out[0], p->out_layout[0], strides);
  g->count = gi_type_count(&p->out[0]);
  sort_operands(g);
  compile(s, program);
  give_slots(g);
  s->run = gi_cpu_isa()->group_run;
  s->parts = gi_cpu_parts(p->threads, g->count * (g->n_code + 1), PART);
  out->state = s;
  out->scratch = (size_t)s->parts * (size_t)gi_group_scratch(g) * sizeof(float);
  return GLIA_OK;
}

static void release(void *state_) {
  state *s = state_;
  gi_jit_free(s->jit);
  gi_free(s);
}

static void run_part(void *user, int64_t part) {
  const state *s = user;
  const int64_t tiles = (s->g.count + s->g.tile - 1) / s->g.tile;
  const int64_t first = tiles * part / s->parts * s->g.tile;
  const int64_t last = tiles * (part + 1) / s->parts * s->g.tile;
  s->run(&s->g, s->in, s->out, first, GI_MIN(last, s->g.count),
         s->scratch + part * gi_group_scratch(&s->g));
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  if (s->g.count == 0) return GLIA_OK;
  s->in = x->in;
  s->out = x->out;
  s->scratch = x->scratch;
  gi_cpu_for(s->parts, s->parts, run_part, s);
  return GLIA_OK;
}

static const gi_kernel kernel = {
    .op = NULL,
    .name = "elementwise_vector",
    .fits = fits,
    .layouts = layouts,
    .prepare = prepare,
    .run = run,
    .release = release,
};

const gi_kernel *const gi_cpu_kernels_elementwise[] = {&kernel, NULL};
