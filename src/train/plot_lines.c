/* plot_lines.c - curves over epochs or steps.
 *
 * The legend stands in a line under the title, never over the curves. Where there are more than
 * two points for a pixel, each pixel keeps its first, least, largest and last: the envelope
 * looks the same and the file stays small.
 */
#include <math.h>

#include "train/plot.h"

enum { DOTS_MAX = 30 };
#define LABEL 11.0 /* font sizes */
#define TITLE 14.0
#define NAME  220.0 /* a name in the legend, at most */

typedef struct layout {
  const gi_line_chart *chart;
  gi_picture *p;
  gi_axis_scale x, y;
  double left, top, right, bottom; /* of the plotting area */
} layout;

static gi_paint solid(gi_role role) { return (gi_paint){role, 1}; }

static gi_paint color_of(const gi_line_chart *c, int i) {
  const int k = c->series[i].color > 0 ? c->series[i].color - 1 : i;
  return solid((gi_role)(GI_BLUE + k % GI_SERIES_COLORS));
}

static double x_of(const gi_series *s, int64_t i) {
  return s->x != NULL ? s->x[i] : (double)(i + 1);
}

/* Can point i be drawn? */
static bool shown(const gi_line_chart *c, const gi_series *s, int64_t i) {
  const double x = x_of(s, i), y = s->y[i];
  return isfinite(x) && isfinite(y) && fabs(x) < 1e300 && fabs(y) < 1e300 &&
         (!c->log_x || x > 0) && (!c->log_y || y > 0);
}

/* ---- layout ----------------------------------------------------------------------------- */

static void extend(double *low, double *high, double v) {
  *low = fmin(*low, v);
  *high = fmax(*high, v);
}

static void fit_axes(layout *l) {
  const gi_line_chart *c = l->chart;
  double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
  for (int k = 0; k < c->n; k++)
    for (int64_t i = 0; i < c->series[k].n; i++) {
      if (!shown(c, &c->series[k], i)) continue;
      extend(&x0, &x1, x_of(&c->series[k], i));
      extend(&y0, &y1, c->series[k].y[i]);
    }
  if (x0 > x1) x0 = y0 = c->log_x || c->log_y ? 0.1 : 0, x1 = y1 = 1; /* nothing to show */
  const double wide = l->right - l->left, high = l->bottom - l->top;
  gi_axis_fit(&l->x, x0, x1, c->log_x, (int)(wide / (c->whole_x ? 44 : 70)), true, c->whole_x);
  gi_axis_fit(&l->y, y0, y1, c->log_y, (int)(high / 42), false, false);
  l->y.from = l->bottom;
  l->y.to = l->top;
}

static double widest_tick(const gi_axis_scale *a) {
  double w = 0;
  for (int i = 0; i < a->n; i++) w = fmax(w, gi_text_width(a->text[i], LABEL, false));
  return w;
}

static bool has_legend(const gi_line_chart *c) {
  for (int i = 0; i < c->n; i++)
    if (c->series[i].name != NULL) return true;
  return false;
}

/* ---- drawing ---------------------------------------------------------------------------- */

/* Entries from left to right, in as many lines as needed, the first at y; draws nothing without
 * a picture. Returns the height of the lines behind the first. */
static double draw_legend(const layout *l, gi_picture *p, double y) {
  const gi_line_chart *c = l->chart;
  double x = l->left, down = 0;
  for (int i = 0; i < c->n; i++) {
    if (c->series[i].name == NULL) continue;
    const char *name = c->series[i].name;
    const double w = fmin(gi_text_width(name, LABEL, false), NAME);
    if (x > l->left && x + 24 + w > l->right) {
      x = l->left;
      down += 17;
    }
    if (p != NULL) {
      const double line = y + down;
      gi_draw_path(p, (const double[]){x, line - 4, x + 18, line - 4}, 2, 2.5,
                   c->series[i].dashed ? 5 : 0, color_of(c, i));
      gi_draw_text_within(p, x + 24, line, (gi_text_style){.size = LABEL}, solid(GI_INK), name,
                          NAME);
    }
    x += 24 + w + 20;
  }
  return down;
}

static void draw_axes(layout *l) {
  const gi_line_chart *c = l->chart;
  for (int i = 0; i < l->y.n; i++) {
    const double y = gi_axis_at(&l->y, l->y.tick[i]);
    gi_draw_line(l->p, l->left, y, l->right, y, 1, solid(GI_GRID));
    gi_draw_text(l->p, l->left - 8, y + 4, (gi_text_style){.size = LABEL, .align = 1},
                 solid(GI_MUTED), l->y.text[i]);
  }
  for (int i = 0; i < l->x.n; i++) {
    const double x = gi_axis_at(&l->x, l->x.tick[i]);
    gi_draw_line(l->p, x, l->bottom, x, l->bottom + 4, 1, solid(GI_MUTED));
    gi_draw_text(l->p, x, l->bottom + 17, (gi_text_style){.size = LABEL, .align = 0.5},
                 solid(GI_MUTED), l->x.text[i]);
  }
  gi_draw_line(l->p, l->left, l->bottom, l->right, l->bottom, 1, solid(GI_MUTED));
  if (c->x_label != NULL)
    gi_draw_text(l->p, (l->left + l->right) / 2, l->bottom + 35,
                 (gi_text_style){.size = LABEL, .align = 0.5}, solid(GI_MUTED), c->x_label);
  if (c->y_label != NULL)
    gi_draw_text(l->p, 14, (l->top + l->bottom) / 2,
                 (gi_text_style){.size = LABEL, .align = 0.5, .turn = -90}, solid(GI_MUTED),
                 c->y_label);
}

