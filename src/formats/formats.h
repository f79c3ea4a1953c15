/* formats/formats.h - the parsers behind the readers, on memory: what the fuzzers feed, and
 * what reads a tensor from inside another file.
 */
#ifndef GI_FORMATS_H
#define GI_FORMATS_H

#include "formats/element.h"
#include "glia/formats.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "these formats are little-endian and are copied as they are"
#endif

/* As glia_safetensors_open; the n bytes at p are kept until close. `what` leads messages. */
glia_status gi_safetensors_from_memory(const void *p, size_t n, const char *what,
                                       glia_safetensors **out);
/* Where the elements of tensor i lie (borrowed until close), not aligned; NULL out of range. */
const void *gi_safetensors_data(const glia_safetensors *f, int i, const gi_element **element);
/* As glia_npy_read; `what` leads messages. */
glia_status gi_npy_from_memory(const void *p, size_t n, const char *what, glia_tensor **out);
/* As glia_npy_write, under NumPy's word for the elements ("u2", "i4"): whole numbers of fewer
 * bytes than t's keep the low ones. */
glia_status gi_npy_write_as(const char *path, const glia_tensor *t, const char *word);

#endif /* GI_FORMATS_H */
