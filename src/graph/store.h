/* graph/store.h - named tensors: parameters, buffers, optimiser state. A checkpoint is a store
 * on disk. The memory of an entry never moves while the store lives, since plans point into it.
 */
#ifndef GI_STORE_H
#define GI_STORE_H

#include "glia/store.h"
#include "tensor/tensor.h"

typedef struct gi_entry {
  const char *name;
  glia_tensor *tensor; /* contiguous; owned by the store */
  glia_store_kind kind;
  bool frozen; /* a parameter that optimisers leave alone */
} gi_entry;

/* Grows whenever a parameter is frozen or thawed: steps traced before are then stale. */
uint64_t gi_store_freezes(const glia_store *s);
gi_entry *gi_store_at(const glia_store *s, int i);              /* in the order of creation */
gi_entry *gi_store_find(const glia_store *s, const char *name); /* NULL if absent */
/* The mean over the steps of parameter i, which an optimiser keeps as state "<name>.average";
 * NULL: there is none, or entry i is no parameter. Borrowed. */
#define GI_AVERAGE "average"
glia_tensor *gi_store_average(const glia_store *s, int i);
bool gi_store_is_average(const glia_store *s, int i); /* is entry i such a mean? */
/* A new entry of zeros; GLIA_INVALID if the name is taken. */
glia_status gi_store_add(glia_store *s, const char *name, glia_store_kind kind,
                         const gi_type *type, gi_entry **out);

#endif /* GI_STORE_H */
