/* glia/formats.h - files of tensors, of whatever format, and those that glia writes itself.
 *
 * glia_file_open reads any of them; the functions for safetensors and .npy do one thing each.
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

/* ---- files of any format ------------------------------------------------------------------
 */

/* An open file of named tensors: safetensors (also in shards, by their index), .npy, .npz,
 * torch checkpoints (.pt, .pth), Keras (.h5, .keras, where built with HDF5), GGUF, word vectors
 * (word2vec, GloVe), idx, Darknet (.weights beside their .cfg), Caffe (.caffemodel). A const
 * file may be shared by threads. */
typedef struct glia_file glia_file;

/* Maps the file, finds its format by its content, else by its name, and checks all that can be
 * checked without reading every element: GLIA_FORMAT says what is wrong and where, and for a
 * checkpoint that would run code, what it would run; nothing of a file is ever run. Gzip around
 * any of the formats is unpacked. Tensors whose elements glia does not hold (u64, complex,
 * text) are listed and can be written, but not read. */
GLIA_NODISCARD GLIA_API glia_status glia_file_open(const char *path, glia_file **out);
GLIA_API void glia_file_close(glia_file *f);
GLIA_API const char *glia_file_format(const glia_file *f); /* "npz"; static */
GLIA_API int glia_file_count(const glia_file *f);          /* tensors */
/* Name of tensor i, in the file's order; the one array of a file without names is called "a".
 * Borrowed until close; NULL out of range. */
GLIA_API const char *glia_file_name(const glia_file *f, int i);
/* The file's word for the elements of tensor i: "F32", "U16", "Q4_K". As above. */
GLIA_API const char *glia_file_dtype(const glia_file *f, int i);
/* Rank of tensor i; its shape is borrowed until close. */
GLIA_API int glia_file_shape(const glia_file *f, int i, const int64_t **shape);
/* Bytes of the elements of tensor i as they are read, unpacked; 0 out of range. */
GLIA_API int64_t glia_file_bytes(const glia_file *f, int i);
/* Index of a name, or -1. */
GLIA_API int glia_file_find(const glia_file *f, const char *name);
/* Tensor i as a copy (owned): quantised elements as f32, integers of 16 bits and u32 in the
 * next type that holds them. GLIA_DTYPE where none does; GLIA_FORMAT for damage found only now.
 */
GLIA_NODISCARD GLIA_API glia_status glia_file_read(const glia_file *f, int i,
                                                   glia_tensor **out);
/* What the file says beside its tensors: the value of a key, NULL if absent; key i, NULL past
 * the last. Borrowed until close. */
GLIA_API const char *glia_file_metadata(const glia_file *f, const char *key);
GLIA_API const char *glia_file_metadata_key(const glia_file *f, int i);
/* All of it as another file, by the ending of its name: .safetensors (with the metadata), .npz,
 * or .npy for a file of one tensor. Elements keep their types where the format has them; bf16
 * becomes f4 in NumPy's. Atomic. GLIA_INVALID for another ending or more than one tensor as
 * .npy, GLIA_DTYPE for elements that the format cannot hold. */
GLIA_NODISCARD GLIA_API glia_status glia_file_write(const glia_file *f, const char *path);

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
/* NumPy's .npz: a zip of arrays, stored, each NAME.npy; otherwise as above. GLIA_INVALID for
 * two tensors of one name. */
GLIA_NODISCARD GLIA_API glia_status glia_npz_write(const char *path,
                                                   const glia_named_tensor *tensors, int n);

/* ---- TensorBoard ------------------------------------------------------------------------- */

/* An event file, to which values are appended; each is on disk, for TensorBoard to see, when
 * its call returns. One thread at a time. Errors are GLIA_DISK, GLIA_NOMEM, and GLIA_INVALID
 * for a tag that is empty or not UTF-8. */
typedef struct glia_events glia_events;

/* A new file events.out.tfevents.* in the folder, which exists. Owned. Since 0.1. */
GLIA_NODISCARD GLIA_API glia_status glia_events_new(const char *folder, glia_events **out);
GLIA_API void glia_events_free(glia_events *e);
GLIA_API const char *glia_events_path(const glia_events *e); /* borrowed until free */
/* A point of the curve `tag` ("loss/train": a slash makes a group), as f32. */
GLIA_NODISCARD GLIA_API glia_status glia_events_scalar(glia_events *e, const char *tag,
                                                       int64_t step, double v);
/* A picture: n bytes of a PNG file. GLIA_FORMAT if they do not begin as one. */
GLIA_NODISCARD GLIA_API glia_status glia_events_image(glia_events *e, const char *tag,
                                                      int64_t step, const void *png, size_t n);
/* How the finite elements of a tensor are distributed, in 64 equal buckets from the least to
 * the largest. GLIA_INVALID where none is finite. */
GLIA_NODISCARD GLIA_API glia_status glia_events_histogram(glia_events *e, const char *tag,
                                                          int64_t step, const glia_tensor *t);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_FORMATS_H */