static bool mark_at(const layout *l, int i, double *x) {
  const double v = l->chart->marks[i].x;
  if (!isfinite(v) || (l->chart->log_x && v <= 0)) return false;
  *x = gi_axis_at(&l->x, v);
  return *x > l->left - 0.5 && *x < l->right + 0.5;
}

static void draw_marks(layout *l) {
  const gi_line_chart *c = l->chart;
  double x;
  for (int i = 0; i < c->n_marks; i++)
    if (mark_at(l, i, &x))
      gi_draw_path(l->p, (const double[]){x, l->top, x, l->bottom}, 2, 1, 3, solid(GI_MUTED));
}

/* Above everything, on a patch of paper: the lines stay legible behind it. */
static void draw_mark_texts(layout *l) {
  const gi_line_chart *c = l->chart;
  double x;
  for (int i = 0; i < c->n_marks; i++) {
    if (c->marks[i].text == NULL || !mark_at(l, i, &x)) continue;
    const double w = gi_text_width(c->marks[i].text, LABEL, false),
                 y = l->top + 14 + 17 * (i % 3);
    const bool before = x + 6 + w > l->right;
    gi_draw_rect(l->p, before ? x - 9 - w : x + 3, y - 11, w + 6, 15,
                 (gi_paint){GI_PAPER, 0.85});
    gi_draw_text(l->p, before ? x - 6 : x + 6, y,
                 (gi_text_style){.size = LABEL, .align = before}, solid(GI_INK),
                 c->marks[i].text);
  }
}

/* A run of points that are joined, [2 * n] pixels. */
typedef GI_VEC(double) points;

static void add_point(layout *l, points *v, double x, double y) {
  if (!gi_vec_push(v, x) || !gi_vec_push(v, y)) l->p->failed = true;
}

static void end_run(layout *l, points *v, const gi_series *s, gi_paint paint) {
  if (v->n == 2) gi_draw_dot(l->p, v->at[0], v->at[1], 2.5, paint); /* alone: no line */
  gi_draw_path(l->p, v->at, (int64_t)v->n / 2, 2, s->dashed ? 5 : 0, paint);
  v->n = 0;
}

/* Points i..end-1 that fall onto one pixel: first, least, largest and last of them. */
static void add_pixel(layout *l, points *v, const gi_series *s, int64_t i, int64_t end) {
  int64_t low = i, high = i;
  for (int64_t k = i; k < end; k++) {
    if (s->y[k] < s->y[low]) low = k;
    if (s->y[k] > s->y[high]) high = k;
  }
  const int64_t keep[4] = {i, GI_MIN(low, high), GI_MAX(low, high), end - 1};
  for (int k = 0; k < 4; k++)
    if (k == 0 || keep[k] > keep[k - 1])
      add_point(l, v, gi_axis_at(&l->x, x_of(s, keep[k])), gi_axis_at(&l->y, s->y[keep[k]]));
}

static void draw_series(layout *l, int which) {
  const gi_series *s = &l->chart->series[which];
  const gi_paint paint = color_of(l->chart, which);
  points v = {0};
  for (int64_t i = 0; i < s->n;) {
    if (!shown(l->chart, s, i)) {
      end_run(l, &v, s, paint);
      i++;
      continue;
    }
    const double pixel = floor(gi_axis_at(&l->x, x_of(s, i)));
    int64_t end = i + 1;
    while (end < s->n && shown(l->chart, s, end) &&
           floor(gi_axis_at(&l->x, x_of(s, end))) == pixel)
      end++;
    add_pixel(l, &v, s, i, end);
    i = end;
  }
  end_run(l, &v, s, paint);
  gi_vec_free(&v);
  for (int64_t i = 0; s->n <= DOTS_MAX && i < s->n; i++)
    if (shown(l->chart, s, i))
      gi_draw_dot(l->p, gi_axis_at(&l->x, x_of(s, i)), gi_axis_at(&l->y, s->y[i]), 2.8, paint);
}

glia_status gi_plot_lines(const gi_line_chart *c, gi_picture **out) {
  const double width = c->width > 0 ? c->width : 640, height = c->height > 0 ? c->height : 380;
  layout l = {.chart = c};
  if (width < 160 || height < 120)
    return gi_fail(GLIA_INVALID, "plot: %g x %g, wanted at least 160 x 120", width, height);
  GI_TRY(gi_picture_new(width, height, &l.p));
  const double legend = (c->title != NULL ? 44 : 22);
  l.top = has_legend(c) ? legend + 14 : legend - 6;
  l.bottom = height - (c->x_label != NULL ? 48 : 30);
  l.right = width - 18;
  l.left = 60;
  fit_axes(&l); /* once for the width of the labels, then with the place left for the rest */
  const char *last = l.x.n > 0 ? l.x.text[l.x.n - 1] : "";
  l.right = width - fmax(18, gi_text_width(last, LABEL, false) / 2 + 4);
  l.left = (c->y_label != NULL ? 30 : 12) + widest_tick(&l.y) + 10;
  fit_axes(&l);
  const double legend_lines = draw_legend(&l, NULL, 0);
  if (legend_lines > 0) {
    l.top += legend_lines;
    fit_axes(&l);
  }
  l.x.from = l.left;
  l.x.to = l.right;
  if (c->title != NULL)
    gi_draw_text(l.p, l.left, 22, (gi_text_style){.size = TITLE, .bold = true}, solid(GI_INK),
                 c->title);
  draw_legend(&l, l.p, legend);
  draw_axes(&l);
  draw_marks(&l);
  for (int i = 0; i < c->n; i++) draw_series(&l, i);
  draw_mark_texts(&l);
  *out = l.p;
  return GLIA_OK;
}
