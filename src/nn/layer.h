/* nn/layer.h - a layer as a row: its name, the schema of its options, and how it is built.
 *
 * One file in src/nn/layers/ per layer, ending with `const gi_layer *const gi_layers_<file>[]`.
 * The schema of the options serves the C struct, `.net` files and `glia layers` alike.
 */
#ifndef GI_LAYER_H
#define GI_LAYER_H

#include "base/fields.h"
#include "nn/scope.h"

typedef struct gi_layer {
  const char *name, *doc;
  size_t opts_size;       /* of the options struct, whose first member is size_t size */
  const gi_field *fields; /* NULL: no options */
  bool nameless;          /* has no parameters: the name is for messages only */
  /* Makes options whole that name a file: what the network needs of it becomes part of them, in
   * the first field. NULL: they name none. */
  glia_status (*pack)(gi_arena *arena, void *opts);
  glia_value (*build)(glia_scope *s, const char *name, glia_value x, const void *opts);
} gi_layer;

extern const gi_layer *const *const gi_layers_table[];
const gi_layer *gi_layer_find(const char *name); /* NULL if there is none */
/* Name of layer i over all rows; NULL past the last. */
const gi_layer *gi_layer_at(int i);
extern const char *const gi_activation_names[]; /* NULL-terminated */
extern const char *const gi_init_names[];       /* by glia_init_kind, NULL-terminated */
extern const char *const gi_border_names[];     /* by glia_border, NULL-terminated */

#endif /* GI_LAYER_H */
