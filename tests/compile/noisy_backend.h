/* tests/compile/noisy_backend.h - the reference with rounding errors of its own: every float
 * result of every op is moved by up to a few units of an f32's last place; what may be the
 * difference of larger numbers (sums, softmax, losses), by as much of the largest there is. How
 * far the answers of a graph scatter is how far any backend's rounding may move them.
 */
#ifndef GI_TEST_NOISY_BACKEND_H
#define GI_TEST_NOISY_BACKEND_H

#include "test.h"

#include "compile/plan.h"

#define NOISE 2.5e-7 /* relative */

static uint64_t noise_stream; /* another one, other errors */
static uint64_t noise_step;

typedef struct noisy {
  void *inner; /* the reference's state */
  int n_out;
  bool sums; /* its errors are those of what it adds up */
  gi_type out[GI_MAX_OUT];
} noisy;

static inline const gi_kernel *noisy_inner(void) { return gi_backend_ref.kernels[0][0]; }

static glia_status noisy_prepare(const gi_problem *p, gi_prepared *made) {
  noisy *n = gi_alloc(sizeof *n);
  if (n == NULL) return gi_fail_nomem(sizeof *n);
  const glia_status s = noisy_inner()->prepare(p, made);
  if (s != GLIA_OK) {
    gi_free(n);
    return s;
  }
  n->inner = made->state;
  n->n_out = p->n_out;
  n->sums = p->op->precision != GI_TAKES_ANY && !(p->op->flags & GI_ELEMENTWISE);
  for (int k = 0; k < p->n_out; k++) n->out[k] = p->out[k];
  made->state = n;
  return GLIA_OK;
}

/* The largest that is finite. */
static inline double noisy_largest(const gi_type *t, const void *p) {
  double largest = 0;
  for (int64_t i = 0; i < gi_type_count(t); i++) {
    const double v = fabs(gi_load(t->dtype, p, i));
    if (isfinite(v)) largest = fmax(largest, v);
  }
  return largest;
}

static glia_status noisy_run(const gi_exec *x) {
  const noisy *n = x->state;
  gi_exec inner = *x;
  inner.state = n->inner;
  GI_TRY(noisy_inner()->run(&inner));
  const gi_rng r = {3, noise_stream, noise_step++};
  for (int k = 0; k < n->n_out; k++) {
    const gi_type *t = &n->out[k];
    if (!glia_dtype_is_float(t->dtype)) continue;
    const double largest = n->sums ? noisy_largest(t, x->out[k]) : 0;
    for (int64_t i = 0; i < gi_type_count(t); i++) {
      const double v = gi_load(t->dtype, x->out[k], i);
      const double by = NOISE * (2 * gi_rng_uniform(&r, (uint64_t)i) - 1);
      gi_store(t->dtype, x->out[k], i, v + by * (n->sums ? largest : v));
    }
  }
  return GLIA_OK;
}

static void noisy_release(void *state) {
  noisy *n = state;
  noisy_inner()->release(n->inner);
  gi_free(n);
}

static double noisy_cost(const gi_problem *p, const gi_limits *limits) {
  (void)p, (void)limits;
  return 0; /* never the reference behind it */
}

static const gi_kernel noisy_kernel = {.name = "noisy",
                                       .cost = noisy_cost,
                                       .prepare = noisy_prepare,
                                       .run = noisy_run,
                                       .release = noisy_release};
static const gi_kernel *const noisy_kernels[] = {&noisy_kernel, NULL};
static const gi_kernel *const *const noisy_lists[] = {noisy_kernels, NULL};
static const gi_backend noisy_backend = {.name = "noisy", .kernels = noisy_lists};

/* As glia_compile, without passes; *arena is the caller's (gi_free_aligned). */
static inline glia_status noisy_compile(const glia_graph *g, const char *watch, uint64_t seed,
                                        void **arena, glia_plan **out) {
  const gi_target target = {
      .backend = &noisy_backend, .threads = 1, .limits = gi_backend_ref.limits(1)};
  glia_graph *mine = NULL;
  GI_TRY(gi_run_passes(g, &target, "all", NULL, NULL, &mine));
  GI_TRY(gi_plan_new(mine, &target, watch, out));
  *arena = gi_alloc_aligned(glia_plan_bytes(*out) + 64);
  if (*arena == NULL) return gi_fail_nomem(glia_plan_bytes(*out));
  glia_plan_clock(*out, seed, 0);
  return gi_plan_attach(*out, *arena);
}

#endif /* GI_TEST_NOISY_BACKEND_H */
