/* ctc.c - connectionist temporal classification and its gradient, a sequence a part.
 *
 * The sums are those of ops/ctc.c, in double and as logarithms: scaled probabilities would be
 * faster, but lose paths that are unlikely at first and the only ones in the end. Forward, two
 * times are kept of alpha; backward, all of it, and two of beta, whose shares are given to the
 * letters at once.
 */
#include <inttypes.h>
#include <math.h>

#include "backend/cpu/cpu.h"
#include "ops/attrs.h"

enum {
  PART = 1 << 10, /* places worth a thread: each costs three exponentials or so */
  FAR = 40        /* e^-FAR is nothing beside 1 */
};

typedef struct state {
  int64_t times, n, letters, room, blank; /* x is [times, n, letters], targets [n, room] */
  bool wide[4];                           /* by input: whole numbers are i64, else i32 */
  bool backward;
  int64_t lane_bytes;
  int threads;
  const char *op;
  /* for the time of a run */
  const gi_exec *x;
} state;

static int64_t whole_at(const state *s, int input, int64_t i) {
  return s->wide[input] ? ((const int64_t *)s->x->in[input])[i]
                        : ((const int32_t *)s->x->in[input])[i];
}

/* ---- one sequence ------------------------------------------------------------------------ */

typedef struct sequence {
  int64_t times, places; /* its own length, 2 L + 1 */
  const float *x;        /* its first time; others are `step` further on */
  int64_t step;
  int64_t *letter;      /* of each place */
  double *alpha, *beta; /* forward: two times; backward: all times, and two */
} sequence;

/* Targets and lengths are checked. */
static void begin(const state *s, int64_t n, sequence *q) {
  char *lane = (char *)s->x->scratch + gi_cpu_lane() * s->lane_bytes;
  const int64_t most = 2 * s->room + 1;
  q->times = whole_at(s, 2, n);
  q->places = 2 * whole_at(s, 3, n) + 1;
  q->x = (const float *)s->x->in[0] + n * s->letters;
  q->step = s->n * s->letters;
  q->letter = (int64_t *)(void *)lane;
  q->beta = (double *)(void *)lane + most;
  q->alpha = s->backward ? q->beta + 2 * most : q->beta;
  for (int64_t k = 0; k < q->places; k++)
    q->letter[k] = k % 2 == 0 ? s->blank : whole_at(s, 1, n * s->room + k / 2);
}

static double log_sum(double a, double b, double c) {
  double most = a, p = b, q = c;
  if (p > most) most = b, p = a;
  if (q > most) q = most, most = c;
  if (most == -INFINITY || (p - most < -FAR && q - most < -FAR)) return most;
  return most + log(1 + (exp(p - most) + exp(q - most)));
}

/* May place k be reached from k - 2, over a blank? */
static bool may_skip(const sequence *q, int64_t k) {
  return k % 2 == 1 && k >= 2 && q->letter[k] != q->letter[k - 2];
}

/* alpha of time t from that of the time before. */
static void advance(const sequence *q, int64_t t, const double *before, double *now) {
  const float *x = q->x + t * q->step;
  for (int64_t k = 0; k < q->places; k++) {
    const double next = k > 0 ? before[k - 1] : -INFINITY,
                 over = may_skip(q, k) ? before[k - 2] : -INFINITY;
    now[k] = (double)x[q->letter[k]] + log_sum(before[k], next, over);
  }
}
static void start(const sequence *q, double *alpha) {
  for (int64_t k = 0; k < q->places; k++)
    alpha[k] = k < 2 ? (double)q->x[q->letter[k]] : -INFINITY;
}

/* beta of time t from that of the time after. */
static void retreat(const sequence *q, int64_t t, const double *after, double *now) {
  const float *x = q->x + t * q->step;
  for (int64_t k = 0; k < q->places; k++) {
    const double next = k + 1 < q->places ? after[k + 1] : -INFINITY;
    const bool skips = k + 2 < q->places && may_skip(q, k + 2);
    const double over = skips ? after[k + 2] : -INFINITY;
    now[k] = (double)x[q->letter[k]] + log_sum(after[k], next, over);
  }
}
static void start_back(const sequence *q, double *beta) {
  const float *x = q->x + (q->times - 1) * q->step;
  for (int64_t k = 0; k < q->places; k++)
    beta[k] = k + 2 >= q->places ? (double)x[q->letter[k]] : -INFINITY;
}

/* ---- parts ------------------------------------------------------------------------------- */

static double loss_of(const sequence *q) {
  if (q->times == 0) return q->places == 1 ? 0 : INFINITY;
  double *row[2] = {q->alpha, q->alpha + q->places};
  start(q, row[0]);
  for (int64_t t = 1; t < q->times; t++) advance(q, t, row[(t + 1) % 2], row[t % 2]);
  const double *end = row[(q->times + 1) % 2] + q->places - 1;
  return -(q->places > 1 ? log_sum(end[0], end[-1], -INFINITY) : end[0]);
}

