/* run_export.c - a run's model as one file for use elsewhere, its parameters perhaps as 16-bit
 * floats: half the bytes, and loaded back to f32.
 *
 * Buffers (running means and variances) stay f32: they are few, and a variance may be larger
 * than f16 reaches. A parameter that f16 cannot hold is refused, since it would become infinite
 * in silence.
 */
#include <math.h>

#include "train/run.h"

typedef struct list {
  glia_named_tensor *at;
  glia_tensor **owned; /* by entry; NULL: the store's own tensor */
  int n;
} list;

static glia_status check_range(const glia_tensor *from, const glia_tensor *to, const char *name) {
  for (int64_t i = 0; i < glia_tensor_count(from); i++)
    if (isfinite(glia_tensor_get(from, i)) && !isfinite(glia_tensor_get(to, i)))
      return gi_fail(GLIA_MODEL, "export: %s holds %g, more than %s reaches; hint: bf16", name,
                     glia_tensor_get(from, i), glia_dtype_name(glia_tensor_dtype(to)));
  return GLIA_OK;
}

static glia_status converted(const glia_tensor *t, const char *name, glia_dtype dtype,
                             glia_tensor **out) {
  gi_type type = gi_tensor_type(t);
  type.dtype = dtype;
  GI_TRY(gi_tensor_new(&type, out));
  gi_convert(glia_tensor_dtype(t), glia_tensor_data(t), dtype, glia_tensor_data(*out),
             gi_type_count(&type));
  return check_range(t, *out, name);
}

static glia_status list_tensors(const glia_store *s, glia_dtype dtype, list *l) {
  for (int i = 0; i < glia_store_count(s); i++) {
    const char *name = glia_store_name(s, i);
    glia_tensor *t = glia_store_tensor(s, i);
    const glia_store_kind kind = glia_store_kind_of(s, i);
    if (kind == GLIA_STATE) continue;
    if (kind == GLIA_PARAMETER && glia_tensor_dtype(t) == GLIA_F32 && dtype != GLIA_F32)
      GI_TRY(converted(t, name, dtype, &l->owned[l->n]));
    l->at[l->n] = (glia_named_tensor){name, l->owned[l->n] != NULL ? l->owned[l->n] : t};
    l->n++;
  }
  return GLIA_OK;
}

/* What the model file says of itself is handed on as it is. */
static glia_status write(const glia_run *r, const list *l, const char *path) {
  glia_safetensors *f = NULL;
  GI_TRY(glia_safetensors_open(r->model_path, &f));
  const glia_metadata m = {"glia", glia_safetensors_metadata(f, "glia")};
  const glia_status s = glia_safetensors_write(path, l->at, l->n, &m, 1);
  glia_safetensors_close(f);
  return s;
}

glia_status glia_run_export(glia_run *r, const char *path, glia_dtype dtype) {
  if (dtype != GLIA_F32 && dtype != GLIA_F16 && dtype != GLIA_BF16)
    return gi_fail(GLIA_INVALID, "export: the dtype is %s, wanted f32, f16 or bf16",
                   glia_dtype_name(dtype));
  if (r->model_path == NULL)
    return gi_fail(GLIA_INVALID, "export: the run is in training; hint: open it for use");
  const glia_store *store = r->learner->store;
  const size_t n = (size_t)glia_store_count(store) + 1;
  list l = {.at = gi_alloc(n * sizeof *l.at), .owned = gi_alloc(n * sizeof *l.owned)};
  glia_status s = l.at == NULL || l.owned == NULL ? gi_fail_nomem(n * sizeof *l.at)
                                                  : list_tensors(store, dtype, &l);
  if (s == GLIA_OK) s = write(r, &l, path);
  for (size_t i = 0; l.owned != NULL && i < n; i++) glia_tensor_free(l.owned[i]);
  gi_free(l.at);
  gi_free(l.owned);
  return s;
}
