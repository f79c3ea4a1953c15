/* test_cpu_elementwise.c - elementwise ops and fused groups on the cpu backend. */
#include <float.h>

#include "backend/cpu/group.h"
#include "kernels.h"
#include "ops/attrs.h"

static const gi_clock t0 = {3, 4};

static const gi_op *op_called(const char *name) {
  const gi_op *op = gi_op_find(name);
  if (op == NULL) fail_msg("there is no op %s", name);
  return op;
}

/* Every row, on a length with a tail, with the numbers of its first sample. */
static bool every_op(const gi_op *op, void *user) {
  (void)user;
  if (!(op->flags & GI_ELEMENTWISE) || strcmp(op->name, "cast") == 0) return true;
  const gi_sample *sample = &op->samples[0];
  trial t = {.op = op, .attr = sample->attr, .n_in = op->min_in, .tolerance = 2e-6};
  for (int i = 0; i < t.n_in; i++) {
    t.in[i] = with_dtype(F32(3, 347), sample->in[i].dtype);
    t.low[i] = sample->in[i].low;
    t.high[i] = sample->in[i].high;
  }
  try_kernel(&t, 1);
  return true;
}
static void test_every_op(void **state) {
  (void)state;
  gi_op_each(every_op, NULL);
}

static void test_lengths(void **state) {
  (void)state;
  static const int64_t lengths[] = {0, 1, 2, 7, 8, 15, 16, 17, 511, 512, 513, 1030, 70001};
  for (int i = 0; i < GI_COUNT(lengths); i++)
    for (int place = 0; place < 2; place++) {
      trial t = {.op = op_called("mul"), .n_in = 2, .in_place = place};
      t.in[0] = t.in[1] = F32(lengths[i]);
      try_kernel(&t, 2);
    }
}

static void test_broadcast(void **state) {
  (void)state;
  const gi_type pairs[][2] = {
      {F32(5, 300), F32(300)},
      {F32(5, 300), F32(5, 1)},
      {F32(64, 32), F32(32)},
      {F32(7, 10), F32(7, 1)},
      {F32(2, 6, 5, 7), F32(6, 1, 1)},
      {F32(1, 9), F32(8, 1)},
      {F32(2, 32, 9, 9), F32(1, 32, 1, 1)},
      {F32(3, 1, 4, 1), F32(2, 1, 5)},
      {F32(40, 40), SCALAR},
      {F32(1, 1, 1, 1), F32(1)},
      {SCALAR, SCALAR},
      {F32(3, 1200), F32(1200)},
      {F32(2, 3, 4, 5), F32(2, 3, 1, 1)},
      {F32(0, 4), F32(4)},
      {F32(3, 1200), F32(3, 1)},
  };
  for (int i = 0; i < GI_COUNT(pairs); i++)
    for (int order = 0; order < 4; order++) {
      trial t = {.op = op_called("sub"), .n_in = 2, .channels_last = order & 1};
      t.in[0] = pairs[i][order >> 1];
      t.in[1] = pairs[i][1 - (order >> 1)];
      try_kernel(&t, (uint64_t)i);
      t.op = op_called("greater"); /* its result goes through a slot */
      try_kernel(&t, (uint64_t)i);
    }
}

static void test_cast(void **state) {
  (void)state;
  static const glia_dtype types[] = {GLIA_F32, GLIA_BOOL, GLIA_I32, GLIA_I64, GLIA_U8};
  for (int from = 0; from < GI_COUNT(types); from++)
    for (int to = 0; to < 2; to++) {
      const gi_elementwise_attr attr = {.dtype = types[to]};
      trial t = {.op = op_called("cast"), .attr = &attr, .n_in = 1};
      t.in[0] = with_dtype(F32(3, 2, 5, 37), types[from]);
      t.high[0] = 3;
      for (int last = 0; last < 2; last++) {
        t.channels_last = last;
        try_kernel(&t, 3);
      }
    }
}

/* ---- programs ---------------------------------------------------------------------------- */

typedef struct maker {
  gi_program *p;
  gi_fused_attr attr;
} maker;

