/* lbfgs_search.c - how far to go along a direction: a step length t with
 *
 *   f(t) <= f(0) + c1 t f'(0)     and     |f'(t)| <= -c2 f'(0)        (strong Wolfe conditions)
 *
 * First the step is lengthened until two lengths have such a t between them, then the bracket
 * is narrowed; new lengths are minima of the cubic through both ends (Nocedal & Wright,
 * Numerical Optimization, algorithms 3.5 and 3.6). Constants and order of work are those of
 * PyTorch.
 */
#include <math.h>

#include "base/base.h"
#include "optim/lbfgs.h"

enum { MOST = 25 }; /* evaluations */
static const double C1 = 1e-4, C2 = 0.9, NARROW = 1e-9;

typedef struct point {
  double t, f, slope;
  double *g; /* [n] */
} point;

/* Minimum within [low, high] of the cubic with these values and slopes; the middle if it has
 * none. */
static double cubic_minimum(const point *a, const point *b, double low, double high) {
  const double d1 = a->slope + b->slope - 3 * (a->f - b->f) / (a->t - b->t);
  const double square = d1 * d1 - a->slope * b->slope;
  if (!(square >= 0)) return (low + high) / 2;
  const double d2 = sqrt(square);
  const point *from = a->t <= b->t ? a : b, *to = a->t <= b->t ? b : a;
  const double t =
      to->t - (to->t - from->t) * ((to->slope + d2 - d1) / (to->slope - from->slope + 2 * d2));
  return fmin(fmax(t, low), high);
}

static glia_status look(gi_lbfgs *l, point *p, double t) {
  p->t = t;
  GI_TRY(gi_lbfgs_try(l, t, &p->f, p->g));
  p->slope = gi_dot(p->g, l->part[GI_LBFGS_DIRECTION], l->n);
  return GLIA_OK;
}

static void swap(point *a, point *b) {
  const point keep = *a;
  *a = *b;
  *b = keep;
}

typedef struct search {
  gi_lbfgs *l;
  point start, now, end[2]; /* the bracket; end[0] alone where `done` */
  double slope;             /* at 0 */
  int64_t looks;
  bool done;
} search;

static bool too_high(const search *s) {
  return s->now.f > s->start.f + C1 * s->now.t * s->slope;
}
static bool flat(const search *s) { return fabs(s->now.slope) <= -C2 * s->slope; }

/* Lengthens the step; leaves two ends in the bracket, or one that will do. */
static glia_status bracket(search *s) {
  GI_TRY(look(s->l, &s->now, s->l->t));
  memcpy(s->end[0].g, s->start.g, (size_t)s->l->n * sizeof(double));
  s->end[0] = (point){.t = 0, .f = s->start.f, .slope = s->slope, .g = s->end[0].g};
  for (s->looks = 0; s->looks < MOST; s->looks++) {
    point *before = &s->end[0];
    if (too_high(s) || (s->looks > 1 && s->now.f >= before->f)) break;
    if (flat(s)) {
      swap(before, &s->now);
      s->done = true;
      return GLIA_OK;
    }
    if (s->now.slope >= 0) break;
    const double t =
        cubic_minimum(before, &s->now, s->now.t + 0.01 * (s->now.t - before->t), s->now.t * 10);
    swap(before, &s->now);
    GI_TRY(look(s->l, &s->now, t));
  }
  if (s->looks == MOST) { /* nothing was found: the whole way is the bracket */
    memcpy(s->end[0].g, s->start.g, (size_t)s->l->n * sizeof(double));
    s->end[0] = (point){.t = 0, .f = s->start.f, .slope = s->slope, .g = s->end[0].g};
  }
  swap(&s->end[1], &s->now);
  return GLIA_OK;
}

/* A new length within the bracket; one that lies too near an end is moved away from it, unless
 * it is the first to do so (*near). */
static double within(const search *s, bool *near) {
  const double low = fmin(s->end[0].t, s->end[1].t), high = fmax(s->end[0].t, s->end[1].t);
  const double t = cubic_minimum(&s->end[0], &s->end[1], low, high),
               margin = 0.1 * (high - low);
  if (!(fmin(high - t, t - low) < margin)) {
    *near = false;
    return t;
  }
  if (!*near && t < high && t > low) {
    *near = true;
    return t;
  }
  *near = false;
  return fabs(t - high) < fabs(t - low) ? high - margin : low + margin;
}

/* Narrows the bracket around the better end; returns which that is. */
static glia_status narrow(search *s, int *better) {
  const double reach = gi_largest(s->l->part[GI_LBFGS_DIRECTION], s->l->n);
  bool near = false;
  int low = s->done || s->end[0].f <= s->end[1].f ? 0 : 1;
  for (; !s->done && s->looks < MOST; s->looks++) {
    if (fabs(s->end[1].t - s->end[0].t) * reach < NARROW) break;
    GI_TRY(look(s->l, &s->now, within(s, &near)));
    if (too_high(s) || s->now.f >= s->end[low].f) {
      swap(&s->end[1 - low], &s->now);
      low = s->end[0].f <= s->end[1].f ? 0 : 1;
      continue;
    }
    if (flat(s))
      s->done = true;
    else if (s->now.slope * (s->end[1 - low].t - s->end[low].t) >= 0)
      swap(&s->end[1 - low], &s->end[low]);
    swap(&s->end[low], &s->now);
  }
  *better = low;
  return GLIA_OK;
}

static glia_status run(search *s) {
  gi_lbfgs *l = s->l;
  int better = 0;
  GI_TRY(bracket(s));
  GI_TRY(narrow(s, &better));
  l->t = s->end[better].t;
  l->f = s->end[better].f;
  memcpy(l->g, s->end[better].g, (size_t)l->n * sizeof(double));
  return GLIA_OK;
}

glia_status gi_lbfgs_search(gi_lbfgs *l, double slope) {
  search s = {.l = l, .slope = slope, .start = {.f = l->f, .slope = slope, .g = l->g}};
  const size_t bytes = (size_t)l->n * sizeof(double);
  s.now.g = gi_alloc(bytes);
  s.end[0].g = gi_alloc(bytes);
  s.end[1].g = gi_alloc(bytes);
  const bool room = s.now.g != NULL && s.end[0].g != NULL && s.end[1].g != NULL;
  const glia_status status = room ? run(&s) : gi_fail_nomem(bytes);
  gi_free(s.now.g);
  gi_free(s.end[0].g);
  gi_free(s.end[1].g);
  return status;
}
