/* formats/darknet.h - Darknet's networks: which weights their text says the file of weights
 * has. */
#ifndef GI_DARKNET_H
#define GI_DARKNET_H

#include "formats/reader.h"

/* Adds the tensors that the network in `text` has, whose numbers are the m bytes at `weights`.
 * GLIA_FORMAT names line or layer. */
glia_status gi_darknet_add(glia_file *f, const char *text, size_t n,
                           const unsigned char *weights, size_t m);

#endif /* GI_DARKNET_H */
