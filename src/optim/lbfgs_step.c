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

glia_status gi_lbfgs_open(gi_lbfgs *l, int64_t n, gi_lbfgs_fn *evaluate, void *user) {
  l->n = n;
  l->evaluate = evaluate;
  l->user = user;
  double **const vectors[] = {&l->x, &l->g, &l->d, &l->before, &l->trial};
  for (int i = 0; i < GI_COUNT(vectors); i++) GI_TRY(take(n, sizeof(double), vectors[i]));
  GI_TRY(take(l->o.history, sizeof *l->dg, &l->dg));
  GI_TRY(take(l->o.history, sizeof *l->dx, &l->dx));
  GI_TRY(take(l->o.history, sizeof *l->rho, &l->rho));
  return take(l->o.history, sizeof *l->alpha, &l->alpha);
}

void gi_lbfgs_close(gi_lbfgs *l) {
  for (int64_t i = 0; i < l->o.history; i++) {
    if (l->dg != NULL) gi_free(l->dg[i]);
    if (l->dx != NULL) gi_free(l->dx[i]);
  }
  void *const all[] = {l->x, l->g, l->d, l->before, l->trial, l->dg, l->dx, l->rho, l->alpha};
  for (int i = 0; i < GI_COUNT(all); i++) gi_free(all[i]);
  *l = (gi_lbfgs){0};
}

void gi_lbfgs_forget(gi_lbfgs *l) { l->iterations = l->first = l->pairs = 0; }

/* ---- directions -------------------------------------------------------------------------- */

/* The ring's place of pair i, 0 the oldest. */
static int64_t place(const gi_lbfgs *l, int64_t i) { return (l->first + i) % l->o.history; }

/* Takes in what the last step changed, unless the loss curves down along it. */
static glia_status remember(gi_lbfgs *l) {
  double along = 0, around = 0;
  for (int64_t i = 0; i < l->n; i++) {
    const double dg = l->g[i] - l->before[i];
    along += dg * (l->d[i] * l->t);
    around += dg * dg;
  }
  if (!(along > 1e-10)) return GLIA_OK;
  if (l->pairs == l->o.history)
    l->first = (l->first + 1) % l->o.history;
  else
    l->pairs++;
  const int64_t at = place(l, l->pairs - 1);
  if (l->dg[at] == NULL) GI_TRY(take(l->n, sizeof(double), &l->dg[at]));
  if (l->dx[at] == NULL) GI_TRY(take(l->n, sizeof(double), &l->dx[at]));
  for (int64_t i = 0; i < l->n; i++) {
    l->dg[at][i] = l->g[i] - l->before[i];
    l->dx[at][i] = l->d[i] * l->t;
  }
  l->rho[at] = 1 / along;
  l->scale = along / around;
  return GLIA_OK;
}

/* d = -H g */
static void turn(gi_lbfgs *l) {
  for (int64_t i = 0; i < l->n; i++) l->d[i] = -l->g[i];
  for (int64_t k = l->pairs - 1; k >= 0; k--) {
    const int64_t at = place(l, k);
    l->alpha[k] = gi_dot(l->dx[at], l->d, l->n) * l->rho[at];
    for (int64_t i = 0; i < l->n; i++) l->d[i] -= l->alpha[k] * l->dg[at][i];
  }
  for (int64_t i = 0; i < l->n; i++) l->d[i] *= l->scale;
  for (int64_t k = 0; k < l->pairs; k++) {
    const int64_t at = place(l, k);
    const double beta = gi_dot(l->dg[at], l->d, l->n) * l->rho[at];
    for (int64_t i = 0; i < l->n; i++) l->d[i] += (l->alpha[k] - beta) * l->dx[at][i];
  }
}

static glia_status direct(gi_lbfgs *l) {
  if (l->iterations == 1) {
    l->first = l->pairs = 0;
    l->scale = 1;
  } else {
    GI_TRY(remember(l));
  }
  turn(l);
  memcpy(l->before, l->g, (size_t)l->n * sizeof *l->g);
  return GLIA_OK;
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
  for (int64_t i = 0; i < l->n; i++) l->trial[i] = l->x[i] + t * l->d[i];
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
  for (int64_t i = 0; i < l->n; i++) l->x[i] += l->t * l->d[i];
  if (l->o.line_search == NULL && !last) return evaluate(l, l->x, &l->f, l->g);
  return GLIA_OK;
}

glia_status gi_lbfgs_step(gi_lbfgs *l, double *loss) {
  const int64_t evaluations = l->evaluations;
  GI_TRY(evaluate(l, l->x, &l->f, l->g));
  *loss = l->f;
  if (gi_largest(l->g, l->n) <= l->o.tolerance_grad) return GLIA_OK;
  for (int64_t i = 1; i <= l->o.max_iter; i++) {
    const double f = l->f;
    l->iterations++;
    GI_TRY(direct(l));
    l->t = first_length(l);
    const double slope = gi_dot(l->g, l->d, l->n);
    if (slope > -l->o.tolerance_change) break;
    GI_TRY(move(l, slope, i == l->o.max_iter));
    if (l->evaluations - evaluations >= l->o.max_eval ||
        gi_largest(l->g, l->n) <= l->o.tolerance_grad ||
        gi_largest(l->d, l->n) * fabs(l->t) <= l->o.tolerance_change ||
        fabs(l->f - f) < l->o.tolerance_change)
      break;
  }
  return GLIA_OK;
}
