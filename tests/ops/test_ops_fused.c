/* test_ops_fused.c - random fused programs: by the reference, by the best backend's kernel,
 * and op by op after the passes have fused the lowering again.
 *
 * Only ops whose results in f32 are exact or rounded once take part, so that all ways must
 * give the same bits (but for the sign of zero and the kind of NaN, which compare as equal).
 */
#include "cases.h"

#include "compile/plan.h"

enum { PROGRAMS = 200, CODE = 14, INPUTS = 5 };

static const gi_op *const exact[] = {
    &gi_op_add,        &gi_op_sub,         &gi_op_mul,           &gi_op_minimum,
    &gi_op_maximum,    &gi_op_neg,         &gi_op_abs,           &gi_op_sign,
    &gi_op_floor,      &gi_op_ceil,        &gi_op_round,         &gi_op_square,
    &gi_op_relu,       &gi_op_relu6,       &gi_op_clip,          &gi_op_leaky_relu,
    &gi_op_where,      &gi_op_equal,       &gi_op_not_equal,     &gi_op_less,
    &gi_op_less_equal, &gi_op_greater,     &gi_op_greater_equal, &gi_op_logical_and,
    &gi_op_logical_or, &gi_op_logical_not, &gi_op_is_nan,        &gi_op_cast,
    &gi_op_dropout,
};

/* Shapes that broadcast to the first. */
static const gi_type shapes[INPUTS] = {
    {GLIA_F32, 3, {2, 3, 37}}, {GLIA_F32, 1, {37}},       {GLIA_F32, 2, {3, 1}},
    {GLIA_BOOL, 0, {0}},       {GLIA_F32, 3, {2, 1, 37}},
};

typedef struct dice {
  gi_rng r;
  uint64_t n;
} dice;
static int throw_of(dice *d, int sides) {
  return (int)gi_rng_below(&d->r, d->n++, (uint64_t)sides);
}

/* A register of this dtype among the first n, or -1. */
static int pick(dice *d, const glia_dtype *dtype, int n, glia_dtype want) {
  int found[INPUTS + CODE], count = 0;
  for (int i = 0; i < n; i++)
    if (dtype[i] == want) found[count++] = i;
  return count == 0 ? -1 : found[throw_of(d, count)];
}

/* The dtype that source k of the op must have, as its sample says; cast takes either. */
static glia_dtype source_dtype(dice *d, const gi_op *op, int k) {
  if (op == &gi_op_cast) return throw_of(d, 2) == 0 ? GLIA_F32 : GLIA_BOOL;
  return op->samples[0].in[k].dtype;
}

/* One step that reads the first n registers; false if they do not hold what it takes. */
static bool fill(dice *d, gi_micro *m, const glia_dtype *dtype, int n) {
  gi_type in[3] = {{GLIA_F32, 0, {0}}}, out = {GLIA_F32, 0, {0}};
  memset(m, 0, sizeof *m); /* programs are hashed as bytes */
  if (throw_of(d, 8) == 0) {
    m->value = throw_of(d, 9) / 4.0 - 1;
    return true;
  }
  m->op = exact[throw_of(d, GI_COUNT(exact))];
  for (int k = 0; k < m->op->min_in; k++) {
    m->src[k] = pick(d, dtype, n, source_dtype(d, m->op, k));
    if (m->src[k] < 0) return false;
    in[k].dtype = dtype[m->src[k]];
  }
  if (m->op == &gi_op_cast) m->attr.dtype = throw_of(d, 2) == 0 ? GLIA_F32 : GLIA_BOOL;
  if (m->op == &gi_op_clip) m->attr.a = -0.75, m->attr.b = 1.5;
  if (m->op == &gi_op_leaky_relu) m->attr.a = 0.25;
  if (m->op == &gi_op_dropout) m->attr.a = 0.5, m->attr.stream = (uint64_t)throw_of(d, 9);
  gi_infer infer = {m->op->min_in, in, &m->attr, 1, &out};
  OK(m->op->infer(&infer));
  m->dtype = out.dtype;
  return true;
}

