/* cli/plot.h - curves in a terminal, in plain characters. */
#ifndef GI_PLOT_H
#define GI_PLOT_H

#include "base/base.h"

typedef struct gi_curve {
  const char *name; /* for the legend */
  char mark;        /* the character it is drawn with */
  const double *y;  /* n values; those that are not finite are left out */
  int n;
} gi_curve;

/* Draws the curves over 1..n into a field of width x height characters, with the axes around
 * it: the extremes of y at the left, 1 and the last x below, then the names. Where curves meet,
 * the later one is seen. Nothing where no value is finite. */
void gi_plot_curves(gi_str *out, const gi_curve *curves, int count, const char *x_name,
                    int width, int height);

#endif /* GI_PLOT_H */
