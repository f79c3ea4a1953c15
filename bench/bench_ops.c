/* bench_ops.c - single kernels of the cpu backend, away from any plan.
 *
 *     bench_ops [--threads N] [--seconds S] [--isa base|avx2|avx512] [--like TEXT]
 *               [--all] [--kernel NAME]
 *
 * One JSON line a case: GB/s of the memory that it must move (every input and output once),
 * ns an element of the result, GFLOP/s by the op's own cost; median and least of the runs. With
 * one thread the clock is the thread's own CPU time, which neighbours on the machine do not
 * disturb. Cases that PyTorch's script of the same kind has (torch_ops.py) bear its names.
 */
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "backend/backend.h"
#include "measure.h"
#include "ops/attrs.h"

enum { MAX_RUNS = 4000, IN = 7 };

typedef struct options {
  int threads;
  double seconds;
  const char *like, *kernel; /* in the case's name; the kernel's name; NULL: any */
  bool all;
} options;

typedef struct bench_case {
  const char *name;
  const gi_op *op;
  const void *attr;
  int n_in;
  gi_type in[IN];
  bool last;     /* rank-4 inputs are at hand channels-last */
  bool in_place; /* output k lies where input k lies */
  int64_t below; /* whole numbers are 0 .. below - 1; 0: 4 */
} bench_case;

static gi_type f32(int rank, int64_t a, int64_t b, int64_t c, int64_t d) {
  return (gi_type){.dtype = GLIA_F32, .rank = rank, .dim = {a, b, c, d}};
}

