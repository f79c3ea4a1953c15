/* train/plot.h - the plots of a run: curves, confusion matrices, pictures with captions.
 *
 * Each function draws one picture (owned by the caller, gi_picture_free), that picture.h writes
 * as SVG or PNG. Texts are borrowed for the call. Numbers that are not finite are left out, and
 * what does not fit is cut, so that any data gives a picture.
 */
#ifndef GI_PLOT_H
#define GI_PLOT_H

#include "train/picture.h"

/* ---- curves (plot_lines.c) ------------------------------------------------------------ */

/* One curve; a number that is not finite (or not above 0 on a logarithmic axis) breaks it. Up
 * to 30 points are marked by dots; of very many, the largest and least of each pixel are drawn.
 */
typedef struct gi_series {
  const char *name; /* in the legend; NULL: not there */
  const double *x;  /* [n], ascending; NULL: 1, 2, ... n */
  const double *y;  /* [n] */
  int64_t n;
  bool dashed;
  int color; /* 0: by its place; else 1 + the index of a series colour */
} gi_series;

/* A vertical line, e.g. at the best epoch. */
typedef struct gi_mark {
  double x;
  const char *text;
} gi_mark;

typedef struct gi_line_chart {
  const char *title, *x_label, *y_label; /* NULL: none */
  const gi_series *series;
  int n;
  const gi_mark *marks;
  int n_marks;
  bool log_x, log_y;
  bool whole_x;         /* x counts something (epochs): ticks at whole numbers only */
  double width, height; /* 0 -> 640 x 380 */
} gi_line_chart;
glia_status gi_plot_lines(const gi_line_chart *c, gi_picture **out);

/* ---- confusion matrix (plot_confusion.c) ---------------------------------------------- */

/* Rows are true classes, columns predictions; a cell's strength is its share of its row, blue
 * on the diagonal, orange-red beside it. Up to 30 classes have their counts written in the
 * cells; beyond, names are thinned out and cells are plain. */
typedef struct gi_confusion_chart {
  const char *title;
  const int64_t *counts;                  /* [n, n], none negative */
  int n;                                  /* 1..2048 */
  const char *(*name)(void *user, int c); /* NULL: the number */
  void *user;
} gi_confusion_chart;
glia_status gi_plot_confusion(const gi_confusion_chart *c, gi_picture **out);

/* ---- pictures in a grid (plot_images.c) ----------------------------------------------- */

typedef struct gi_tile {
  const gi_image *image; /* any size and kind; NULL: an empty frame */
  const char *caption;   /* e.g. "7 (99.8 %)"; NULL: none */
  const char *note;      /* a second line, smaller: "is 9"; NULL: none */
  bool wrong;            /* a mistake: frame and note in red */
} gi_tile;

typedef struct gi_image_grid {
  const char *title;
  const gi_tile *tiles;
  int n;       /* up to 400 are drawn */
  int columns; /* 0: found out */
  double side; /* of a tile; 0 -> 96 */
} gi_image_grid;
glia_status gi_plot_images(const gi_image_grid *g, gi_picture **out);

/* ---- axes (plot_axis.c) --------------------------------------------------------------- */

enum { GI_TICKS_MAX = 16 };

/* A range of numbers laid onto pixels, and its ticks. */
typedef struct gi_axis_scale {
  bool log;
  double low, high; /* values at the ends; logarithms if log */
  double from, to;  /* pixels at the ends */
  int n;
  double tick[GI_TICKS_MAX]; /* values */
  char text[GI_TICKS_MAX][16];
} gi_axis_scale;

/* Ends and ticks for values low..high (both above 0 if log); at most `most` ticks at round
 * numbers: 1, 2 or 5 times a power of ten. fit: the ends are kept, else they are moved outwards
 * to ticks. whole: ticks are whole numbers. */
void gi_axis_fit(gi_axis_scale *a, double low, double high, bool log, int most, bool fit,
                 bool whole);
double gi_axis_at(const gi_axis_scale *a, double value); /* pixel of a value */

#endif /* GI_PLOT_H */
