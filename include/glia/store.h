/* glia/store.h - named tensors: parameters, buffers (running means) and optimiser state.
 *
 * Names are those of the field's checkpoints ("layer1.0.conv1.weight"). Freezing and loading
 * are operations on names.
 */
#ifndef GLIA_STORE_H
#define GLIA_STORE_H

#include "glia/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glia_store glia_store;

typedef enum glia_store_kind {
  GLIA_PARAMETER, /* learned */
  GLIA_BUFFER,    /* kept by layers: running mean and variance */
  GLIA_STATE      /* kept by optimisers: moments, step count */
} glia_store_kind;

/* An empty store. Owned. GLIA_NOMEM. */
GLIA_NODISCARD GLIA_API glia_status glia_store_new(glia_store **out);
GLIA_API void glia_store_free(glia_store *s);
/* Entries in all. */
GLIA_API int glia_store_count(const glia_store *s);
/* Of entry i, in the order of creation. Borrowed until the store is freed; NULL out of range.
 */
GLIA_API const char *glia_store_name(const glia_store *s, int i);
GLIA_API glia_store_kind glia_store_kind_of(const glia_store *s, int i);
GLIA_API glia_tensor *glia_store_tensor(const glia_store *s, int i);
/* The tensor of a name, NULL if absent. Borrowed; its elements may be changed between runs. */
GLIA_API glia_tensor *glia_store_get(const glia_store *s, const char *name);
/* Elements of all parameters. */
GLIA_API int64_t glia_store_parameters(const glia_store *s);
/* Parameters whose name begins with `prefix` ("" for all) are left alone by optimisers, or are
 * learned again. Returns how many there are; takes effect when a step is traced next. */
GLIA_API int glia_store_freeze(glia_store *s, const char *prefix, bool frozen);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_STORE_H */
