/* layer.c - finding layers by name. */
#include "nn/layer.h"

const gi_layer *gi_layer_at(int i) {
  for (int list = 0; gi_layers_table[list] != NULL; list++)
    for (int k = 0; gi_layers_table[list][k] != NULL; k++)
      if (i-- == 0) return gi_layers_table[list][k];
  return NULL;
}

const gi_layer *gi_layer_find(const char *name) {
  for (int i = 0; gi_layer_at(i) != NULL; i++)
    if (strcmp(gi_layer_at(i)->name, name) == 0) return gi_layer_at(i);
  return NULL;
}