static double now(int threads) {
  struct timespec t;
  clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *memory(size_t bytes) {
  void *p = gi_alloc_aligned(bytes);
  if (p == NULL) must(gi_fail_nomem(bytes));
  return p;
}

static void fill(const gi_type *t, void *p, uint64_t stream, int64_t below) {
  const gi_rng r = {1, stream, 0};
  for (int64_t i = 0; i < gi_type_count(t); i++) {
    const double u = gi_rng_uniform(&r, (uint64_t)i);
    gi_store(t->dtype, p, i,
             glia_dtype_is_float(t->dtype) ? 0.1 + u : floor(u * (double)below));
  }
}

/* ---- one case ------------------------------------------------------------------------- */

static void print_case(const bench_case *b, const gi_kernel *k, const options *o, double *times,
                       int n, const gi_problem *p) {
  const double middle = median(times, n), least = times[0];
  double bytes = 0;
  for (int i = 0; i < p->n_in; i++) bytes += (double)gi_type_bytes(&p->in[i]);
  for (int i = 0; i < p->n_out; i++) bytes += (double)gi_type_bytes(&p->out[i]);
  const gi_cost cost = gi_problem_cost(p);
  printf(
      "{\"workload\": \"%s\", \"threads\": %d, \"kernel\": \"%s\", \"median_us\": %.2f, "
      "\"min_us\": %.2f, \"GB/s\": %.2f, \"best_GB/s\": %.2f, \"ns_per_element\": %.4f, "
      "\"GFLOP/s\": %.2f, \"runs\": %d}\n",
      b->name, o->threads, k->name, middle * 1e6, least * 1e6, bytes / middle * 1e-9,
      bytes / least * 1e-9, middle * 1e9 / (double)gi_type_count(&p->out[0]),
      cost.flops / middle * 1e-9, n);
  fflush(stdout);
}

/* The kernels that fit, each in the layouts nearest to those of the case; the fastest by their
 * own account. */
typedef struct asked {
  const bench_case *b;
  const options *o;
  const gi_backend *backend;
  gi_problem p;
  gi_layout in[IN], out[GI_MAX_OUT];
  const gi_kernel *best;
  int choice;
  double least;
} asked;

static void run_kernel(asked *a, const gi_kernel *k, int choice);

static bool ask_kernel(const gi_kernel *k, void *user) {
  asked *a = user;
  const gi_limits limits = a->backend->limits(a->p.threads);
  int nearest = -1;
  if (k->fits != NULL && k->fits(&a->p) != NULL) return true;
  for (int c = 0; gi_kernel_layouts(k, &a->p, c, a->in, a->out); c++)
    if (nearest < 0 || a->b->last) nearest = c;
  if (nearest < 0) return true;
  if (a->o->kernel != NULL ? strcmp(k->name, a->o->kernel) == 0 : a->o->all)
    run_kernel(a, k, nearest);
  gi_kernel_layouts(k, &a->p, nearest, a->in, a->out);
  const double t = gi_kernel_cost(k, &a->p, &limits);
  if (a->best == NULL || t < a->least) {
    a->best = k;
    a->choice = nearest;
    a->least = t;
  }
  return true;
}

/* The kernel that a plan would take or, with --all, every one that fits. */
static void run_case(const bench_case *b, const options *o) {
  gi_type out_types[GI_MAX_OUT];
  gi_infer types = {b->n_in, b->in, b->attr, b->op->n_out, out_types};
  if (o->like != NULL && strstr(b->name, o->like) == NULL) return;
  must(b->op->infer(&types));
  asked a = {.b = b, .o = o};
  must(gi_backend_find(NULL, &a.backend));
  a.p = (gi_problem){.op = b->op,
                     .attr = b->attr,
                     .n_in = b->n_in,
                     .n_out = types.n_out,
                     .in = b->in,
                     .out = out_types,
                     .in_layout = a.in,
                     .out_layout = a.out,
                     .threads = o->threads};
  gi_kernel_each(a.backend, b->op, ask_kernel, &a);
  if (!o->all && o->kernel == NULL) run_kernel(&a, a.best, a.choice);
}

static void run_kernel(asked *a, const gi_kernel *k, int choice) {
  const bench_case *b = a->b;
  const options *o = a->o;
  const gi_problem p = a->p;
  gi_kernel_layouts(k, &p, choice, a->in, a->out);
  gi_prepared made = {0};
  must(k->prepare(&p, &made));
  const void *in[IN];
  void *held[IN], *out[GI_MAX_OUT], *scratch = memory(made.scratch + 64);
  for (int i = 0; i < b->n_in; i++) {
    in[i] = held[i] = memory(gi_type_bytes(&b->in[i]));
    fill(&b->in[i], held[i], (uint64_t)i, b->below > 0 ? b->below : 4);
  }
  for (int i = 0; i < p.n_out; i++)
    out[i] = b->in_place ? held[i] : memory(gi_type_bytes(&p.out[i]));
  const gi_clock clock = {1, 1};
  const gi_exec x = {made.state, in, out, scratch, &clock};
  static double times[MAX_RUNS];
  int n = 0;
  must(k->run(&x));
  must(k->run(&x));
  for (const double end = gi_now() + o->seconds; n < MAX_RUNS && (n < 5 || gi_now() < end);
       n++) {
    const double t = now(o->threads);
    must(k->run(&x));
    times[n] = now(o->threads) - t;
  }
  print_case(b, k, o, times, n, &p);
  for (int i = 0; i < b->n_in; i++) gi_free_aligned(held[i]);
  for (int i = 0; i < p.n_out && !b->in_place; i++) gi_free_aligned(out[i]);
  gi_free_aligned(scratch);
  if (k->release != NULL) k->release(made.state);
}

#define INPUTS(...) \
  .n_in = sizeof((gi_type[]){__VA_ARGS__}) / sizeof(gi_type), .in = {__VA_ARGS__}
#define CASE(name_, op_, attr_, last_, ...)                                             \
  run_case(                                                                             \
      &(bench_case){                                                                    \
          .name = name_, .op = op_, .attr = attr_, .last = last_, INPUTS(__VA_ARGS__)}, \
      o)
#define INDEXED(name_, op_, attr_, below_, ...)                                           \
  run_case(                                                                               \
      &(bench_case){                                                                      \
          .name = name_, .op = op_, .attr = attr_, .below = below_, INPUTS(__VA_ARGS__)}, \
      o)
#define UPDATE(name_, op_, attr_, ...) /* in place */                                      \
  run_case(                                                                                \
      &(bench_case){                                                                       \
          .name = name_, .op = op_, .attr = attr_, .in_place = true, INPUTS(__VA_ARGS__)}, \
      o)

/* ---- fused programs ------------------------------------------------------------------- */

typedef union program {
  gi_program p;
  unsigned char space[sizeof(gi_program) + GI_FUSED_CODE * sizeof(gi_micro)];
} program;

static int constant(program *m, double v) {
  m->p.code[m->p.n_code] = (gi_micro){.dtype = GLIA_F32, .value = v};
  return m->p.n_in + m->p.n_code++;
}
static int emit(program *m, const gi_op *op, int a, int b) {
  m->p.code[m->p.n_code] = (gi_micro){.op = op, .src = {a, b}, .dtype = GLIA_F32};
  return m->p.n_in + m->p.n_code++;
}

/* w, m, v, g and a scalar -> w', m', v': the ops that optim/rules/adam.c makes. */
static gi_fused_attr adam(program *m) {
  *m = (program){.p = {.n_in = 5, .n_out = 3}};
  const int b1 = constant(m, 0.9), c1 = constant(m, 0.1), b2 = constant(m, 0.999);
  const int c2 = constant(m, 0.001), eps = constant(m, 1e-8);
  const int mean = emit(m, &gi_op_add, emit(m, &gi_op_mul, 1, b1), emit(m, &gi_op_mul, 3, c1));
  const int square = emit(m, &gi_op_square, 3, 0);
  const int var =
      emit(m, &gi_op_add, emit(m, &gi_op_mul, 2, b2), emit(m, &gi_op_mul, square, c2));
  const int root = emit(m, &gi_op_mul, emit(m, &gi_op_sqrt, var, 0), 4);
  const int step = emit(m, &gi_op_div, mean, emit(m, &gi_op_add, root, eps));
  m->p.out[0].reg = emit(m, &gi_op_sub, 0, emit(m, &gi_op_mul, step, 4));
  m->p.out[1].reg = mean;
  m->p.out[2].reg = var;
  return (gi_fused_attr){{sizeof *m, &m->p}};
}

/* w, m, g -> w', m': stochastic gradient descent with momentum. */
static gi_fused_attr momentum(program *m) {
  *m = (program){.p = {.n_in = 3, .n_out = 2}};
  const int mu = constant(m, 0.9), lr = constant(m, 0.01);
  const int moment = emit(m, &gi_op_add, emit(m, &gi_op_mul, 1, mu), 2);
  m->p.out[0].reg = emit(m, &gi_op_sub, 0, emit(m, &gi_op_mul, moment, lr));
  m->p.out[1].reg = moment;
  return (gi_fused_attr){{sizeof *m, &m->p}};
}

static void run_fused(const options *o) {
  static program space;
  static const int64_t sizes[] = {10000, 401408, 10000000};
  static const char *const adams[] = {"adam_10k", "adam_401k", "opt_adam_10M_params"};
  static const char *const sgds[] = {"sgdm_10k", "sgdm_401k", "opt_sgdm_10M_params"};
  for (int i = 0; i < 3; i++) {
    const gi_type w = f32(1, sizes[i], 0, 0, 0), one = f32(0, 0, 0, 0, 0);
    gi_fused_attr a = momentum(&space);
    UPDATE(sgds[i], &gi_op_fused, &a, w, w, w);
    a = adam(&space);
    UPDATE(adams[i], &gi_op_fused, &a, w, w, w, w, one);
  }
}

/* ---- ops ------------------------------------------------------------------------------ */

/* What is computed in double. */
static void run_in_double(const options *o) {
  const gi_elementwise_attr to_f64 = {.dtype = GLIA_F64}, to_f32 = {.dtype = GLIA_F32},
                            to_i32 = {.dtype = GLIA_I32}, to_f16 = {.dtype = GLIA_F16};
  const gi_type x = f32(2, 2048, 768, 0, 0);
  gi_type wide = x, whole = x;
  wide.dtype = GLIA_F64;
  whole.dtype = GLIA_I64;
  CASE("cast_f32_f64", &gi_op_cast, &to_f64, false, x);
  CASE("cast_f64_f32", &gi_op_cast, &to_f32, false, wide);
  CASE("cast_f32_f16", &gi_op_cast, &to_f16, false, x);
  CASE("cast_i64_i32", &gi_op_cast, &to_i32, false, whole);
  CASE("add_i64", &gi_op_add, NULL, false, whole, whole);
  CASE("add_f64", &gi_op_add, NULL, false, wide, wide);
  CASE("exp_f64", &gi_op_exp, NULL, false, wide);
}

static void run_elementwise(const options *o) {
  static const struct {
    const char *name;
    const gi_op *op;
    int n;
  } unary[] = {
      {"op_relu_2048x768", &gi_op_relu, 1},
      {"op_gelu_2048x768", &gi_op_gelu, 1},
      {"op_gelu_tanh_2048x768", &gi_op_gelu_tanh, 1},
      {"op_tanh_2048x768", &gi_op_tanh, 1},
      {"op_exp_2048x768", &gi_op_exp, 1},
      {"op_sigmoid_2048x768", &gi_op_sigmoid, 1},
      {"op_log_2048x768", &gi_op_log, 1},
      {"op_silu_2048x768", &gi_op_silu, 1},
      {"op_softplus_2048x768", &gi_op_softplus, 1},
      {"op_mish_2048x768", &gi_op_mish, 1},
      {"op_add_2048x768", &gi_op_add, 2},
  };
  const gi_type x = f32(2, 2048, 768, 0, 0), big = f32(1, 10000000, 0, 0, 0);
  UPDATE("neg_10M", &gi_op_neg, NULL, big);
  UPDATE("add_10M", &gi_op_add, NULL, big, big);
  for (int i = 0; i < GI_COUNT(unary); i++)
    if (unary[i].n == 1)
      CASE(unary[i].name, unary[i].op, NULL, false, x);
    else
      CASE(unary[i].name, unary[i].op, NULL, false, x, x);
  CASE("op_add_row_2048x768", &gi_op_add, NULL, false, x, f32(1, 768, 0, 0, 0));
  CASE("op_add_column_2048x768", &gi_op_add, NULL, false, x, f32(2, 2048, 1, 0, 0));
  const gi_type y = f32(4, 16, 64, 56, 56), c = f32(3, 64, 1, 1, 0);
  CASE("op_mul_channels_nchw", &gi_op_mul, NULL, false, y, c);
  CASE("op_mul_channels_nhwc", &gi_op_mul, NULL, true, y, c);
  CASE("op_add_8_elements", &gi_op_add, NULL, false, f32(1, 8, 0, 0, 0), f32(1, 8, 0, 0, 0));
}

static void run_rows(const options *o) {
  const gi_axis_attr last = {3}, second = {1};
  CASE("op_softmax_16x12x128x128", &gi_op_softmax, &last, false, f32(4, 16, 12, 128, 128));
  CASE("log_softmax_64x10", &gi_op_log_softmax, &second, false, f32(2, 64, 10, 0, 0));
  CASE("op_softmax_2048x768", &gi_op_softmax, &second, false, f32(2, 2048, 768, 0, 0));
  CASE("softmax_16x128x28x28", &gi_op_softmax, &second, false, f32(4, 16, 128, 28, 28));
  const gi_elementwise_attr drop = {.a = 0.1, .stream = 3};
  CASE("op_dropout_train_2048x768", &gi_op_dropout, &drop, false, f32(2, 2048, 768, 0, 0));
  CASE("dropout_64x64x12x12_nhwc", &gi_op_dropout, &drop, true, f32(4, 64, 64, 12, 12));
  const gi_batch_norm_attr bn = {1e-5};
  const gi_type x = f32(4, 16, 64, 56, 56), c = f32(1, 64, 0, 0, 0);
  for (int l = 0; l < 2; l++) {
    CASE(l ? "batchnorm_train_16x64x56x56_nhwc" : "op_batchnorm_train_16x64x56x56",
         &gi_op_batch_norm_train, &bn, l, x, c, c);
    CASE(l ? "batchnorm_relu_nhwc" : "batchnorm_relu_nchw", &gi_op_batch_norm_act, &bn, l, x, c,
         c);
    CASE(l ? "batchnorm_add_relu_nhwc" : "batchnorm_add_relu_nchw", &gi_op_batch_norm_act, &bn,
         l, x, c, c, x);
    CASE(l ? "batchnorm_grad_nhwc" : "batchnorm_grad_nchw", &gi_op_batch_norm_grad, &bn, l, x,
         c, c, c, x);
    CASE(l ? "batchnorm_relu_grad_nhwc" : "batchnorm_relu_grad_nchw",
         &gi_op_batch_norm_act_grad, &bn, l, x, c, c, c, c, x);
    const gi_type signs = {GLIA_U8, 4, {16, 8, 56, 56}};
    CASE(l ? "batchnorm_add_relu_grad_nhwc" : "batchnorm_add_relu_grad_nchw",
         &gi_op_batch_norm_act_grad, &bn, l, x, c, c, c, c, x, signs);
  }
  const gi_layer_norm_attr ln = {1, 1e-5, true};
  const gi_type rows = f32(2, 2048, 768, 0, 0), row = f32(1, 768, 0, 0, 0),
                column = f32(1, 2048, 0, 0, 0);
  CASE("op_layernorm_2048x768", &gi_op_layer_norm, &ln, false, rows, row, row);
  CASE("layernorm_grad_2048x768", &gi_op_layer_norm_grad, &ln, false, rows, row, column, column,
       rows);
  const gi_cumulative_attr along = {1, false}, down = {0, false};
  CASE("cumsum_rows_2048x768", &gi_op_cumsum, &along, false, rows);
  CASE("cumsum_columns_2048x768", &gi_op_cumsum, &down, false, rows);
  const gi_permute_attr mirrored = {{1, {1}}}, reversed = {{1, {0}}};
  CASE("flip_columns_2048x768", &gi_op_flip, &mirrored, false, rows);
  CASE("flip_rows_2048x768", &gi_op_flip, &reversed, false, rows);
  const gi_triangle_attr diagonal = {0};
  CASE("tril_16x12x128x128", &gi_op_tril, &diagonal, false, f32(4, 16, 12, 128, 128));
  const gi_sort_attr whole = {1, 768, false}, five = {1, 5, true};
  CASE("sort_2048x768", &gi_op_sort, &whole, false, rows);
  CASE("top_5_2048x768", &gi_op_sort, &five, false, rows);
  const gi_resize_attr
      twice_h = {.axis = 2, .size = 112, .slope = 0.5, .offset = -0.25, .mode = "linear"},
      twice_w = {.axis = 3, .size = 112, .slope = 0.5, .offset = -0.25, .mode = "linear"};
  CASE("resize_rows_16x64x56x56", &gi_op_resize, &twice_h, false, x);
  CASE("resize_columns_16x64x56x56", &gi_op_resize, &twice_w, false, x);
  const gi_reduce_attr all = {.axes = {4, {0, 1, 2, 3}}}, but_c = {.axes = {3, {0, 2, 3}}};
  const gi_reduce_attr inner = {.axes = {1, {3}}}, outer = {.axes = {1, {0}}};
  CASE("sum_all", &gi_op_sum, &all, false, x);
  CASE("sum_to_channels_nchw", &gi_op_sum, &but_c, false, x);
  CASE("sum_to_channels_nhwc", &gi_op_sum, &but_c, true, x);
  CASE("max_inner_56", &gi_op_max, &inner, false, x);
  CASE("sum_outer_16", &gi_op_sum, &outer, false, x);
}

/* What language models do at their ends: logits of 10000 tokens; embeddings of 400 numbers. */
static void run_language(const options *o) {
  const gi_type logits = f32(2, 1400, 10000, 0, 0), each = f32(1, 1400, 0, 0, 0),
                table = f32(2, 10000, 400, 0, 0), rows = f32(2, 1400, 400, 0, 0);
  gi_type tokens = each;
  tokens.dtype = GLIA_I64;
  INDEXED("cross_entropy_1400x10000", &gi_op_cross_entropy, NULL, 10000, logits, tokens);
  INDEXED("cross_entropy_grad_1400x10000", &gi_op_cross_entropy_grad, NULL, 10000, logits,
          tokens, each, each);
  const gi_gather_attr a = {.axis = 0, .size = 10000};
  INDEXED("embedding_1400x400", &gi_op_gather, &a, 10000, table, tokens);
  INDEXED("embedding_grad_1400x400", &gi_op_scatter_add, &a, 10000, rows, tokens);
}

/* A batch of spoken sentences; one head of a long text. */
static void run_sequences(const options *o) {
  const gi_type each = f32(1, 32, 0, 0, 0), x = f32(3, 40, 32, 41, 0);
  gi_type letters = f32(2, 32, 40, 0, 0), lengths = each;
  letters.dtype = lengths.dtype = GLIA_I64;
  const gi_ctc_attr blank = {40};
  INDEXED("ctc_40x32x41", &gi_op_ctc, &blank, 40, x, letters, lengths, lengths);
  const gi_attention_attr a = {.scale = 0.125};
  const gi_type q = f32(4, 1, 1, 2048, 64), row = f32(3, 1, 1, 2048, 0);
  CASE("attention_1x1x2048x64", &gi_op_attention, &a, false, q, q, q);
  CASE("attention_grad_1x1x2048x64", &gi_op_attention_grad, &a, false, q, q, q, row, row, q);
}

/* Layers of the workloads of workloads/lstm.c, without what one product does for all steps. */
static void run_recurrent(const options *o) {
  static const struct {
    const char *forward, *backward;
    int64_t steps, batch, units;
  } sizes[] = {{"lstm_70x20x1152", "lstm_grad_70x20x1152", 70, 20, 1152},
               {"lstm_64x32x256", "lstm_grad_64x32x256", 64, 32, 256}};
  const gi_recurrent_attr a = {.reverse = false};
  for (int i = 0; i < GI_COUNT(sizes); i++) {
    const int64_t t = sizes[i].steps, n = sizes[i].batch, h = sizes[i].units;
    const gi_type x = f32(3, t, n, 4 * h, 0), y = f32(3, t, n, h, 0),
                  u = f32(2, 4 * h, h, 0, 0), state = f32(2, n, h, 0, 0);
    CASE(sizes[i].forward, &gi_op_lstm, &a, false, x, u, state, state);
    CASE(sizes[i].backward, &gi_op_lstm_grad, &a, false, u, state, x, y, y, state, state);
  }
}

static void run_images(const options *o) {
  const gi_pool_attr two = {.kernel = {2, {2, 2}},
                            .stride = {2, {2, 2}},
                            .padding = {2, {0, 0}},
                            .dilation = {2, {1, 1}},
                            .size = {2, {56, 56}}};
  const gi_type x = f32(4, 16, 64, 56, 56), y = f32(4, 16, 64, 28, 28);
  const gi_pool_attr three = {.kernel = {2, {3, 3}},
                              .stride = {2, {2, 2}},
                              .padding = {2, {1, 1}},
                              .dilation = {2, {1, 1}},
                              .size = {2, {56, 56}}};
  gi_type position = y;
  position.dtype = GLIA_U8;
  CASE("maxpool_k3s2_nhwc", &gi_op_max_pool2d, &three, true, x);
  CASE("maxpool_k3s2_grad_nhwc", &gi_op_pool_scatter, &three, true, y, position);
  CASE("pool_gather_nchw", &gi_op_pool_gather, &two, false, x, position);
  for (int l = 0; l < 2; l++) {
    CASE(l ? "maxpool_16x64x56x56_nhwc" : "op_maxpool_16x64x56x56", &gi_op_max_pool2d, &two, l,
         x);
    CASE(l ? "maxpool_grad_nhwc" : "maxpool_grad_nchw", &gi_op_pool_scatter, &two, l, y,
         position);
    CASE(l ? "avgpool_nhwc" : "avgpool_nchw", &gi_op_avg_pool2d, &two, l, x);
  }
  const gi_reorder_attr to_last = {GI_PLAIN, GI_CHANNELS_LAST},
                        to_plain = {GI_CHANNELS_LAST, GI_PLAIN};
  CASE("reorder_to_nhwc", &gi_op_reorder, &to_last, false, x);
  CASE("reorder_to_nchw", &gi_op_reorder, &to_plain, true, x);
  const gi_permute_attr turn = {{2, {1, 0}}};
  CASE("transpose_1500x1500", &gi_op_permute, &turn, false, f32(2, 1500, 1500, 0, 0));
}

static void run_products(const options *o) {
  static const int64_t shapes[][3] = {
      {64, 784, 512},     {64, 512, 256},   {64, 9216, 128},   {64, 128, 10},
      {512, 784, 512},    {128, 768, 768},  {1, 784, 512},     {1400, 1152, 4608},
      {2048, 256, 10000}, {2048, 256, 256}, {2048, 1024, 256}, {2048, 256, 1024},
      {256, 768, 3072},   {1, 768, 50257},  {1, 3072, 768},    {128, 3072, 768}};
  const gi_matmul_attr nn = {.activation = ""}, nt = {.transpose_b = true, .activation = ""},
                       tn = {.transpose_a = true, .activation = ""};
  for (int i = 0; i < GI_COUNT(shapes); i++) {
    const int64_t m = shapes[i][0], k = shapes[i][1], n = shapes[i][2];
    char name[64];
    snprintf(name, sizeof name, "matmul_%dx%dx%d", (int)m, (int)k, (int)n);
    CASE(name, &gi_op_matmul, &nt, false, f32(2, m, k, 0, 0), f32(2, n, k, 0, 0));
    snprintf(name, sizeof name, "matmul_dx_%dx%dx%d", (int)m, (int)n, (int)k);
    CASE(name, &gi_op_matmul, &nn, false, f32(2, m, n, 0, 0), f32(2, n, k, 0, 0));
    snprintf(name, sizeof name, "matmul_dw_%dx%dx%d", (int)n, (int)m, (int)k);
    CASE(name, &gi_op_matmul, &tn, false, f32(2, m, n, 0, 0), f32(2, m, k, 0, 0));
  }
}

static void run_convolutions(const options *o) {
  static const int64_t shapes[][7] = {
      /* N, C, H, F, K, stride, padding */
      {64, 1, 28, 32, 3, 1, 0},   {64, 32, 26, 64, 3, 1, 0}, {8, 3, 224, 64, 7, 2, 3},
      {8, 64, 56, 64, 3, 1, 1},   {8, 64, 56, 128, 3, 2, 1}, {8, 128, 28, 128, 3, 1, 1},
      {8, 256, 14, 256, 3, 1, 1}, {8, 512, 7, 512, 3, 1, 1}, {8, 64, 56, 128, 1, 2, 0},
      {8, 64, 56, 256, 1, 1, 0},  {1, 64, 56, 64, 3, 1, 1},
  };
  for (int i = 0; i < GI_COUNT(shapes); i++) {
    const int64_t *s = shapes[i], out = (s[2] + 2 * s[6] - s[4]) / s[5] + 1;
    gi_conv_attr a = {.stride = {2, {s[5], s[5]}},
                      .padding = {2, {s[6], s[6]}},
                      .dilation = {2, {1, 1}},
                      .groups = 1,
                      .activation = ""};
    const gi_type x = f32(4, s[0], s[1], s[2], s[2]), w = f32(4, s[3], s[1], s[4], s[4]);
    const gi_type y = f32(4, s[0], s[3], out, out);
    char name[64];
    snprintf(name, sizeof name, "conv_%dx%dx%d_f%d_k%d_s%d", (int)s[0], (int)s[1], (int)s[2],
             (int)s[3], (int)s[4], (int)s[5]);
    CASE(name, &gi_op_conv2d, &a, true, x, w);
    a.size = (gi_dims){2, {s[2], s[2]}};
    snprintf(name, sizeof name, "conv_dx_%dx%dx%d_f%d_k%d_s%d", (int)s[0], (int)s[1], (int)s[2],
             (int)s[3], (int)s[4], (int)s[5]);
    CASE(name, &gi_op_conv2d_input_grad, &a, true, y, w);
    a.size = (gi_dims){2, {s[4], s[4]}};
    snprintf(name, sizeof name, "conv_dw_%dx%dx%d_f%d_k%d_s%d", (int)s[0], (int)s[1], (int)s[2],
             (int)s[3], (int)s[4], (int)s[5]);
    CASE(name, &gi_op_conv2d_weight_grad, &a, true, x, y);
  }
}

static void usage(void) {
  fprintf(stderr,
          "usage: bench_ops [--threads N] [--seconds S] [--isa NAME] [--like TEXT] [--all]\n"
          "                 [--kernel NAME]\n");
  exit(2);
}

int main(int argc, char **argv) {
  static const struct option names[] = {{"threads", required_argument, NULL, 't'},
                                        {"seconds", required_argument, NULL, 's'},
                                        {"isa", required_argument, NULL, 'i'},
                                        {"like", required_argument, NULL, 'l'},
                                        {"all", no_argument, NULL, 'a'},
                                        {"kernel", required_argument, NULL, 'k'},
                                        {NULL, 0, NULL, 0}};
  options o = {.threads = 1, .seconds = 0.5};
  for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
    int64_t n = 0;
    switch (c) {
      case 't':
        if (!gi_parse_i64(optarg, &n) || n < 1 || n > 1024) usage();
        o.threads = (int)n;
        break;
      case 's':
        if (!gi_parse_f64(optarg, &o.seconds)) usage();
        break;
      case 'i': setenv("GLIA_ISA", optarg, 1); break;
      case 'l': o.like = optarg; break;
      case 'a': o.all = true; break;
      case 'k': o.kernel = optarg; break;
      default: usage();
    }
  }
  if (optind < argc) usage();
  run_fused(&o);
  run_elementwise(&o);
  run_in_double(&o);
  run_rows(&o);
  run_language(&o);
  run_sequences(&o);
  run_recurrent(&o);
  run_images(&o);
  run_products(&o);
  run_convolutions(&o);
  return 0;
}
