/* layout.c - where the elements of a value stand in each layout. */
#include "graph/graph.h"

void gi_layout_strides(const gi_type *t, gi_layout layout, int64_t *strides) {
  gi_type_strides(t, strides);
  if (layout != GI_CHANNELS_LAST || t->rank != 4) return;
  const int64_t c = t->dim[1], h = t->dim[2], w = t->dim[3];
  strides[0] = h * w * c;
  strides[1] = 1;
  strides[2] = w * c;
  strides[3] = c;
}

bool gi_layout_matters(const gi_type *t) {
  return t->rank == 4 && t->dim[1] != 1 && t->dim[2] * t->dim[3] != 1 && gi_type_count(t) > 0;
}

const char *gi_layout_name(gi_layout layout) {
  return layout == GI_CHANNELS_LAST ? "nhwc" : "plain";
}
