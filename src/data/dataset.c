/* dataset.c - a data set: a count, a specification and a function that reads one sample.
 *
 * Every kind of data set is a glia_dataset_source, those of the library included; this file is
 * the one place that checks what sources promise (indices, classes, messages), so that neither
 * sources nor readers have to.
 */
#include "data/dataset.h"

#include <inttypes.h>

#include "tensor/tensor.h"

char *gi_name_buffer(void) {
  static _Thread_local char text[GI_NAME_BYTES];
  return text;
}

void gi_data_options(void *to, size_t bytes, const void *from) {
  memset(to, 0, bytes);
  if (from == NULL) return;
  size_t size;
  memcpy(&size, from, sizeof size);
  memcpy(to, from, size == 0 || size > bytes ? bytes : size);
}

int64_t gi_sample_elements(const glia_sample_spec *s) {
  int64_t n = 1;
  for (int i = 0; i < s->rank; i++) n *= s->shape[i];
  return n;
}

size_t gi_sample_bytes(const glia_sample_spec *s) {
  return (size_t)gi_sample_elements(s) * glia_dtype_size(s->dtype);
}

size_t gi_target_bytes(const glia_sample_spec *s) {
  return s->classes > 0 ? sizeof(int64_t) : (size_t)s->targets * sizeof(float);
}

static glia_status check_spec(const glia_sample_spec *s) {
  if (s->dtype != GLIA_U8 && s->dtype != GLIA_F32)
    return gi_fail(GLIA_DTYPE, "data set: samples are %s, wanted u8 or f32",
                   glia_dtype_name(s->dtype));
  if (s->rank < 0 || s->rank >= GLIA_MAX_RANK) /* the loader adds the batch axis */
    return gi_fail(GLIA_SHAPE, "data set: samples have rank %d, wanted 0 to %d", s->rank,
                   GLIA_MAX_RANK - 1);
  gi_type t = {.dtype = GLIA_F32, .rank = s->rank}; /* what the loader makes of it */
  memcpy(t.dim, s->shape, (size_t)s->rank * sizeof *t.dim);
  GI_TRY(gi_type_check(&t, "data set: sample"));
  if ((s->classes > 0) == (s->targets > 0) || s->classes < 0 || s->targets < 0)
    return gi_fail(GLIA_INVALID,
                   "data set: has %d classes and %d targets, wanted one of them above 0",
                   s->classes, s->targets);
  return GLIA_OK;
}

glia_status gi_dataset_new(const glia_dataset_source *source, glia_dataset **out) {
  GI_TRY(check_spec(&source->spec));
  if (source->count < 0 || source->count > UINT32_MAX) /* what gi_rng_shuffle can draw */
    return gi_fail(GLIA_INVALID, "data set: has %" PRId64 " samples, wanted 0 to %" PRIu32,
                   source->count, UINT32_MAX);
  if (source->read == NULL) return gi_fail(GLIA_INVALID, "data set: has no read function");
  glia_dataset *d = gi_alloc(sizeof *d);
  if (d == NULL) return gi_fail_nomem(sizeof *d);
  d->source = *source;
  *out = d;
  return GLIA_OK;
}

glia_status glia_dataset_new(const glia_dataset_source *source, glia_dataset **out) {
  if (source == NULL || out == NULL)
    return gi_fail(GLIA_INVALID, "data set: no source or nowhere to put it");
  GI_TRY(gi_dataset_new(source, out));
  (*out)->foreign = true;
  return GLIA_OK;
}

void glia_dataset_free(glia_dataset *d) {
  if (d == NULL) return;
  if (d->source.free != NULL) d->source.free(d->source.user);
  gi_free(d);
}

int64_t glia_dataset_count(const glia_dataset *d) { return d->source.count; }

size_t glia_dataset_bytes(const glia_dataset *d) { return d->source.bytes; }

const glia_sample_spec *glia_dataset_spec(const glia_dataset *d) { return &d->source.spec; }

/* Messages of a failing read name the sample. A source of the caller's may fail without having
 * called this library; then the status speaks. */
static glia_status explain(const glia_dataset *d, int64_t i, glia_status s) {
  const char *name = glia_dataset_name(d, i);
  const char *message = glia_error_message();
  if (message[0] == '\0') return gi_fail(s, "%s: %s", name, glia_status_text(s));
  return strstr(message, name) != NULL ? s : gi_where(s, "%s", name);
}

glia_status glia_dataset_read(const glia_dataset *d, int64_t i, void *x, void *y) {
  const glia_dataset_source *s = &d->source;
  if (i < 0 || i >= s->count)
    return gi_fail(GLIA_INVALID, "data set: sample %" PRId64 " of %" PRId64, i, s->count);
  if (d->foreign) (void)gi_fail(GLIA_OK, "%s", "");
  const glia_status status = s->read(s->user, i, x, y);
  if (status != GLIA_OK) return explain(d, i, status);
  if (s->spec.classes > 0) {
    int64_t label;
    memcpy(&label, y, sizeof label);
    if (label < 0 || label >= s->spec.classes)
      return gi_fail(GLIA_DATA, "%s: is of class %" PRId64 ", there are %d classes",
                     glia_dataset_name(d, i), label, s->spec.classes);
  }
  return GLIA_OK;
}

int64_t glia_dataset_label(const glia_dataset *d, int64_t i) {
  const glia_dataset_source *s = &d->source;
  if (s->spec.classes == 0 || i < 0 || i >= s->count) return -1;
  int64_t label = -1;
  if (s->label != NULL) {
    label = s->label(s->user, i);
  } else {
    void *x = gi_alloc(GI_MAX(gi_sample_bytes(&s->spec), 1));
    if (x != NULL && glia_dataset_read(d, i, x, &label) != GLIA_OK) label = -1;
    gi_free(x);
  }
  return label >= 0 && label < s->spec.classes ? label : -1;
}

const char *glia_dataset_name(const glia_dataset *d, int64_t i) {
  const glia_dataset_source *s = &d->source;
  const char *name = s->name != NULL && i >= 0 && i < s->count ? s->name(s->user, i) : NULL;
  if (name != NULL) return name;
  snprintf(gi_name_buffer(), GI_NAME_BYTES, "sample %" PRId64, i);
  return gi_name_buffer();
}

const char *glia_dataset_class(const glia_dataset *d, int c) {
  const glia_dataset_source *s = &d->source;
  const char *name =
      s->class_name != NULL && c >= 0 && c < s->spec.classes ? s->class_name(s->user, c) : NULL;
  if (name != NULL) return name;
  snprintf(gi_name_buffer(), GI_NAME_BYTES, "%d", c);
  return gi_name_buffer();
}
