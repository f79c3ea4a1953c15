/* run_export.c - a run's model as one file for use elsewhere, its parameters perhaps as 16-bit
 * floats: half the bytes, and loaded back to f32.
 *
 * Buffers (running means and variances) stay f32: they are few, and a variance may be larger
 * than f16 reaches. A parameter that f16 cannot hold is refused, since it would become infinite
 * in silence.
 */
#include <math.h>

#include "train/run.h"

static glia_status check_range(const glia_tensor *from, const glia_tensor *to,
                               const char *name) {
  for (int64_t i = 0; i < glia_tensor_count(from); i++)
    if (isfinite(glia_tensor_get(from, i)) && !isfinite(glia_tensor_get(to, i)))
      return gi_fail(GLIA_MODEL, "export: %s holds %g, more than %s reaches; hint: bf16", name,
                     glia_tensor_get(from, i), glia_dtype_name(glia_tensor_dtype(to)));
  return GLIA_OK;
}

glia_status gi_export_copy(glia_store *to, const char *name, glia_store_kind kind,
                           const glia_tensor *t, glia_dtype dtype) {
  gi_type type = gi_tensor_type(t);
  const int64_t count = gi_type_count(&type);
  gi_entry *e = NULL;
  type.dtype = dtype;
  GI_TRY(gi_store_add(to, name, kind, &type, &e));
  gi_convert(glia_tensor_dtype(t), glia_tensor_data(t), dtype, glia_tensor_data(e->tensor),
             count);
  return check_range(t, e->tensor, name);
}

static glia_status convert(const glia_store *s, glia_dtype dtype, glia_store *to) {
  for (int i = 0; i < glia_store_count(s); i++) {
    const glia_tensor *t = glia_store_tensor(s, i);
    const glia_store_kind kind = glia_store_kind_of(s, i);
    const bool narrowed = kind == GLIA_PARAMETER && glia_tensor_dtype(t) == GLIA_F32;
    if (kind == GLIA_STATE) continue;
    GI_TRY(gi_export_copy(to, glia_store_name(s, i), kind, t,
                          narrowed ? dtype : glia_tensor_dtype(t)));
  }
  return GLIA_OK;
}

glia_status gi_export_check(const glia_run *r) {
  if (r->model_path != NULL) return GLIA_OK;
  return gi_fail(GLIA_INVALID, "export: the run is in training; hint: open it for use");
}

/* What the model file says of itself is handed on as it is. */
glia_status gi_export_write(const glia_run *r, const glia_store *tensors, const char *path) {
  glia_safetensors *f = NULL;
  GI_TRY(glia_safetensors_open(r->model_path, &f));
  const glia_metadata m = {"glia", glia_safetensors_metadata(f, "glia")};
  const glia_status s = glia_save(tensors, path, &m, 1);
  glia_safetensors_close(f);
  return s;
}

/* Arrays alone: a .npz has no metadata. */
static glia_status write_npz(const glia_store *tensors, const char *path) {
  const int n = glia_store_count(tensors);
  glia_named_tensor *list = gi_alloc(((size_t)n + 1) * sizeof *list);
  if (list == NULL) return gi_fail_nomem((size_t)n * sizeof *list);
  for (int i = 0; i < n; i++)
    list[i] = (glia_named_tensor){glia_store_name(tensors, i), glia_store_tensor(tensors, i)};
  const glia_status s = glia_npz_write(path, list, n);
  gi_free(list);
  return s;
}

static glia_status export_as(glia_run *r, const char *path, glia_dtype dtype, bool npz) {
  glia_store *to = NULL;
  GI_TRY(gi_export_check(r));
  GI_TRY(glia_store_new(&to));
  glia_status s = convert(r->learner->store, dtype, to);
  if (s == GLIA_OK) s = npz ? write_npz(to, path) : gi_export_write(r, to, path);
  glia_store_free(to);
  return s;
}

glia_status glia_run_export(glia_run *r, const char *path, glia_dtype dtype) {
  if (dtype != GLIA_F32 && dtype != GLIA_F16 && dtype != GLIA_BF16)
    return gi_fail(GLIA_INVALID, "export: the dtype is %s, wanted f32, f16 or bf16",
                   glia_dtype_name(dtype));
  return export_as(r, path, dtype, false);
}

glia_status glia_run_export_npz(glia_run *r, const char *path, glia_dtype dtype) {
  if (dtype != GLIA_F32 && dtype != GLIA_F16)
    return gi_fail(GLIA_INVALID, "export: the dtype is %s, NumPy has f32 and f16",
                   glia_dtype_name(dtype));
  return export_as(r, path, dtype, true);
}
