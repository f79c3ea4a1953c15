/* subset.c - some samples of another data set, in a chosen order. */
#include <inttypes.h>

#include "data/dataset.h"

typedef struct subset {
  const glia_dataset *base;
  int64_t *index;
} subset;

static glia_status read_sample(void *user, int64_t i, void *x, void *y) {
  const subset *s = user;
  return glia_dataset_read(s->base, s->index[i], x, y);
}

static int64_t label(void *user, int64_t i) {
  const subset *s = user;
  return glia_dataset_label(s->base, s->index[i]);
}

static const char *name(void *user, int64_t i) {
  const subset *s = user;
  return glia_dataset_name(s->base, s->index[i]);
}

static const char *class_name(void *user, int c) {
  const subset *s = user;
  return glia_dataset_class(s->base, c);
}

static void free_subset(void *user) {
  subset *s = user;
  gi_free(s->index);
  gi_free(s);
}

glia_status glia_dataset_subset(const glia_dataset *base, const int64_t *indices, int64_t n,
                                glia_dataset **out) {
  if (base == NULL || out == NULL || n < 0 || (indices == NULL && n > 0))
    return gi_fail(GLIA_INVALID, "subset: no base, or %" PRId64 " indices from nowhere", n);
  const int64_t count = glia_dataset_count(base);
  for (int64_t i = 0; i < n; i++)
    if (indices[i] < 0 || indices[i] >= count)
      return gi_fail(GLIA_INVALID,
                     "subset: index %" PRId64 " at place %" PRId64 ", the base has %" PRId64
                     " samples",
                     indices[i], i, count);
  size_t bytes;
  if (!gi_mul_size((size_t)n, sizeof *indices, &bytes)) return gi_fail_nomem(SIZE_MAX);
  subset *s = gi_alloc(sizeof *s);
  if (s == NULL) return gi_fail_nomem(sizeof *s);
  *s = (subset){.base = base, .index = gi_alloc(GI_MAX(bytes, 1))};
  glia_status status = s->index != NULL ? GLIA_OK : gi_fail_nomem(bytes);
  if (status == GLIA_OK) {
    if (n > 0) memcpy(s->index, indices, bytes);
    status = gi_dataset_new(&(glia_dataset_source){.spec = *glia_dataset_spec(base),
                                                   .count = n,
                                                   .read = read_sample,
                                                   .label = label,
                                                   .name = name,
                                                   .class_name = class_name,
                                                   .free = free_subset,
                                                   .user = s},
                            out);
  }
  if (status != GLIA_OK) free_subset(s);
  return status;
}
