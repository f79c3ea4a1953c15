/* digit.c - draws a handwritten-like digit: a way of writing it, a hand, a pen, a scan.
 *
 *   way of writing -> each point shaken -> smooth curve -> bent by slow waves (elastic)
 * -> slant, turn, width, height, place (affine) -> pen of varying pressure -> noise of a scan
 *
 * Every number drawn comes from Philox at (seed, "data.digits", index, count), so a picture is
 * a function of the seed and its index.
 */
#include <math.h>
#include <stdlib.h>

#include "data/digit.h"

enum {
  STEPS = 10,
  CURVE = GI_STROKES * (GI_STROKE_POINTS - 1) * STEPS + GI_STROKES,
  WAVES = 3
};

typedef struct hand { /* draws one digit */
  gi_rng rng;
  uint64_t drawn; /* numbers taken so far */
} hand;

typedef struct dot { /* of ink: a place in pixels, the pen's radius there */
  double x, y, radius;
  bool begins; /* a stroke: not joined to the dot before */
} dot;

typedef struct curve {
  int n;
  dot at[CURVE];
} curve;

static double uniform(hand *h, double low, double high) {
  return low + (high - low) * gi_rng_uniform(&h->rng, h->drawn++);
}

/* Normal of mean 0, cut at two and a half deviations: no picture is beyond recognition. */
static double normal(hand *h, double deviation) {
  const double v = gi_rng_normal(&h->rng, h->drawn++);
  return deviation * GI_MIN(GI_MAX(v, -2.5), 2.5);
}

/* ---- the curve --------------------------------------------------------------------------- */

static const gi_hand *choose(hand *h, int digit) {
  const gi_hand *first = gi_hands;
  int n = 0;
  while (first->digit != digit) first++;
  while (first[n].digit == digit) n++;
  return first + gi_rng_below(&h->rng, h->drawn++, (uint64_t)n);
}

/* Catmull and Rom 1974: the curve passes p1 at t = 0 and p2 at t = 1, along (p2 - p0) / 2 and
 * (p3 - p1) / 2. */
static double spline(double p0, double p1, double p2, double p3, double t) {
  return p1 + 0.5 * t *
                  (p2 - p0 +
                   t * (2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3 + t * (3.0 * (p1 - p2) + p3 - p0)));
}

/* Reads the points of one stroke, each shaken, into x[1..n], y[1..n] in the box -0.5..0.5;
 * returns n, and the text behind it. */
static int read_points(hand *h, const char **text, double shake, double *x, double *y) {
  int n = 0;
  while (**text != '\0' && **text != '|') {
    char *end;
    const double px = (double)strtol(*text, &end, 10), py = (double)strtol(end + 1, &end, 10);
    x[++n] = px / 100.0 - 0.5 + normal(h, shake);
    y[n] = py / 100.0 - 0.5 + normal(h, shake);
    *text = end + strspn(end, " ");
  }
  *text += strspn(*text, "| ");
  return n;
}

static void add_stroke(hand *h, const char **text, double shake, curve *c) {
  double x[GI_STROKE_POINTS + 2] = {0}, y[GI_STROKE_POINTS + 2] = {0};
  const int n = read_points(h, text, shake, x, y);
  x[0] = 2.0 * x[1] - x[2]; /* ends go on as they came */
  y[0] = 2.0 * y[1] - y[2];
  x[n + 1] = 2.0 * x[n] - x[n - 1];
  y[n + 1] = 2.0 * y[n] - y[n - 1];
  for (int i = 1; i < n; i++)
    for (int k = 0; k <= STEPS - (i + 1 < n); k++) { /* the last piece has its end too */
      const double t = (double)k / STEPS;
      c->at[c->n++] =
          (dot){spline(x[i - 1], x[i], x[i + 1], x[i + 2], t),
                spline(y[i - 1], y[i], y[i + 1], y[i + 2], t), 0.0, i == 1 && k == 0};
    }
}

/* Elastic: each place is moved by a sum of slow waves of random direction, length and phase. */
static void bend(hand *h, curve *c) {
  for (int w = 0; w < WAVES; w++) {
    const double angle = uniform(h, 0.0, 6.2831853), pace = uniform(h, 3.0, 8.0);
    const double phase = uniform(h, 0.0, 6.2831853);
    const double dx = normal(h, 0.026), dy = normal(h, 0.026);
    for (int i = 0; i < c->n; i++) {
      dot *d = &c->at[i];
      const double wave = sin(pace * (d->x * cos(angle) + d->y * sin(angle)) + phase);
      d->x += dx * wave;
      d->y += dy * wave;
    }
  }
}

/* Affine: width and height, slant, turn; then the box's middle to a place near the
 * picture's. */
static void place(hand *h, curve *c) {
  const double width = uniform(h, 10.0, 19.0), height = uniform(h, 15.0, 21.0);
  const double slant = normal(h, 0.16) - 0.06, turn = normal(h, 0.12);
  double left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  for (int i = 0; i < c->n; i++) {
    dot *d = &c->at[i];
    const double x = d->x * width + slant * d->y * height, y = d->y * height;
    d->x = x * cos(turn) - y * sin(turn);
    d->y = x * sin(turn) + y * cos(turn);
    left = fmin(left, d->x), right = fmax(right, d->x);
    top = fmin(top, d->y), bottom = fmax(bottom, d->y);
  }
  /* What would stick out of the picture is pulled in. */
  const double fit = fmin(1.0, 23.0 / fmax(right - left, bottom - top));
  const double dx = GI_DIGIT_SIDE / 2.0 + normal(h, 0.8),
               dy = GI_DIGIT_SIDE / 2.0 + normal(h, 0.8);
  for (int i = 0; i < c->n; i++) {
    dot *d = &c->at[i];
    d->x = (d->x - (left + right) / 2.0) * fit + dx;
    d->y = (d->y - (top + bottom) / 2.0) * fit + dy;
  }
}

