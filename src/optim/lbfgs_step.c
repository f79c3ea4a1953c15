/* lbfgs_step.c - the directions of L-BFGS: -H g, H never formed (the two-loop recursion,
 * Nocedal 1980, doi:10.1090/S0025-5718-1980-0572855-7). Order of work, conditions and ends are
 * those of PyTorch's LBFGS, so that the steps are its steps.
 */
#include "optim/lbfgs.h"

#include <math.h>

#include "base/fields.h"

/* ---- making ------------------------------------------------------------------------------ */

static const char *const searches[] = {"strong_wolfe", NULL};
static const gi_field fields[] = {
    GI_FIELD(F64, glia_lbfgs_opts, lr, .max = 1e6),
    GI_FIELD(I64, glia_lbfgs_opts, max_iter, .max = 1e9),
    GI_FIELD(I64, glia_lbfgs_opts, max_eval, .max = 1e9),
    GI_FIELD(F64, glia_lbfgs_opts, tolerance_grad, .max = 1e30),
    GI_FIELD(F64, glia_lbfgs_opts, tolerance_change, .max = 1e30),
    GI_FIELD(I64, glia_lbfgs_opts, history, .max = 1e6),
    GI_FIELD(NAME, glia_lbfgs_opts, line_search, .choices = searches),
    {.name = NULL},
};

glia_status gi_lbfgs_resolve(glia_lbfgs_opts *o) {
  GI_TRY(gi_fields_check(fields, "lbfgs", o));
  if (o->lr == 0) o->lr = 1;
  if (o->max_iter == 0) o->max_iter = 20;
  if (o->max_eval == 0) o->max_eval = o->max_iter * 5 / 4;
  if (o->tolerance_grad == 0) o->tolerance_grad = 1e-7;
  if (o->tolerance_change == 0) o->tolerance_change = 1e-9;
  if (o->history == 0) o->history = 100;
  return GLIA_OK;
}

static glia_status take(int64_t n, size_t item, void *out) {
  size_t bytes = SIZE_MAX;
  void *p = gi_mul_size((size_t)n, item, &bytes) ? gi_alloc(bytes) : NULL;
  memcpy(out, &p, sizeof p);
  return p != NULL ? GLIA_OK : gi_fail_nomem(bytes);
}

int64_t gi_lbfgs_size(const gi_lbfgs *l, int64_t n, gi_lbfgs_part part) {
  switch (part) {
    case GI_LBFGS_COUNTERS: return GI_LBFGS_COUNTS;
    case GI_LBFGS_DIRECTION:
    case GI_LBFGS_GRADIENT: return n;
    case GI_LBFGS_CURVATURES: return l->o.history;
    default: return n > INT64_MAX / l->o.history ? INT64_MAX : n * l->o.history;
  }
}

glia_status gi_lbfgs_open(gi_lbfgs *l, int64_t n, gi_lbfgs_fn *evaluate, void *user) {
  l->n = n;
  l->evaluate = evaluate;
  l->user = user;
  double **const vectors[] = {&l->x, &l->g, &l->trial};
  for (int i = 0; i < GI_COUNT(vectors); i++) GI_TRY(take(n, sizeof(double), vectors[i]));
  for (gi_lbfgs_part i = 0; i < GI_LBFGS_PARTS && !l->lent; i++)
    GI_TRY(take(gi_lbfgs_size(l, n, i), sizeof(double), &l->part[i]));
  return take(l->o.history, sizeof *l->alpha, &l->alpha);
}

void gi_lbfgs_close(gi_lbfgs *l) {
  for (int i = 0; i < GI_LBFGS_PARTS && !l->lent; i++) gi_free(l->part[i]);
  double *const all[] = {l->x, l->g, l->trial, l->alpha};
  for (int i = 0; i < GI_COUNT(all); i++) gi_free(all[i]);
  *l = (gi_lbfgs){0};
}

/* ---- what is kept ------------------------------------------------------------------------ */

static void note(const gi_lbfgs *l) {
  const double counts[GI_LBFGS_COUNTS] = {(double)l->iterations,  (double)l->first,
                                          (double)l->pairs,       l->scale,
                                          (double)l->evaluations, l->t};
  memcpy(l->part[GI_LBFGS_COUNTERS], counts, sizeof counts);
}

/* They may come from a file. */
static glia_status recall(gi_lbfgs *l) {
  const double *c = l->part[GI_LBFGS_COUNTERS], most = 0x1p53,
               limit[GI_LBFGS_COUNTS] = {
                   most,    (double)l->o.history - 1, (double)l->o.history, HUGE_VAL, most,
                   HUGE_VAL};
  for (int i = 0; i < GI_LBFGS_COUNTS; i++)
    if (!(c[i] >= 0 && c[i] <= limit[i]))
      return gi_fail(GLIA_DATA, "lbfgs: counter %d of the state is %g, wanted 0 to %g", i, c[i],
                     limit[i]);
  l->iterations = (int64_t)c[0];
  l->first = (int64_t)c[1];
  l->pairs = (int64_t)c[2];
  l->scale = c[3];
  l->evaluations = (int64_t)c[4];
  l->t = c[5];
  return GLIA_OK;
}

void gi_lbfgs_forget(gi_lbfgs *l) {
  l->iterations = l->first = l->pairs = 0;
  note(l);
}

/* A pair of the ring: changes of the gradient and of the parameters. */
static double *gradient_change(const gi_lbfgs *l, int64_t at) {
  return l->part[GI_LBFGS_GRADIENT_CHANGES] + at * l->n;
}
static double *parameter_change(const gi_lbfgs *l, int64_t at) {
  return l->part[GI_LBFGS_PARAMETER_CHANGES] + at * l->n;
}