static void new_program(maker *m, int n_in) {
  m->attr.program.bytes = sizeof(gi_program) + GI_FUSED_CODE * sizeof(gi_micro);
  m->attr.program.data = m->p = gi_alloc(m->attr.program.bytes);
  assert_non_null(m->p);
  m->p->n_in = n_in;
}
static int constant(maker *m, double v) {
  m->p->code[m->p->n_code] = (gi_micro){.dtype = GLIA_F32, .value = v};
  return m->p->n_in + m->p->n_code++;
}
static int emit(maker *m, const char *name, int a, int b) {
  const gi_op *op = op_called(name);
  const bool truth = strcmp(name, "greater") == 0 || strcmp(name, "logical_and") == 0;
  m->p->code[m->p->n_code] =
      (gi_micro){.op = op, .src = {a, b}, .dtype = truth ? GLIA_BOOL : GLIA_F32};
  return m->p->n_in + m->p->n_code++;
}
static void give(maker *m, int reg) { m->p->out[m->p->n_out++].reg = reg; }

/* w, m, v, g and the rate (a scalar) -> w', m', v': one step of Adam. */
static void adam(maker *m) {
  new_program(m, 5);
  const int b1 = constant(m, 0.9), c1 = constant(m, 0.1), b2 = constant(m, 0.999);
  const int c2 = constant(m, 0.001), eps = constant(m, 1e-8);
  const int mean = emit(m, "add", emit(m, "mul", 1, b1), emit(m, "mul", 3, c1));
  const int var =
      emit(m, "add", emit(m, "mul", 2, b2), emit(m, "mul", emit(m, "square", 3, 0), c2));
  const int step = emit(m, "div", mean, emit(m, "add", emit(m, "sqrt", var, 0), eps));
  const int w = emit(m, "sub", 0, emit(m, "mul", step, 4));
  give(m, w);
  give(m, mean);
  give(m, var);
}

static void test_adam(void **state) {
  (void)state;
  static const int64_t lengths[] = {1, 10, 513, 40000};
  maker m = {0};
  adam(&m);
  for (int i = 0; i < GI_COUNT(lengths); i++) {
    trial t = {.op = &gi_op_fused, .attr = &m.attr, .n_in = 5};
    for (int k = 0; k < 4; k++) t.in[k] = F32(lengths[i]);
    t.in[4] = SCALAR;
    t.low[2] = 0.1;
    t.high[2] = 2;
    try_kernel(&t, 4);
    t.in_place = true;
    try_kernel(&t, 5);
  }
  gi_free(m.p);
}