/* Pressure: slow changes along the writing; strokes begin firmly and end lightly. */
static void press(hand *h, curve *c) {
  const double radius = uniform(h, 0.65, 1.55), sway = uniform(h, 0.0, 0.28);
  const double pace = uniform(h, 0.05, 0.2), phase = uniform(h, 0.0, 6.2831853);
  const double lift = uniform(h, 0.45, 1.0);
  for (int i = 0; i < c->n; i++) {
    int left = 0; /* dots to the end of the stroke */
    while (left < 6 && i + left + 1 < c->n && !c->at[i + left + 1].begins) left++;
    const double ending = lift + (1.0 - lift) * left / 6.0;
    c->at[i].radius = radius * (1.0 + sway * sin(pace * i + phase)) * ending;
  }
}

/* ---- ink and scan ------------------------------------------------------------------------ */

/* Ink of the piece from a to b at (x, y): 1 inside the pen's width, falling to 0 over
 * `edge`. */
static double ink(const dot *a, const dot *b, double x, double y, double edge) {
  const double ux = b->x - a->x, uy = b->y - a->y, length = ux * ux + uy * uy;
  double t = length > 0.0 ? ((x - a->x) * ux + (y - a->y) * uy) / length : 0.0;
  t = fmin(fmax(t, 0.0), 1.0);
  const double away = hypot(x - a->x - t * ux, y - a->y - t * uy);
  const double radius = a->radius + t * (b->radius - a->radius);
  return fmin(fmax((radius + 0.5 * edge - away) / edge, 0.0), 1.0);
}

static void stroke_ink(const curve *c, double edge,
                       double sheet[GI_DIGIT_SIDE][GI_DIGIT_SIDE]) {
  for (int i = 1; i < c->n; i++) {
    if (c->at[i].begins) continue;
    const dot *a = &c->at[i - 1], *b = &c->at[i];
    const double reach = fmax(a->radius, b->radius) + edge;
    const int top = (int)fmax(floor(fmin(a->y, b->y) - reach), 0.0);
    const int bottom = (int)fmin(ceil(fmax(a->y, b->y) + reach), GI_DIGIT_SIDE - 1);
    const int left = (int)fmax(floor(fmin(a->x, b->x) - reach), 0.0);
    const int right = (int)fmin(ceil(fmax(a->x, b->x) + reach), GI_DIGIT_SIDE - 1);
    for (int r = top; r <= bottom; r++)
      for (int q = left; q <= right; q++)
        sheet[r][q] = fmax(sheet[r][q], ink(a, b, q + 0.5, r + 0.5, edge));
  }
}

/* What a scanner makes of it: uneven ink, grain, a few specks. */
static void scan(hand *h, double sheet[GI_DIGIT_SIDE][GI_DIGIT_SIDE],
                 uint8_t px[GI_DIGIT_SIDE][GI_DIGIT_SIDE]) {
  const double dark = uniform(h, 0.72, 1.0), patchy = uniform(h, 0.0, 0.22);
  const double grain = uniform(h, 0.0, 0.05), ground = uniform(h, 0.0, 0.06);
  const int specks = (int)gi_rng_below(&h->rng, h->drawn++, 4);
  for (int k = 0; k < specks; k++) {
    const uint64_t at = gi_rng_below(&h->rng, h->drawn++, GI_DIGIT_SIDE * GI_DIGIT_SIDE);
    double *spot = &sheet[at / GI_DIGIT_SIDE][at % GI_DIGIT_SIDE];
    *spot = fmax(*spot, uniform(h, 0.2, 0.7));
  }
  for (int r = 0; r < GI_DIGIT_SIDE; r++)
    for (int q = 0; q < GI_DIGIT_SIDE; q++) {
      const double v = sheet[r][q] * dark * (1.0 - patchy * uniform(h, 0.0, 1.0));
      const double noisy = ground + (1.0 - ground) * v + normal(h, grain);
      px[r][q] = (uint8_t)(255.0 * fmin(fmax(noisy, 0.0), 1.0) + 0.5);
    }
}

void gi_digit_draw(const gi_rng *rng, uint64_t index, int digit,
                   uint8_t px[GI_DIGIT_SIDE][GI_DIGIT_SIDE]) {
  hand h = {.rng = *rng};
  h.rng.step = index;
  curve c = {0};
  double sheet[GI_DIGIT_SIDE][GI_DIGIT_SIDE] = {{0}};
  const gi_hand *way = choose(&h, digit);
  const double shake = uniform(&h, 0.005, 0.03);
  for (const char *text = way->strokes; *text != '\0';) add_stroke(&h, &text, shake, &c);
  bend(&h, &c);
  place(&h, &c);
  press(&h, &c);
  stroke_ink(&c, uniform(&h, 0.8, 1.6), sheet);
  scan(&h, sheet, px);
}
