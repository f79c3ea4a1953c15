/* tests/backend/kernels.h - runs a kernel of the cpu backend against the op's reference.
 *
 * A trial makes random inputs, computes the outputs by op->ref in the plain layout, and then by
 * the kernel that the cpu backend chooses: for every instruction set that this processor has;
 * with the best of them for 1, 2 and 3 threads, on aligned and misaligned memory; with inputs
 * at hand plain or channels-last. Results must be near the reference, and the same bits for any
 * number of threads.
 */
#ifndef GI_TEST_KERNELS_H
#define GI_TEST_KERNELS_H

#include "backend/cpu/cpu.h"
#include "test.h"

enum { TRIAL_IN = 17 };

typedef struct trial {
  const gi_op *op;
  const void *attr;
  int n_in;
  gi_type in[TRIAL_IN];
  double low[TRIAL_IN], high[TRIAL_IN]; /* both 0: -2 .. 2; integers: 0 .. high - 1 */
  double tolerance;                     /* relative to max(1, |wanted|); 0: 1e-5 */
  bool channels_last;                   /* rank-4 inputs are at hand in this layout */
  bool in_place;                        /* output 0 lies where an input lies that it may */
  bool onednn;        /* it has its own instruction sets, and bits may depend on threads */
  const char *kernel; /* name that must be chosen; NULL: any but the reference */
  gi_clock clock;
} trial;

/* f32 type from its dimensions, the list ended by -1. */
static inline gi_type f32_type(const int64_t *dims) {
  gi_type t = {.dtype = GLIA_F32};
  while (dims[t.rank] >= 0) t.dim[t.rank] = dims[t.rank], t.rank++;
  return t;
}
#define F32(...) f32_type((const int64_t[]){__VA_ARGS__, -1})
#define SCALAR   f32_type((const int64_t[]){-1})

static inline gi_type with_dtype(gi_type t, glia_dtype d) {
  t.dtype = d;
  return t;
}

typedef struct trial_space {
  gi_type out[GI_MAX_OUT];
  int n_out;
  void *in[TRIAL_IN], *want[GI_MAX_OUT]; /* plain */
} trial_space;

static inline void *trial_memory(size_t bytes) {
  void *p = gi_alloc_aligned(bytes);
  assert_non_null(p);
  return p;
}

/* Random elements, plain. */
static inline void *trial_input(const trial *t, int i, uint64_t seed) {
  const gi_type *type = &t->in[i];
  const bool unset = t->low[i] == 0 && t->high[i] == 0;
  const double low = unset ? -2 : t->low[i], high = unset ? 2 : t->high[i];
  const gi_rng rng = {seed, (uint64_t)i, 0};
  void *p = trial_memory(gi_type_bytes(type));
  for (int64_t k = 0; k < gi_type_count(type); k++) {
    const double u = gi_rng_uniform(&rng, (uint64_t)k);
    const double v = glia_dtype_is_float(type->dtype) ? low + (high - low) * u
                     : type->dtype == GLIA_BOOL       ? (double)(u < 0.5)
                                                      : (double)(int64_t)(u * high);
    gi_store(type->dtype, p, k, v);
  }
  return p;
}

static inline void trial_reference(const trial *t, trial_space *s) {
  gi_infer infer = {t->n_in, t->in, t->attr, t->op->n_out, s->out};
  OK(t->op->infer(&infer));
  s->n_out = infer.n_out;
  gi_buf in[TRIAL_IN], out[GI_MAX_OUT];
  for (int i = 0; i < t->n_in; i++) in[i] = (gi_buf){t->in[i], s->in[i]};
  for (int k = 0; k < s->n_out; k++) {
    s->want[k] = trial_memory(gi_type_bytes(&s->out[k]));
    out[k] = (gi_buf){s->out[k], s->want[k]};
  }
  gi_ref call = {t->n_in, s->n_out, in, out, t->attr, &t->clock};
  OK(t->op->ref(&call));
}

