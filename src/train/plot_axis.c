/* plot_axis.c - round numbers for axes.
 *
 * Steps are 1, 2 or 5 times a power of ten, the smallest that gives no more ticks than there is
 * room for (Heckbert 1990, "Nice numbers for graph labels"). A logarithmic axis has its ticks
 * at powers of ten, or at 1, 2 and 5 times them where these would be fewer than three; a range
 * of less than a factor of four takes linear ticks, which are then just set at logarithmic
 * places.
 */
#include <math.h>

#include "train/plot.h"

/* 1e-07 -> 1e-7, 2e+06 -> 2e6 */
static void short_exponent(char *text) {
  char *e = strchr(text, 'e');
  if (e == NULL) return;
  char *to = e + 1;
  const char *from = e + 1;
  if (*from == '-')
    *to++ = *from++;
  else if (*from == '+')
    from++;
  while (*from == '0' && from[1] != '\0') from++;
  memmove(to, from, strlen(from) + 1);
}

/* The value as text with as many decimals as the step needs. */
static void label(char *text, size_t n, double v, double step) {
  const double size = fabs(v);
  if (size != 0 && (size >= 1e6 || size < 1e-4 || step < 1e-6)) {
    snprintf(text, n, "%.3g", v);
    short_exponent(text);
    return;
  }
  const int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);
  snprintf(text, n, "%.*f", decimals, size < step * 1e-6 ? 0.0 : v); /* never "-0" */
}

static double round_step(double span, int most, bool whole) {
  static const double parts[] = {1, 2, 5, 10};
  const double power = pow(10, floor(log10(span / most)));
  for (int i = 0; i < 3; i++) {
    const double step = parts[i] * power;
    if (whole && step < 1) continue;
    if (span / step <= most) return step;
  }
  return fmax(parts[3] * power, whole ? 1 : 0);
}

static void add_tick(gi_axis_scale *a, double v, double step) {
  if (a->n >= GI_TICKS_MAX) return;
  a->tick[a->n] = v;
  label(a->text[a->n], sizeof a->text[0], v, step);
  a->n++;
}

/* Multiples of the step from low to high. */
static void linear_ticks(gi_axis_scale *a, double low, double high, double step) {
  const double slack = 1e-9 * (high - low);
  for (double k = ceil((low - slack) / step); k * step <= high + slack && a->n < GI_TICKS_MAX;
       k++)
    add_tick(a, k * step, step);
}

/* Ticks at powers of ten, every `by`-th; parts 3: at 1, 2 and 5 times them. */
static void decade_ticks(gi_axis_scale *a, int by, int parts) {
  static const double part[] = {1, 2, 5};
  for (int e = (int)floor(a->low); e <= (int)ceil(a->high); e++) {
    if (((e % by) + by) % by != 0) continue;
    for (int i = 0; i < parts; i++) {
      const double v = part[i] * pow(10, e), at = log10(v);
      if (at >= a->low - 1e-9 && at <= a->high + 1e-9) add_tick(a, v, v);
    }
  }
}

static void log_ticks(gi_axis_scale *a, int most) {
  const double decades = a->high - a->low;
  const double low = pow(10, a->low), high = pow(10, a->high);
  if (decades < 0.6)
    linear_ticks(a, low, high, round_step(high - low, most, false));
  else if (decades < 2.1 && most >= 6)
    decade_ticks(a, 1, 3);
  else
    decade_ticks(a, (int)ceil(decades / most), 1);
}

/* A range of no width gets one. */
static void widen(double *low, double *high) {
  const double room = fmax(fabs(*low) * 0.05, 1e-6);
  if (*high - *low > 1e-9 * fmax(fabs(*low), fabs(*high)) && *high > *low) return;
  *low -= room;
  *high += room;
}

void gi_axis_fit(gi_axis_scale *a, double low, double high, bool log, int most, bool fit,
                 bool whole) {
  *a = (gi_axis_scale){.log = log, .to = 1};
  most = GI_MAX(2, GI_MIN(most, GI_TICKS_MAX - 3)); /* moved outwards it can be three more */
  if (log) {
    low = log10(low);
    high = log10(high);
    if (high - low < 1e-6) {
      low -= 0.1;
      high += 0.1;
    }
    a->low = low;
    a->high = high;
    log_ticks(a, most);
    if (!fit) { /* a little air instead of whole decades */
      a->low -= 0.04 * (high - low);
      a->high += 0.04 * (high - low);
    }
    return;
  }
  if (whole && high - low < 1) {
    low -= 0.5;
    high += 0.5;
  }
  widen(&low, &high);
  const double step = round_step(high - low, most, whole);
  if (!fit) {
    low = floor(low / step + 1e-9) * step;
    high = ceil(high / step - 1e-9) * step;
  }
  a->low = low;
  a->high = high;
  linear_ticks(a, low, high, step);
}

double gi_axis_at(const gi_axis_scale *a, double value) {
  const double v = a->log ? log10(value) : value;
  return a->from + (v - a->low) / (a->high - a->low) * (a->to - a->from);
}