/* Some outputs are folded; the largest and the smallest are exact too. */
static void fold_some(dice *d, gi_program *p, const glia_dtype *dtype) {
  for (int axis = 0; axis < 3; axis++)
    if (throw_of(d, 2) == 0) p->axes.at[p->axes.n++] = axis;
  for (int k = 0; k < p->n_out; k++) {
    if (dtype[p->out[k].reg] != GLIA_F32 || throw_of(d, 2) == 0) continue;
    p->out[k].fold = throw_of(d, 2) == 0 ? &gi_op_max : &gi_op_min;
    p->out[k].keep = throw_of(d, 2) == 0;
  }
}

/* A program of CODE steps. Owned (gi_free). */
static gi_program *random_program(uint64_t number, size_t *bytes) {
  dice d = {{99, number, 0}, 0};
  glia_dtype dtype[INPUTS + CODE];
  *bytes = sizeof(gi_program) + CODE * sizeof(gi_micro);
  gi_program *p = gi_alloc(*bytes);
  assert_non_null(p);
  p->n_in = INPUTS;
  for (int i = 0; i < INPUTS; i++) dtype[i] = shapes[i].dtype;
  while (p->n_code < CODE) {
    gi_micro *m = &p->code[p->n_code];
    if (!fill(&d, m, dtype, INPUTS + p->n_code)) continue;
    dtype[INPUTS + p->n_code++] = m->dtype;
  }
  p->n_out = 1 + throw_of(&d, 3);
  for (int k = 0; k < p->n_out; k++) p->out[k].reg = INPUTS + CODE - 1 - throw_of(&d, CODE);
  fold_some(&d, p, dtype);
  return p;
}

static void compile_and_compare(op_case *c, const char *way, bool lowered,
                                const char *backend) {
  glia_graph *g = NULL;
  glia_value in[INPUTS], out[GI_MAX_OUT];
  glia_tensor *hold[INPUTS] = {NULL};
  glia_plan *p = NULL;
  OK(glia_graph_new(&g));
  case_inputs(c, g, in);
  if (lowered) {
    gi_lower l = {g, INPUTS, in, c->sample->attr, out};
    OK(c->op->lower(&l));
  } else {
    gi_emit(g, c->op, c->sample->attr, in, INPUTS, out);
  }
  for (int k = 0; k < c->n_out; k++) {
    const char name[] = {'y', (char)('0' + k), '\0'};
    glia_output(name, out[k]);
  }
  OK(glia_compile(g, &p, .backend = backend));
  case_bind(c, p, hold);
  p->clock = case_clock;
  OK(glia_plan_run(p));
  for (int k = 0; k < c->n_out; k++) {
    const char name[] = {'y', (char)('0' + k), '\0'};
    char where[128];
    const gi_buf got = output_buf(p, name);
    snprintf(where, sizeof where, "program %d %s, output %d", c->number, way, k);
    expect_close(&got, &c->out[k], 0, 0, where);
  }
  glia_plan_free(p);
  for (int i = 0; i < INPUTS; i++) glia_tensor_free(hold[i]);
  glia_graph_free(g);
}

/* The samples of a case come from the table; here there is one for every program. */
static void check_program(int number) {
  size_t bytes;
  gi_program *program = random_program((uint64_t)number, &bytes);
  const gi_fused_attr attr = {{bytes, program}};
  const gi_sample sample = {.attr = &attr, .n_in = INPUTS};
  op_case c = {.op = &gi_op_fused,
               .sample = &sample,
               .number = number,
               .n_in = INPUTS,
               .dtype = GLIA_F32};
  for (int i = 0; i < INPUTS; i++) {
    const gi_rng r = {7, (uint64_t)i, (uint64_t)number};
    c.in_type[i] = shapes[i];
    c.in[i] = new_buf(&shapes[i]);
    for (int64_t e = 0; e < gi_type_count(&shapes[i]); e++)
      gi_put(&c.in[i], e, draw(&r, e, shapes[i].dtype, -3, 3));
  }
  OK(case_infer(&c));
  for (int k = 0; k < c.n_out; k++) c.out[k] = new_buf(&c.out_type[k]);
  OK(case_reference(&c, c.in, c.out));
  compile_and_compare(&c, "as one op", false, NULL);
  compile_and_compare(&c, "lowered", true, NULL);
  compile_and_compare(&c, "lowered, by the reference", true, "ref");
  case_close(&c);
  gi_free(program);
}

static void test_random_programs(void **state) {
  (void)state;
  for (int i = 0; i < PROGRAMS; i++) check_program(i);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_programs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