/* Copies elements from one layout to another. */
static inline void trial_reorder(const gi_type *t, gi_layout from_layout, const void *from,
                                 gi_layout to_layout, void *to) {
  int64_t a[GLIA_MAX_RANK], b[GLIA_MAX_RANK], at[GLIA_MAX_RANK] = {0};
  const size_t size = glia_dtype_size(t->dtype);
  gi_layout_strides(t, from_layout, a);
  gi_layout_strides(t, to_layout, b);
  for (int64_t e = 0; e < gi_type_count(t); e++) {
    int64_t x = 0, y = 0;
    for (int d = 0; d < t->rank; d++) x += at[d] * a[d], y += at[d] * b[d];
    memcpy((char *)to + (size_t)y * size, (const char *)from + (size_t)x * size, size);
    for (int d = t->rank - 1; d >= 0 && ++at[d] == t->dim[d]; d--) at[d] = 0;
  }
}

static inline void trial_compare(const trial *t, const trial_space *s, int k, const void *got,
                                 const char *what) {
  const double tolerance = t->tolerance != 0 ? t->tolerance : 1e-5;
  for (int64_t i = 0; i < gi_type_count(&s->out[k]); i++) {
    const double a = gi_load(s->out[k].dtype, s->want[k], i);
    const double b = gi_load(s->out[k].dtype, got, i);
    if (a == b || (isnan(a) && isnan(b))) continue;
    if (fabs(a - b) <= tolerance * fmax(1, fabs(a))) continue;
    char text[128];
    fail_msg("%s (%s): element %lld of output %d, %s: %.9g, wanted %.9g", t->op->name, what,
             (long long)i, k, gi_type_text(&s->out[k], text, sizeof text), b, a);
  }
}

/* Memory of exactly the size wanted, so that a sanitizer sees a step too far; `shift` elements
 * behind an aligned address. */
typedef struct trial_block {
  void *base, *at;
} trial_block;
static inline trial_block trial_new_block(const gi_type *t, int64_t shift) {
  const size_t move = (size_t)shift * glia_dtype_size(t->dtype);
  char *p = trial_memory(gi_type_bytes(t) + move);
  return (trial_block){p, p + move};
}

/* The kernel that costs least by its own account, or that of the name wanted, in the choice of
 * layouts nearest to what is at hand. */
typedef struct trial_chosen {
  const char *name; /* NULL: any */
  bool channels_last;
  gi_problem p;
  const gi_kernel *kernel;
  int choice;
  double least;
  gi_str why;
} trial_chosen;

static inline bool trial_ask(const gi_kernel *k, void *user) {
  trial_chosen *c = user;
  gi_layout in[TRIAL_IN], out[GI_MAX_OUT];
  const gi_limits limits = {.flops = 1e11, .bytes = 2e10};
  const char *reason = k->fits != NULL ? k->fits(&c->p) : NULL;
  if (reason != NULL) {
    gi_str_printf(&c->why, "%s: %s; ", k->name, reason);
    return true;
  }
  const int nearest = c->channels_last && gi_kernel_layouts(k, &c->p, 1, in, out) ? 1 : 0;
  assert_true(gi_kernel_layouts(k, &c->p, nearest, in, out));
  c->p.in_layout = in;
  c->p.out_layout = out;
  const double seconds = gi_kernel_cost(k, &c->p, &limits);
  const bool named = c->name != NULL && strcmp(c->name, k->name) == 0;
  if (c->name != NULL ? !named : c->kernel != NULL && seconds >= c->least) return true;
  c->kernel = k;
  c->choice = nearest;
  c->least = seconds;
  return true;
}

/* why: NULL, or receives the reasons of those that do not fit. */
static inline const gi_kernel *trial_fastest(const gi_problem *p, gi_str *why) {
  trial_chosen c = {.p = *p};
  gi_kernel_each(&gi_backend_cpu, p->op, trial_ask, &c);
  if (why != NULL)
    *why = c.why;
  else
    gi_str_free(&c.why);
  return c.kernel;
}

/* Leaves the layouts in in and out. */
static inline const gi_kernel *trial_kernel(const trial *t, const gi_problem *p, gi_layout *in,
                                            gi_layout *out) {
  trial_chosen c = {.name = t->kernel, .channels_last = t->channels_last, .p = *p};
  gi_kernel_each(&gi_backend_cpu, p->op, trial_ask, &c);
  if (c.kernel == NULL || (t->kernel == NULL && strcmp(c.kernel->name, "reference") == 0))
    fail_msg("%s: no kernel was chosen: %s", p->op->name, c.why.n > 0 ? c.why.s : "");
  gi_str_free(&c.why);
  assert_true(gi_kernel_layouts(c.kernel, p, c.choice, in, out));
  return c.kernel;
}