static void loss_part(void *user, int64_t n) {
  const state *s = user;
  sequence q;
  begin(s, n, &q);
  ((float *)s->x->out[0])[n] = (float)loss_of(&q);
}

static void grad_part(void *user, int64_t n) {
  const state *s = user;
  const double loss = (double)((const float *)s->x->in[4])[n],
               dloss = (double)((const float *)s->x->in[5])[n];
  float *dx = (float *)s->x->out[0] + n * s->letters;
  sequence q;
  begin(s, n, &q);
  for (int64_t t = 0; t < s->times; t++)
    memset(dx + t * q.step, 0, (size_t)s->letters * sizeof *dx);
  if (!(loss < INFINITY) || q.times == 0) return; /* no path, or NaN */
  start(&q, q.alpha);
  for (int64_t t = 1; t < q.times; t++)
    advance(&q, t, q.alpha + (t - 1) * q.places, q.alpha + t * q.places);
  double *row[2] = {q.beta, q.beta + q.places};
  for (int64_t t = q.times - 1; t >= 0; t--) {
    const double *alpha = q.alpha + t * q.places, *beta = row[t % 2];
    const float *x = q.x + t * q.step;
    if (t + 1 == q.times)
      start_back(&q, row[t % 2]);
    else
      retreat(&q, t, row[(t + 1) % 2], row[t % 2]);
    for (int64_t k = 0; k < q.places; k++) {
      const double both = alpha[k] + beta[k];
      if (both == -INFINITY) continue;
      const double share = exp(both - (double)x[q.letter[k]] + loss);
      dx[t * q.step + q.letter[k]] -= (float)(dloss * share);
    }
  }
}

/* ---- running ----------------------------------------------------------------------------- */

/* Before anything is read by them. */
static glia_status check(const state *s, int64_t n) {
  const int64_t times = whole_at(s, 2, n), length = whole_at(s, 3, n);
  if (times < 0 || times > s->times)
    return gi_fail(GLIA_INVALID,
                   "%s: input length %" PRId64 " is %" PRId64 ", wanted 0 to %" PRId64, s->op,
                   n, times, s->times);
  if (length < 0 || length > s->room)
    return gi_fail(GLIA_INVALID,
                   "%s: target length %" PRId64 " is %" PRId64 ", wanted 0 to %" PRId64, s->op,
                   n, length, s->room);
  for (int64_t i = 0; i < length; i++) {
    const int64_t letter = whole_at(s, 1, n * s->room + i);
    if (letter < 0 || letter >= s->letters)
      return gi_fail(GLIA_INVALID,
                     "%s: letter %" PRId64 " of target %" PRId64 " is %" PRId64
                     ", wanted 0 to %" PRId64,
                     s->op, i, n, letter, s->letters - 1);
  }
  return GLIA_OK;
}

static glia_status run(const gi_exec *x) {
  state *s = x->state;
  s->x = x;
  for (int64_t n = 0; n < s->n; n++) GI_TRY(check(s, n));
  gi_cpu_for(s->threads, s->n, s->backward ? grad_part : loss_part, s);
  return GLIA_OK;
}

static const char *fits(const gi_problem *p) {
  const double table = (double)p->in[0].dim[0] * (2 * (double)p->in[1].dim[1] + 1);
  if (p->in[0].dtype != GLIA_F32) return "takes f32 only";
  return table < 0x1p40 ? NULL : "the sequences are too long";
}

static glia_status prepare(const gi_problem *p, gi_prepared *out) {
  state *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  s->times = p->in[0].dim[0];
  s->n = p->in[0].dim[1];
  s->letters = p->in[0].dim[2];
  s->room = p->in[1].dim[1];
  s->blank = ((const gi_ctc_attr *)p->attr)->blank;
  for (int i = 1; i < 4; i++) s->wide[i] = p->in[i].dtype == GLIA_I64;
  s->backward = p->op == &gi_op_ctc_grad;
  s->op = p->op->name;
  const int64_t most = 2 * s->room + 1, rows = s->backward ? GI_MAX(s->times, 1) + 2 : 2;
  s->lane_bytes = (1 + rows) * most * 8; /* letters and doubles */
  s->threads =
      (int)GI_MIN(gi_cpu_parts(p->threads, s->times * s->n * most, PART), GI_MAX(s->n, 1));
  out->state = s;
  out->threads = s->threads;
  out->scratch = (size_t)(s->threads > 1 ? p->threads : 1) * (size_t)s->lane_bytes;
  return GLIA_OK;
}

static const gi_kernel ctc = {
    .ops = {"ctc", "ctc_grad"},
    .name = "ctc_sequences",
    .fits = fits,
    .prepare = prepare,
    .run = run,
    .release = gi_free,
};

const gi_kernel *const gi_cpu_kernels_ctc[] = {&ctc, NULL};
