/* formats/gguf_blocks.h - the types of GGUF's tensors, and blocks of quantised numbers as f32.
 */
#ifndef GI_GGUF_BLOCKS_H
#define GI_GGUF_BLOCKS_H

#include "formats/element.h"

typedef struct gi_gguf_type {
  uint32_t code;       /* in the file */
  const char *name;    /* "Q4_K" */
  const char *element; /* of types that are no blocks; NULL: f32 comes out */
  int numbers, bytes;  /* of a block */
  /* A block as numbers; NULL: known by its size alone. */
  void (*unpack)(const unsigned char *p, float *out);
} gi_gguf_type;

const gi_gguf_type *gi_gguf_type_find(uint32_t code); /* NULL: not known */

#endif /* GI_GGUF_BLOCKS_H */
