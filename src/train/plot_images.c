/* plot_images.c - pictures in a grid with what was predicted under each. */
#include <math.h>

#include "train/plot.h"

enum { TILES_MAX = 400 };
#define GAP     14.0
#define CAPTION 11.0
#define NOTE    10.0

static gi_paint solid(gi_role role) { return (gi_paint){role, 1}; }

static void draw_line_of_text(gi_picture *p, double x, double y, double side, double size,
                              gi_role role, const char *text) {
  gi_draw_text_within(p, x + side / 2, y, (gi_text_style){.size = size, .align = 0.5},
                      solid(role), text, side + GAP - 4);
}

/* The picture as large as fits into the square, in its middle. */
static void draw_tile(gi_picture *p, const gi_tile *t, double x, double y, double side) {
  const gi_image *im = t->image;
  double w = side, h = side;
  if (im != NULL && im->px != NULL && im->width > 0 && im->height > 0) {
    const double scale = fmin(side / im->width, side / im->height);
    w = fmax(1, im->width * scale);
    h = fmax(1, im->height * scale);
    gi_draw_image(p, x + (side - w) / 2, y + (side - h) / 2, w, h, im);
  }
  const double line = t->wrong ? 2 : 1, l = x + (side - w) / 2, top = y + (side - h) / 2;
  gi_draw_frame(p, l - line, top - line, w + 2 * line, h + 2 * line, line,
                solid(t->wrong ? GI_RED : GI_GRID));
  double below = y + side + 15;
  if (t->caption != NULL) {
    draw_line_of_text(p, x, below, side, CAPTION, GI_INK, t->caption);
    below += 14;
  }
  if (t->note != NULL)
    draw_line_of_text(p, x, below, side, NOTE, t->wrong ? GI_RED : GI_MUTED, t->note);
}

/* Height of a row of tiles with what is written under them. */
static double row_height(const gi_image_grid *g, int first, int n, double side) {
  bool caption = false, note = false;
  for (int i = first; i < first + n; i++) {
    caption = caption || g->tiles[i].caption != NULL;
    note = note || g->tiles[i].note != NULL;
  }
  return side + GAP + (caption ? 20 : 0) + (note ? 14 : 0);
}

/* Draws the tiles from y on; without a picture it only measures. Returns where they end. */
static double draw_rows(gi_picture *p, const gi_image_grid *g, int n, int columns, double side,
                        double y) {
  for (int first = 0; first < n; first += columns) {
    const int in_row = GI_MIN(columns, n - first);
    for (int k = 0; p != NULL && k < in_row; k++)
      draw_tile(p, &g->tiles[first + k], GAP + k * (side + GAP), y, side);
    y += row_height(g, first, in_row, side);
  }
  return y;
}

glia_status gi_plot_images(const gi_image_grid *g, gi_picture **out) {
  const int n = GI_MIN(g->n, TILES_MAX);
  const double side = g->side > 0 ? g->side : 96;
  if (n < 1 || side < 8 || side > 1000 || g->columns < 0)
    return gi_fail(GLIA_INVALID, "plot: %d pictures of side %g in %d columns", n, side,
                   g->columns);
  const int fitting = (int)fmax(1, floor((900 - GAP) / (side + GAP)));
  const int columns = GI_MIN(n, g->columns > 0 ? g->columns : fitting);
  const double top = g->title != NULL ? 38 : GAP;
  double width = columns * (side + GAP) + GAP;
  if (g->title != NULL) width = fmax(width, gi_text_width(g->title, 14, true) + 2 * GAP);
  gi_picture *p;
  GI_TRY(gi_picture_new(width, draw_rows(NULL, g, n, columns, side, top) + 2, &p));
  if (g->title != NULL)
    gi_draw_text(p, GAP, 22, (gi_text_style){.size = 14, .bold = true}, solid(GI_INK),
                 g->title);
  draw_rows(p, g, n, columns, side, top);
  *out = p;
  return GLIA_OK;
}
