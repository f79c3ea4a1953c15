/* glia/formats.h - files of tensors: safetensors and NumPy's .npy.
 *
 * Files come from outside: every field is checked before it is used, sizes against the file's
 * size. Errors are GLIA_IO (missing, unreadable), GLIA_FORMAT (malformed; the message names the
 * file, the tensor and the field), GLIA_DISK (writing), GLIA_NOMEM.
 */
#ifndef GLIA_FORMATS_H
#define GLIA_FORMATS_H

#include "glia/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- safetensors ------------------------------------------------------------------------ */

/* An open file, memory-mapped. */
typedef struct glia_safetensors glia_safetensors;

/* Maps the file and checks all of it: header length, UTF-8, JSON without duplicate keys, known
 * dtypes, shapes that match byte ranges, ranges sorted without hole or overlap up to the end.
 * Tensors of dtypes that glia does not hold (i16, f8...) are listed, but cannot be read. */
GLIA_NODISCARD GLIA_API glia_status glia_safetensors_open(const char *path,
                                                          glia_safetensors **out);
GLIA_API void glia_safetensors_close(glia_safetensors *f);
GLIA_API int glia_safetensors_count(const glia_safetensors *f);
/* Name and the file's word for the dtype ("F32") of tensor i, in the order of the data.
 * Borrowed until close; NULL out of range. */
GLIA_API const char *glia_safetensors_name(const glia_safetensors *f, int i);
GLIA_API const char *glia_safetensors_dtype(const glia_safetensors *f, int i);
/* Rank and shape of tensor i (borrowed until close). */
GLIA_API int glia_safetensors_shape(const glia_safetensors *f, int i, const int64_t **shape);
/* Index of a name, or -1. */
GLIA_API int glia_safetensors_find(const glia_safetensors *f, const char *name);
/* Tensor i as a copy (owned). GLIA_DTYPE for a dtype that glia does not hold. */
GLIA_NODISCARD GLIA_API glia_status glia_safetensors_read(const glia_safetensors *f, int i,
                                                          glia_tensor **out);
/* Value of a key of __metadata__, NULL if absent. Borrowed until close. */
GLIA_API const char *glia_safetensors_metadata(const glia_safetensors *f, const char *key);
/* Key i of __metadata__, NULL past the last. */
GLIA_API const char *glia_safetensors_metadata_key(const glia_safetensors *f, int i);

typedef struct glia_named_tensor {
  const char *name;
  const glia_tensor *tensor; /* any strides */
} glia_named_tensor;
typedef struct glia_metadata {
  const char *key, *value;
} glia_metadata;

/* Writes atomically: temporary file in the same folder, synced, renamed. Tensors are ordered by
 * falling element size, then name; the header is padded to 64 bytes. GLIA_INVALID for duplicate
 * or empty names. */
GLIA_NODISCARD GLIA_API glia_status glia_safetensors_write(const char *path,
                                                           const glia_named_tensor *tensors,
                                                           int n, const glia_metadata *metadata,
                                                           int n_metadata);

/* ---- .npy ------------------------------------------------------------------------------- */

/* Versions 1.0 to 3.0, little- and big-endian, C and Fortran order (made contiguous); dtypes f2
 * f4 f8 i4 i8 u1 b1, and i1 i2 u2 u4 widened to the next integer type that holds them. Owned.
 */
GLIA_NODISCARD GLIA_API glia_status glia_npy_read(const char *path, glia_tensor **out);
/* Version 1.0, atomically. bf16 is written as f4, since NumPy has no such type. */
GLIA_NODISCARD GLIA_API glia_status glia_npy_write(const char *path, const glia_tensor *t);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_FORMATS_H */
