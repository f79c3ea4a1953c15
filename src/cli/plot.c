/* cli/plot.c - curves in a terminal.
 *
 * Each column of the field stands for one place on the x axis; between two values the curve is
 * drawn straight, so that a curve of three points still is a line and one of thousands is
 * sampled.
 */
#include "cli/plot.h"

#include <math.h>

typedef struct field {
  char *at; /* [height][width] */
  int width, height;
  int n;            /* places on the x axis: 1..n */
  double low, high; /* of y over all curves */
} field;

static bool find_range(field *f, const gi_curve *curves, int count) {
  bool any = false;
  for (int c = 0; c < count; c++) {
    f->n = GI_MAX(f->n, curves[c].n);
    for (int i = 0; i < curves[c].n; i++) {
      const double y = curves[c].y[i];
      if (!isfinite(y)) continue;
      f->low = any ? fmin(f->low, y) : y;
      f->high = any ? fmax(f->high, y) : y;
      any = true;
    }
  }
  return any;
}

/* The curve's height at x in [0, n - 1], straight between neighbours; NaN where it has none. */
static double value_at(const gi_curve *c, double x) {
  const int i = (int)floor(x);
  if (i >= c->n) return NAN;
  const double part = x - i;
  if (part == 0) return c->y[i];
  return i + 1 < c->n ? c->y[i] * (1 - part) + c->y[i + 1] * part : NAN;
}

static void draw_curve(field *f, const gi_curve *c) {
  for (int column = 0; column < f->width; column++) {
    const double x = f->width > 1 ? (double)column * (f->n - 1) / (f->width - 1) : 0;
    const double y = value_at(c, x);
    if (!isfinite(y)) continue;
    const double share = f->high > f->low ? (y - f->low) / (f->high - f->low) : 0.5;
    const int row = (int)((1 - share) * (f->height - 1) + 0.5);
    f->at[row * f->width + column] = c->mark;
  }
}

static void print_field(const field *f, const char *x_name, gi_str *out) {
  char high[32], low[32];
  snprintf(high, sizeof high, "%.4g", f->high);
  snprintf(low, sizeof low, "%.4g", f->low);
  const int margin = (int)GI_MAX(strlen(high), strlen(low));
  for (int row = 0; row < f->height; row++) {
    const char *label = row == 0 ? high : row == f->height - 1 ? low : "";
    int n = f->width; /* no blanks at the end of a line */
    while (n > 0 && f->at[row * f->width + n - 1] == ' ') n--;
    gi_str_printf(out, "%*s |%.*s\n", margin, label, n, f->at + row * f->width);
  }
  gi_str_printf(out, "%*s +", margin, "");
  for (int i = 0; i < f->width; i++) gi_str_puts(out, "-");
  gi_str_printf(out, "\n%*s  1%*d  %s", margin, "", f->width - 1, f->n, x_name);
}

void gi_plot_curves(gi_str *out, const gi_curve *curves, int count, const char *x_name,
                    int width, int height) {
  field f = {.width = width, .height = height};
  if (!find_range(&f, curves, count)) return;
  const size_t cells = (size_t)width * (size_t)height;
  f.at = gi_alloc(cells);
  if (f.at == NULL) {
    out->failed = true;
    return;
  }
  memset(f.at, ' ', cells);
  for (int c = 0; c < count; c++) draw_curve(&f, &curves[c]);
  print_field(&f, x_name, out);
  for (int c = 0; c < count; c++)
    gi_str_printf(out, "%s%c %s", c == 0 ? "     " : "  ", curves[c].mark, curves[c].name);
  gi_str_puts(out, "\n");
  gi_free(f.at);
}