/* Each output may lie on any input: those that a later op reads must not be lost. */
static void test_aliasing(void **state) {
  (void)state;
  enum { N = 1037 };
  static float in[3][N], want[3][N];
  maker m = {0};
  new_program(&m, 3);
  const int sum = emit(&m, "add", 0, 1);
  const int product = emit(&m, "mul", sum, 2);
  const int last = emit(&m, "sub", product, 0);
  give(&m, sum), give(&m, product), give(&m, last);
  gi_type types[6];
  gi_layout plain[6] = {0};
  for (int i = 0; i < 6; i++) types[i] = F32(N);
  const gi_problem p = {
      .op = &gi_op_fused,
      .attr = &m.attr,
      .n_in = 3,
      .n_out = 3,
      .in = types,
      .out = types + 3,
      .in_layout = plain,
      .out_layout = plain + 3,
      .threads = 1,
  };
  const gi_kernel *k = trial_fastest(&p, NULL);
  static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                   {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (int order = 0; order < 6; order++) {
    gi_prepared made = {0};
    OK(k->prepare(&p, &made));
    for (int i = 0; i < N; i++) {
      for (int j = 0; j < 3; j++) in[j][i] = (float)(i * (j + 1) % 17) - 8;
      want[0][i] = in[0][i] + in[1][i];
      want[1][i] = want[0][i] * in[2][i];
      want[2][i] = want[1][i] - in[0][i];
    }
    const int *o = orders[order];
    const void *from[] = {in[0], in[1], in[2]};
    void *to[] = {in[o[0]], in[o[1]], in[o[2]]}, *scratch = trial_memory(made.scratch);
    OK(k->run(&(gi_exec){made.state, from, to, scratch, &t0}));
    for (int j = 0; j < 3; j++) assert_memory_equal(to[j], want[j], sizeof want[j]);
    gi_free_aligned(scratch);
    k->release(made.state);
  }
  gi_free(m.p);
}

/* Outputs that are an input, a constant, a truth, or the same register twice. */
static void test_odd_outputs(void **state) {
  (void)state;
  maker m = {0};
  new_program(&m, 2);
  const int c = constant(&m, 0.25), more = emit(&m, "greater", 0, c),
            sum = emit(&m, "add", 0, c);
  give(&m, 0), give(&m, c), give(&m, more), give(&m, sum), give(&m, sum);
  const gi_type shapes[] = {F32(3), F32(1000), F32(2, 3, 17, 5)};
  for (int i = 0; i < GI_COUNT(shapes); i++) {
    trial t = {.op = &gi_op_fused, .attr = &m.attr, .n_in = 2, .channels_last = true};
    t.in[0] = t.in[1] = shapes[i];
    try_kernel(&t, 6);
  }
  gi_free(m.p);
}

/* About half of the outputs are folded over some axes of the group's shape. */
static void fold_some(maker *m, const gi_rng *r, uint64_t *at) {
  static const gi_op *const folds[] = {&gi_op_sum, &gi_op_mean, &gi_op_max, &gi_op_min,
                                       &gi_op_prod};
  for (int d = 0; d < 4; d++)
    if (gi_rng_below(r, (*at)++, 2) == 0) m->p->axes.at[m->p->axes.n++] = d;
  for (int k = 0; k < m->p->n_out; k++) {
    m->p->out[k].keep = gi_rng_below(r, (*at)++, 2) == 0;
    if (gi_rng_below(r, (*at)++, 2) == 0)
      m->p->out[k].fold = folds[gi_rng_below(r, (*at)++, GI_COUNT(folds))];
  }
}

/* Random programs over random broadcasts, with dropouts, and reductions at the end. */
static void test_random_programs(void **state) {
  (void)state;
  static const char *const names[] = {"add",  "mul",  "sub", "maximum",
                                      "tanh", "relu", "neg", "dropout"};
  for (uint64_t seed = 0; seed < 120; seed++) {
    const gi_rng r = {seed, 77, 0};
    uint64_t at = 0;
    maker m = {0};
    const int n_in = 1 + (int)gi_rng_below(&r, at++, 6),
              n_code = 1 + (int)gi_rng_below(&r, at++, 20);
    new_program(&m, n_in);
    constant(&m, 0.5);
    for (int k = 0; k < n_code; k++) {
      const uint64_t have = (uint64_t)(n_in + m.p->n_code);
      const int a = (int)gi_rng_below(&r, at++, have), b = (int)gi_rng_below(&r, at++, have);
      const int reg = emit(&m, names[gi_rng_below(&r, at++, GI_COUNT(names))], a, b);
      gi_micro *last = &m.p->code[m.p->n_code - 1];
      if (last->op == &gi_op_dropout)
        last->attr = (gi_elementwise_attr){.a = 0.25, .stream = (uint64_t)k};
      if (m.p->n_out < 4 && gi_rng_below(&r, at++, 3) == 0) give(&m, reg);
    }
    if (m.p->n_out == 0) give(&m, n_in + m.p->n_code - 1);
    if (seed % 4 > 1) fold_some(&m, &r, &at);
    trial t = {.op = &gi_op_fused, .attr = &m.attr, .n_in = n_in, .tolerance = 1e-4};
    const int64_t full[4] = {
        1 + (int64_t)gi_rng_below(&r, at++, 4), 1 + (int64_t)gi_rng_below(&r, at++, 40),
        1 + (int64_t)gi_rng_below(&r, at++, 9), 1 + (int64_t)gi_rng_below(&r, at++, 40)};
    for (int i = 0; i < n_in; i++) {
      t.in[i] = F32(full[0], full[1], full[2], full[3]);
      t.low[i] = -0.9;
      t.high[i] = 0.9;
      for (int d = 0; d < 4 && i > 0; d++)
        if (gi_rng_below(&r, at++, 3) == 0) t.in[i].dim[d] = 1;
    }
    t.channels_last = seed & 1;
    try_kernel(&t, seed);
    gi_free(m.p);
  }
}

/* Folds of every kind of pattern, in blocks and pieces, with rests; sizes that are folded to
 * nothing or from nothing. */
static void test_folds(void **state) {
  (void)state;
  const struct {
    gi_type shape;
    gi_dims axes;
  } cases[] = {
      {F32(70001), {1, {0}}},
      {F32(513, 40), {1, {0}}},
      {F32(40, 513), {1, {1}}},
      {F32(3, 50000), {1, {1}}},
      {F32(50000, 3), {1, {1}}},
      {F32(9, 9216), {1, {0}}},
      {F32(7, 32, 12, 12), {3, {0, 2, 3}}},
      {F32(7, 20, 9, 9), {2, {2, 3}}},
      {F32(7, 20, 9, 9), {2, {1, 3}}},
      {F32(2, 3, 4, 5), {1, {2}}},
      {F32(33, 2, 70, 6), {2, {0, 2}}},
      {F32(1, 1), {1, {0}}},
      {F32(0, 5), {1, {0}}},
      {F32(4, 0), {1, {1}}},
      {F32(0, 5), {1, {1}}},
      {F32(600, 64), {0, {0}}},
  };
  for (int i = 0; i < GI_COUNT(cases); i++)
    for (int op = 0; op < 2; op++) { /* a single op runs by its loop, two by code */
      maker m = {0};
      gi_type row = cases[i].shape;
      for (int d = 0; d + 1 < row.rank; d++) row.dim[d] = 1;
      new_program(&m, 2);
      int reg = emit(&m, "mul", 0, 1);
      if (op == 1) reg = emit(&m, "sub", reg, 0);
      give(&m, reg), give(&m, reg), give(&m, emit(&m, "neg", reg, 0));
      m.p->axes = cases[i].axes;
      m.p->out[1].fold = m.p->out[2].fold = &gi_op_sum;
      m.p->out[2].keep = true;
      trial t = {.op = &gi_op_fused, .attr = &m.attr, .n_in = 2};
      t.in[0] = cases[i].shape;
      t.in[1] = row;
      t.low[0] = t.low[1] = 0.25;
      t.high[0] = t.high[1] = 1;
      try_kernel(&t, (uint64_t)i);
      t.channels_last = t.in_place = true;
      try_kernel(&t, (uint64_t)i);
      gi_free(m.p);
    }
}

/* ---- awkward values, in groups --------------------------------------------------------------
 */

enum { AWKWARD = 9, MANY = AWKWARD * AWKWARD * 3 };
static const float awkward[AWKWARD] = {0.0f,     -0.0f,     1.0f, -1.5f, 2.5f,
                                       INFINITY, -INFINITY, NAN,  7.0f};

/* Runs the program on in[] (each of MANY elements or, where one[i], of the first alone) by the
 * kernel and by the reference. */
static void compare_program(const maker *m, const float *const *in, const bool *one,
                            const char *what) {
  gi_type types[3 + 2], *outs = types + 3;
  const gi_layout plain[5] = {0};
  static float got[2][MANY], want[2][MANY];
  gi_buf from[3], to[2];
  for (int i = 0; i < m->p->n_in; i++) {
    types[i] = one[i] ? SCALAR : F32(MANY);
    union {
      const float *given;
      void *p;
    } u = {in[i]};
    from[i] = (gi_buf){types[i], u.p};
  }
  gi_infer infer = {m->p->n_in, types, &m->attr, 1, outs};
  if (gi_op_fused.infer(&infer) != GLIA_OK || gi_type_count(&outs[0]) != MANY) return;
  for (int k = 0; k < infer.n_out; k++) to[k] = (gi_buf){outs[k], want[k]};
  OK(gi_op_fused.ref(&(gi_ref){m->p->n_in, infer.n_out, from, to, &m->attr, &t0}));
  const gi_problem p = {
      .op = &gi_op_fused,
      .attr = &m->attr,
      .n_in = m->p->n_in,
      .n_out = infer.n_out,
      .in = types,
      .out = outs,
      .in_layout = plain,
      .out_layout = plain + 3,
      .threads = 1,
  };
  const gi_kernel *k = trial_fastest(&p, NULL);
  assert_string_equal(k->name, "elementwise_vector");
  gi_prepared made = {0};
  OK(k->prepare(&p, &made));
  void *scratch = trial_memory(made.scratch);
  OK(k->run(&(gi_exec){made.state, (const void *const *)in, (void *[]){got[0], got[1]}, scratch,
                       &t0}));
  for (int o = 0; o < infer.n_out; o++)
    for (int i = 0; i < MANY; i++) {
      const double g = gi_load(outs[o].dtype, got[o], i),
                   w = gi_load(outs[o].dtype, want[o], i);
      if (g == w || (isnan(g) && isnan(w)) || fabs(g - w) <= 1e-6 * fabs(w)) continue;
      fail_msg("%s, element %d of output %d: %g, wanted %g", what, i, o, g, w);
    }
  gi_free_aligned(scratch);
  k->release(made.state);
}

/* The op and then its negative (or denial), each operand from memory, a scalar or a constant.
 */
static bool awkward_op(const gi_op *op, void *user) {
  static float in[3][MANY], truth[MANY];
  (void)user;
  if (!(op->flags & GI_ELEMENTWISE) || strcmp(op->name, "cast") == 0 ||
      strcmp(op->name, "pow") == 0)
    return true;
  const gi_sample *sample = &op->samples[0];
  const bool truths = sample->in[0].dtype == GLIA_BOOL && op->min_in < 3;
  for (int i = 0; i < MANY; i++) {
    in[0][i] = awkward[i % AWKWARD];
    in[1][i] = awkward[i / AWKWARD % AWKWARD];
    in[2][i] = awkward[(i / 3) % AWKWARD];
    truth[i] = (float)(i % 2);
  }
  for (int kind = 0; kind < 27; kind++) { /* of each operand: memory, scalar, constant */
    maker m = {0};
    int reg[3], at = kind;
    bool one[3] = {false};
    const float *from[3] = {in[0], in[1], in[2]};
    new_program(&m, 3);
    for (int i = 0; i < 3; i++, at /= 3) {
      const bool logical = truths || (op->min_in == 3 && i == 0);
      if (logical) from[i] = truth;
      one[i] = at % 3 == 1;
      reg[i] = i;
      if (at % 3 == 2) reg[i] = constant(&m, logical ? 1 : 2.5);
      /* what a comparison gives is a truth: f32 inputs are made into one */
      if (logical && at % 3 != 2)
        reg[i] = emit(&m, "greater", i, constant(&m, 0.5));
      else if (logical)
        m.p->code[m.p->n_code - 1].dtype = GLIA_BOOL;
    }
    gi_infer infer = {.n_in = op->min_in, .attr = sample->attr, .n_out = 1};
    gi_type types[3], out;
    for (int i = 0; i < op->min_in; i++)
      types[i] =
          with_dtype(F32(2), truths || (op->min_in == 3 && i == 0) ? GLIA_BOOL : GLIA_F32);
    infer.in = types;
    infer.out = &out;
    OK(op->infer(&infer));
    gi_micro *code = &m.p->code[m.p->n_code];
    *code = (gi_micro){.op = op, .src = {reg[0], reg[1], reg[2]}, .dtype = out.dtype};
    if (sample->attr != NULL)
      memcpy(&code->attr, sample->attr, GI_MIN(sizeof code->attr, op->attr_size));
    const int result = m.p->n_in + m.p->n_code++;
    give(&m, result);
    if (out.dtype == GLIA_BOOL) {
      m.p->code[m.p->n_code] =
          (gi_micro){.op = op_called("logical_not"), .src = {result}, .dtype = GLIA_BOOL};
      give(&m, m.p->n_in + m.p->n_code++);
    } else
      give(&m, emit(&m, "neg", result, 0));
    compare_program(&m, from, one, op->name);
    gi_free(m.p);
  }
  return true;
}

static void test_awkward_values(void **state) {
  (void)state;
  gi_op_each(awkward_op, NULL);
  setenv("GLIA_ISA", "base", 1);
  gi_op_each(awkward_op, NULL);
  unsetenv("GLIA_ISA");
}

/* More registers than the processor has: the loops take over. */
static void test_many_registers(void **state) {
  (void)state;
  maker m = {0};
  new_program(&m, 12);
  int reg[24];
  for (int i = 0; i < 12; i++) reg[i] = i;
  for (int i = 0; i < 12; i++) reg[12 + i] = emit(&m, "mul", reg[i], reg[(i + 5) % 12]);
  int sum = emit(&m, "add", reg[0], reg[12]);
  for (int i = 1; i < 12; i++) sum = emit(&m, "add", sum, reg[24 - i]);
  for (int i = 0; i < 12 && m.p->n_code < 46; i++) sum = emit(&m, "sub", sum, reg[i]);
  give(&m, sum);
  trial t = {.op = &gi_op_fused, .attr = &m.attr, .n_in = 12, .tolerance = 1e-5};
  for (int i = 0; i < 12; i++) t.in[i] = F32(1003);
  try_kernel(&t, 9);
  gi_free(m.p);
}

/* What has no vector loops is computed in double. */
static void test_refused(void **state) {
  (void)state;
  const gi_type types[3] = {with_dtype(F32(4), GLIA_F64), with_dtype(F32(4), GLIA_F64),
                            with_dtype(F32(4), GLIA_F64)};
  const gi_layout plain[3] = {0};
  const gi_problem p = {
      .op = op_called("add"),
      .attr = NULL,
      .n_in = 2,
      .n_out = 1,
      .in = types,
      .out = types + 2,
      .in_layout = plain,
      .out_layout = plain + 2,
      .threads = 1,
  };
  gi_str why = {0};
  assert_string_equal(trial_fastest(&p, &why)->name, "elementwise_double");
  assert_non_null(strstr(why.s, "elementwise_vector: takes f32, bf16 and bool"));
  gi_str_free(&why);
}

/* ---- accuracy of the functions ----------------------------------------------------------- */

/* How many units of the last place y is from what is wanted. */
static double units_off(double want, float y) {
  const float w = (float)want;
  if (isnan(want) || isnan(y)) return isnan(want) && isnan(y) ? 0 : INFINITY;
  if (isinf(w) || isinf(y)) return w == y ? 0 : INFINITY;
  const float size = fmaxf(fabsf(w), FLT_MIN);
  return fabs(want - (double)y) / ((double)nextafterf(size, INFINITY) - (double)size);
}

static double log1p_of(double x) { return log1p(x); }
static double expm1_of(double x) { return expm1(x); }

typedef struct accuracy {
  const char *name;
  double (*f)(double);
  float from, to;
  double most; /* units, as vector.h says */
} accuracy;

/* Floats of every size between two bounds: their patterns at even steps. */
static void check_accuracy(const gi_isa *isa, const accuracy *a) {
  enum { N = 64 };
  gi_micro_loop *loop = gi_group_loop(isa, a->name);
  double worst = 0;
  float x[N], y[N], at = 0;
  uint32_t from, to;
  memcpy(&from, &a->from, sizeof from);
  memcpy(&to, &a->to, sizeof to);
  for (uint32_t k = 0, step = (to - from) / 200000 + 1; from + k * step < to; k += N) {
    for (uint32_t i = 0; i < N; i++) {
      const uint32_t bits = from + (k + i) * step < to ? from + (k + i) * step : to;
      memcpy(&x[i], &bits, sizeof bits);
    }
    const gi_micro_call call = {.src = {x}, .step = {isa->lanes}, .out = y};
    loop(&call, N);
    for (int i = 0; i < N; i++) {
      const double off = units_off(a->f((double)x[i]), y[i]);
      if (off > worst) worst = off, at = x[i];
    }
  }
  if (worst > a->most)
    fail_msg("%s (%s): %g units of the last place off at %.9g, wanted at most %g", a->name,
             isa->name, worst, (double)at, a->most);
}

static void test_accuracy(void **state) {
  (void)state;
  static const accuracy cases[] = {
      {"exp", exp, 0, 90, 2},
      {"exp", exp, -0.0f, -110, 2},
      {"expm1", expm1_of, 0, 90, 3},
      {"expm1", expm1_of, -0.0f, -110, 3},
      {"log", log, 0, INFINITY, 2},
      {"log", log, -0.0f, -INFINITY, 2},
      {"log1p", log1p_of, 0, INFINITY, 3},
      {"log1p", log1p_of, -0.0f, -INFINITY, 3},
      {"tanh", tanh, 0, 30, 5},
      {"erf", erf, 0, 30, 6},
  };
  const gi_isa *sets[] = {
    &gi_isa_base,
#if defined(__x86_64__)
    &gi_isa_avx2,
    &gi_isa_avx512,
#endif
  };
  const int best = gi_cpu_best_isa() == &gi_isa_base ? 1
                   : gi_cpu_best_isa()->lanes == 8   ? 2
                                                     : 3;
  for (int i = 0; i < best; i++)
    for (int k = 0; k < GI_COUNT(cases); k++) check_accuracy(sets[i], &cases[k]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_op),       cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_broadcast),      cmocka_unit_test(test_cast),
      cmocka_unit_test(test_adam),           cmocka_unit_test(test_aliasing),
      cmocka_unit_test(test_odd_outputs),    cmocka_unit_test(test_random_programs),
      cmocka_unit_test(test_refused),        cmocka_unit_test(test_awkward_values),
      cmocka_unit_test(test_many_registers), cmocka_unit_test(test_folds),
      cmocka_unit_test(test_accuracy),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