/* One run of the kernel; outputs are given back plain in got[]. */
static inline void trial_run(const trial *t, const trial_space *s, int threads, int64_t shift,
                             void **got) {
  gi_layout in_layout[TRIAL_IN] = {0}, out_layout[GI_MAX_OUT] = {0};
  const gi_problem p = {.op = t->op,
                        .attr = t->attr,
                        .n_in = t->n_in,
                        .n_out = s->n_out,
                        .in = t->in,
                        .out = s->out,
                        .in_layout = in_layout,
                        .out_layout = out_layout,
                        .threads = threads};
  const gi_kernel *k = trial_kernel(t, &p, in_layout, out_layout);
  gi_prepared made = {0};
  OK(k->prepare(&p, &made));

  trial_block in[TRIAL_IN], out[GI_MAX_OUT];
  const void *in_at[TRIAL_IN];
  void *out_at[GI_MAX_OUT], *scratch = trial_memory(made.scratch);
  for (int i = 0; i < t->n_in; i++) {
    in[i] = trial_new_block(&t->in[i], shift);
    in_at[i] = in[i].at;
    trial_reorder(&t->in[i], GI_PLAIN, s->in[i], in_layout[i], in[i].at);
  }
  for (int o = 0; o < s->n_out; o++) {
    out[o] = trial_new_block(&s->out[o], shift);
    out_at[o] = out[o].at;
    for (int i = t->n_in - 1; i >= 0 && o == 0 && t->in_place; i--)
      if (gi_may_overwrite(t->op, i)) out_at[o] = in[i].at;
    memset(out[o].at, 0x7e, gi_type_bytes(&s->out[o]));
  }
  memset(scratch, 0xff, made.scratch);
  const gi_exec x = {made.state, in_at, out_at, scratch, &t->clock};
  gi_alloc_count();
  OK(k->run(&x));
  assert_int_equal(gi_alloc_count(), 0);
  for (int o = 0; o < s->n_out; o++) {
    got[o] = trial_memory(gi_type_bytes(&s->out[o]));
    trial_reorder(&s->out[o], out_layout[o], out_at[o], GI_PLAIN, got[o]);
    gi_free_aligned(out[o].base);
  }
  for (int i = 0; i < t->n_in; i++) gi_free_aligned(in[i].base);
  gi_free_aligned(scratch);
  if (k->release != NULL) k->release(made.state);
}

/* With one instruction set and 1 .. threads threads. */
static inline void try_set(const trial *t, const trial_space *s, const char *set, int threads) {
  void *first[GI_MAX_OUT] = {0};
  setenv("GLIA_ISA", set, 1);
  for (int n = 1; n <= threads; n++) {
    void *got[GI_MAX_OUT] = {0};
    trial_run(t, s, n, n - 1, got);
    for (int k = 0; k < s->n_out; k++) {
      trial_compare(t, s, k, got[k], set);
      if (n == 1) {
        first[k] = got[k];
        continue;
      }
      if (!t->onednn && memcmp(first[k], got[k], gi_type_bytes(&s->out[k])) != 0)
        fail_msg("%s: other bits with %d threads (%s)", t->op->name, n, set);
      gi_free_aligned(got[k]);
    }
  }
  for (int k = 0; k < s->n_out; k++) gi_free_aligned(first[k]);
  unsetenv("GLIA_ISA");
}

static inline void try_kernel(const trial *t, uint64_t seed) {
  trial_space s = {0};
  for (int i = 0; i < t->n_in; i++) s.in[i] = trial_input(t, i, seed);
  trial_reference(t, &s);
  const char *best = gi_cpu_isa()->name;
  if (!t->onednn && strcmp(best, "base") != 0) try_set(t, &s, "base", 1);
  if (!t->onednn && strcmp(best, "avx512") == 0) try_set(t, &s, "avx2", 1);
  try_set(t, &s, best, t->onednn ? 2 : 3);
  for (int i = 0; i < t->n_in; i++) gi_free_aligned(s.in[i]);
  for (int k = 0; k < s.n_out; k++) gi_free_aligned(s.want[k]);
}

#endif /* GI_TEST_KERNELS_H */
