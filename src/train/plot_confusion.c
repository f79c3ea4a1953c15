/* plot_confusion.c - the confusion matrix as a heat map.
 *
 * Strength is the square root of a cell's share of its row, and mistakes are drawn stronger
 * than hits: one made in one case of a hundred has a fifth of the full colour, and can be seen.
 */
#include <math.h>

#include "train/plot.h"

enum { EXACT_MAX = 12, WRITTEN_MAX = 30, CLASSES_MAX = 2048 };
/* classes up to which counts are written in full, are written, are drawn */

typedef struct layout {
  const gi_confusion_chart *chart;
  gi_picture *p;
  double cell, left, top; /* side of a cell, corner of the matrix */
  double font;            /* of names */
  int every;              /* each so many-th class is named */
  double names;           /* width left for row names */
} layout;

static gi_paint solid(gi_role role) { return (gi_paint){role, 1}; }

static const char *name_of(const gi_confusion_chart *c, int i, char number[16]) {
  const char *name = c->name != NULL ? c->name(c->user, i) : NULL;
  if (name != NULL) return name;
  snprintf(number, 16, "%d", i);
  return number;
}

static int64_t count_at(const gi_confusion_chart *c, int i, int j) {
  return c->counts[(int64_t)i * c->n + j];
}

/* What a cell has room for: 1234, and 56789 as 57k where there are many classes. */
static void short_count(const gi_confusion_chart *c, char text[24], int64_t v) {
  if (v < (c->n <= EXACT_MAX ? 10000000 : 10000))
    snprintf(text, 24, "%lld", (long long)v);
  else if (v < 1000000)
    snprintf(text, 24, "%.0fk", (double)v / 1e3);
  else
    snprintf(text, 24, v < 10000000 ? "%.1fM" : "%.0fM", (double)v / 1e6);
}

/* The next of 1, 2, 5, 10, 20, 50 ... */
static int round_up(double v) {
  int power = 1;
  while (power * 5 < v) power *= 10;
  return v <= power ? power : v <= power * 2 ? power * 2 : power * 5;
}

static void measure(layout *l) {
  const gi_confusion_chart *c = l->chart;
  char number[16];
  double widest = 0, count = 0;
  for (int i = 0; i < c->n; i++) {
    widest = fmax(widest, gi_text_width(name_of(c, i, number), 11, false));
    for (int j = 0; j < c->n && c->n <= WRITTEN_MAX; j++) {
      char text[24];
      short_count(c, text, count_at(c, i, j));
      count = fmax(count, gi_text_width(text, 11, false));
    }
  }
  if (c->n <= 2)
    l->cell = 96;
  else if (c->n <= 5)
    l->cell = 64;
  else if (c->n <= WRITTEN_MAX)
    l->cell = fmax(c->n <= 12 ? 42 : 28, count + 8);
  else
    l->cell = fmax(1, floor(800.0 / c->n));
  l->font = 11;
  l->every = round_up(13 / l->cell);
  l->names = fmin(widest, 150);
  l->left = 30 + l->names + 10;
  l->top = c->title != NULL ? 40 : 14;
}

static void draw_cell(layout *l, int i, int j, int64_t total) {
  const gi_confusion_chart *c = l->chart;
  const int64_t n = count_at(c, i, j);
  const double gap = l->cell >= 8 ? 1 : 0, x = l->left + j * l->cell, y = l->top + i * l->cell;
  const double strength = total > 0 ? sqrt((double)n / (double)total) : 0;
  const bool right = i == j;
  const double alpha = right ? 0.05 + 0.95 * strength : fmin(1, 0.04 + 1.6 * strength);
  const double inner = l->cell - gap;
  if (n > 0)
    gi_draw_rect(l->p, x, y, inner, inner, (gi_paint){right ? GI_BLUE : GI_RED, alpha});
  else if (c->n <= WRITTEN_MAX)
    gi_draw_rect(l->p, x, y, inner, inner, (gi_paint){GI_GRID, 0.35});
  if (c->n > WRITTEN_MAX) return;
  char text[24];
  short_count(c, text, n);
  const gi_paint ink = n == 0        ? (gi_paint){GI_MUTED, 0.55}
                       : alpha > 0.6 ? solid(GI_PAPER)
                                     : solid(GI_INK);
  const double size = l->cell >= 60 ? 14 : 11;
  gi_draw_text(l->p, x + inner / 2, y + inner / 2 + size * 0.36,
               (gi_text_style){.size = size, .align = 0.5, .bold = right && n > 0}, ink, text);
}

static void draw_names(layout *l, bool turned) {
  const gi_confusion_chart *c = l->chart;
  const double bottom = l->top + c->n * l->cell;
  for (int i = 0; i < c->n; i += l->every) {
    char number[16];
    const char *text = name_of(c, i, number);
    const double middle = (i + 0.5) * l->cell, x = l->left + middle, room = l->names + 1;
    gi_text_style style = {.size = l->font, .align = 1};
    gi_draw_text_within(l->p, l->left - 8, l->top + middle + 4, style, solid(GI_INK), text,
                        room);
    if (turned)
      style.turn = -90;
    else
      style.align = 0.5;
    gi_draw_text_within(l->p, turned ? x + 4 : x, turned ? bottom + 8 : bottom + 16, style,
                        solid(GI_INK), text, room);
  }
}

static void draw(layout *l, double names_height) {
  const gi_confusion_chart *c = l->chart;
  const double side = c->n * l->cell;
  if (c->title != NULL)
    gi_draw_text(l->p, 14, 22, (gi_text_style){.size = 14, .bold = true}, solid(GI_INK),
                 c->title);
  for (int i = 0; i < c->n; i++) {
    int64_t total = 0;
    for (int j = 0; j < c->n; j++) total += count_at(c, i, j);
    for (int j = 0; j < c->n; j++)
      if (c->n <= WRITTEN_MAX || count_at(c, i, j) > 0) draw_cell(l, i, j, total);
  }
  if (c->n > WRITTEN_MAX)
    gi_draw_frame(l->p, l->left - 1, l->top - 1, side + 2, side + 2, 1, solid(GI_GRID));
  gi_draw_text(l->p, 18, l->top + side / 2, (gi_text_style){11, 0.5, -90, false},
               solid(GI_MUTED), "true class");
  gi_draw_text(l->p, l->left + side / 2, l->top + side + names_height + 24,
               (gi_text_style){11, 0.5, 0, false}, solid(GI_MUTED), "predicted class");
}

glia_status gi_plot_confusion(const gi_confusion_chart *c, gi_picture **out) {
  if (c->n < 1 || c->n > CLASSES_MAX)
    return gi_fail(GLIA_INVALID, "plot: confusion matrix of %d classes, wanted 1..%d", c->n,
                   CLASSES_MAX);
  layout l = {.chart = c};
  measure(&l);
  const double side = c->n * l.cell;
  const bool turned = l.names > l.cell - 6 || l.every > 1;
  const double names_height = turned ? l.names + 8 : 16;
  double width = l.left + side + 16;
  if (c->title != NULL) width = fmax(width, gi_text_width(c->title, 14, true) + 28);
  GI_TRY(gi_picture_new(width, l.top + side + names_height + 36, &l.p));
  draw(&l, names_height);
  draw_names(&l, turned);
  *out = l.p;
  return GLIA_OK;
}
