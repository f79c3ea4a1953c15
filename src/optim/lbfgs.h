/* optim/lbfgs.h - L-BFGS over any function of one vector of doubles. */
#ifndef GI_LBFGS_H
#define GI_LBFGS_H

#include "glia/optim.h"

typedef struct gi_lbfgs gi_lbfgs;

/* *f and g [n] at x [n]. */
typedef glia_status gi_lbfgs_fn(void *user, const double *x, double *f, double *g);

/* What a step leaves behind for the next, all of doubles: in a store this is its state. */
typedef enum gi_lbfgs_part {
  GI_LBFGS_COUNTERS,          /* [GI_LBFGS_COUNTS] */
  GI_LBFGS_DIRECTION,         /* [n] of the last iteration */
  GI_LBFGS_GRADIENT,          /* [n] before the last iteration */
  GI_LBFGS_GRADIENT_CHANGES,  /* [history, n] a ring, as the next two */
  GI_LBFGS_PARAMETER_CHANGES, /* [history, n] */
  GI_LBFGS_CURVATURES,        /* [history] 1 / (change of gradient . change of parameters) */
  GI_LBFGS_PARTS
} gi_lbfgs_part;
enum { GI_LBFGS_COUNTS = 6 };

struct gi_lbfgs {
  glia_lbfgs_opts o; /* defaults filled in */
  int64_t n;
  gi_lbfgs_fn *evaluate;
  void *user;
  double *x;     /* [n] where it stands; the caller may change it between steps */
  double f, *g;  /* there */
  double *trial; /* [n] scratch */
  double *alpha; /* [history] scratch */
  /* As the counters have them while no step is made: */
  double t;             /* how far along the last direction the step went */
  double scale;         /* of the first guess of H */
  int64_t first, pairs; /* of the ring */
  int64_t iterations;   /* since the beginning */
  int64_t evaluations;
  double *part[GI_LBFGS_PARTS];
  bool lent; /* the parts are the caller's */
};

/* Fills in the defaults and checks the ranges. */
glia_status gi_lbfgs_resolve(glia_lbfgs_opts *o);
/* How many doubles a part has. */
int64_t gi_lbfgs_size(const gi_lbfgs *l, int64_t n, gi_lbfgs_part part);
/* l->o must be resolved; x is made, all 0, and unless they are lent the parts. Freed by
 * gi_lbfgs_close, also after a failure. */
glia_status gi_lbfgs_open(gi_lbfgs *l, int64_t n, gi_lbfgs_fn *evaluate, void *user);
void gi_lbfgs_close(gi_lbfgs *l);
/* Forgets all steps but for their number; x stays. */
void gi_lbfgs_forget(gi_lbfgs *l);
/* One step from x; *loss is f before it. GLIA_DATA where the counters are no counters. */
glia_status gi_lbfgs_step(gi_lbfgs *l, double *loss);

static inline double gi_dot(const double *a, const double *b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}
static inline double gi_largest(const double *v, int64_t n) {
  double most = 0;
  for (int64_t i = 0; i < n; i++) {
    const double a = v[i] < 0 ? -v[i] : v[i];
    if (a > most) most = a;
  }
  return most;
}

/* Evaluates at x + t d: *f, g. */
glia_status gi_lbfgs_try(gi_lbfgs *l, double t, double *f, double *g);
/* A step length that meets the strong Wolfe conditions, from l->t on; l->f, l->g and l->t
 * become those of the end. slope: g . d. */
glia_status gi_lbfgs_search(gi_lbfgs *l, double slope);

#endif /* GI_LBFGS_H */