/* ---- directions -------------------------------------------------------------------------- */

/* The ring's place of pair i, 0 the oldest. */
static int64_t place(const gi_lbfgs *l, int64_t i) { return (l->first + i) % l->o.history; }

/* Takes in what the last step changed, unless the loss curves down along it. */
static void remember(gi_lbfgs *l) {
  const double *d = l->part[GI_LBFGS_DIRECTION], *before = l->part[GI_LBFGS_GRADIENT];
  double along = 0, around = 0;
  for (int64_t i = 0; i < l->n; i++) {
    const double dg = l->g[i] - before[i];
    along += dg * (d[i] * l->t);
    around += dg * dg;
  }
  if (!(along > 1e-10)) return;
  if (l->pairs == l->o.history)
    l->first = (l->first + 1) % l->o.history;
  else
    l->pairs++;
  const int64_t at = place(l, l->pairs - 1);
  double *dg = gradient_change(l, at), *dx = parameter_change(l, at);
  for (int64_t i = 0; i < l->n; i++) {
    dg[i] = l->g[i] - before[i];
    dx[i] = d[i] * l->t;
  }
  l->part[GI_LBFGS_CURVATURES][at] = 1 / along;
  l->scale = along / around;
}

/* d = -H g */
static void turn(gi_lbfgs *l) {
  const double *rho = l->part[GI_LBFGS_CURVATURES];
  double *d = l->part[GI_LBFGS_DIRECTION];
  for (int64_t i = 0; i < l->n; i++) d[i] = -l->g[i];
  for (int64_t k = l->pairs - 1; k >= 0; k--) {
    const double *dg = gradient_change(l, place(l, k)), *dx = parameter_change(l, place(l, k));
    l->alpha[k] = gi_dot(dx, d, l->n) * rho[place(l, k)];
    for (int64_t i = 0; i < l->n; i++) d[i] -= l->alpha[k] * dg[i];
  }
  for (int64_t i = 0; i < l->n; i++) d[i] *= l->scale;
  for (int64_t k = 0; k < l->pairs; k++) {
    const double *dg = gradient_change(l, place(l, k)), *dx = parameter_change(l, place(l, k));
    const double beta = gi_dot(dg, d, l->n) * rho[place(l, k)];
    for (int64_t i = 0; i < l->n; i++) d[i] += (l->alpha[k] - beta) * dx[i];
  }
}

static void direct(gi_lbfgs *l) {
  if (l->iterations == 1) {
    l->first = l->pairs = 0;
    l->scale = 1;
  } else {
    remember(l);
  }
  turn(l);
  memcpy(l->part[GI_LBFGS_GRADIENT], l->g, (size_t)l->n * sizeof *l->g);
}

/* ---- steps ------------------------------------------------------------------------------- */

static glia_status evaluate(gi_lbfgs *l, const double *x, double *f, double *g) {
  l->evaluations++;
  GI_TRY(l->evaluate(l->user, x, f, g));
  if (!isfinite(*f)) return gi_fail(GLIA_DIVERGED, "lbfgs: the loss is %g", *f);
  for (int64_t i = 0; i < l->n; i++)
    if (!isfinite(g[i]))
      return gi_fail(GLIA_DIVERGED, "lbfgs: element %lld of the gradient is %g", (long long)i,
                     g[i]);
  return GLIA_OK;
}

glia_status gi_lbfgs_try(gi_lbfgs *l, double t, double *f, double *g) {
  for (int64_t i = 0; i < l->n; i++) l->trial[i] = l->x[i] + t * l->part[GI_LBFGS_DIRECTION][i];
  return evaluate(l, l->trial, f, g);
}

static double first_length(const gi_lbfgs *l) {
  double sum = 0;
  if (l->iterations > 1) return l->o.lr;
  for (int64_t i = 0; i < l->n; i++) sum += fabs(l->g[i]);
  return fmin(1, 1 / sum) * l->o.lr;
}

/* Along the direction; without a search nobody looks where the last one led. */
static glia_status move(gi_lbfgs *l, double slope, bool last) {
  if (l->o.line_search != NULL) GI_TRY(gi_lbfgs_search(l, slope));
  for (int64_t i = 0; i < l->n; i++) l->x[i] += l->t * l->part[GI_LBFGS_DIRECTION][i];
  if (l->o.line_search == NULL && !last) return evaluate(l, l->x, &l->f, l->g);
  return GLIA_OK;
}

static glia_status step(gi_lbfgs *l, double *loss) {
  const double *d = l->part[GI_LBFGS_DIRECTION];
  const int64_t evaluations = l->evaluations;
  GI_TRY(evaluate(l, l->x, &l->f, l->g));
  *loss = l->f;
  if (gi_largest(l->g, l->n) <= l->o.tolerance_grad) return GLIA_OK;
  for (int64_t i = 1; i <= l->o.max_iter; i++) {
    const double f = l->f;
    l->iterations++;
    direct(l);
    l->t = first_length(l);
    const double slope = gi_dot(l->g, d, l->n);
    if (slope > -l->o.tolerance_change) break;
    GI_TRY(move(l, slope, i == l->o.max_iter));
    if (l->evaluations - evaluations >= l->o.max_eval ||
        gi_largest(l->g, l->n) <= l->o.tolerance_grad ||
        gi_largest(d, l->n) * fabs(l->t) <= l->o.tolerance_change ||
        fabs(l->f - f) < l->o.tolerance_change)
      break;
  }
  return GLIA_OK;
}

glia_status gi_lbfgs_step(gi_lbfgs *l, double *loss) {
  GI_TRY(recall(l));
  const glia_status status = step(l, loss);
  note(l);
  return status;
}
