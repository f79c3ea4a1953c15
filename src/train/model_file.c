/* model_file.c - models and checkpoints as safetensors files. A model is one file: its tensors
 * under their field names, and in the metadata, as JSON text under "glia", the network, the
 * sample's shape, classes, normalisation, history and seed. Loading runs no code.
 */
#include <math.h>

#include "train/run.h"

/* ---- tensors ----------------------------------------------------------------------------- */

static glia_status write_store(const glia_store *s, const char *path, bool state,
                               const glia_metadata *metadata, int n) {
  const int count = glia_store_count(s);
  glia_named_tensor *list = gi_alloc((size_t)(count + 1) * sizeof *list);
  if (list == NULL) return gi_fail_nomem((size_t)count * sizeof *list);
  int kept = 0;
  for (int i = 0; i < count; i++) {
    const glia_tensor *mean = state ? NULL : gi_store_average(s, i);
    if (state || glia_store_kind_of(s, i) != GLIA_STATE)
      list[kept++] = (glia_named_tensor){glia_store_name(s, i),
                                         mean != NULL ? mean : glia_store_tensor(s, i)};
  }
  const glia_status status = glia_safetensors_write(path, list, kept, metadata, n);
  gi_free(list);
  return status;
}

/* 8-bit weights, times the scale of their row: what they were rounded to. */
static glia_status read_int8(const glia_tensor *read, const glia_safetensors *f,
                             const char *name, const char *path, glia_tensor *mine) {
  char scale_name[512];
  glia_tensor *scale = NULL;
  const int64_t rows = glia_tensor_rank(read) > 0 ? glia_tensor_shape(read)[0] : 0;
  const int64_t n = rows > 0 ? glia_tensor_count(read) / rows : 0;
  snprintf(scale_name, sizeof scale_name, "%s.scale", name);
  const int at = glia_safetensors_find(f, scale_name);
  if (at < 0)
    return gi_fail(GLIA_MODEL, "%s: has no tensor %s, which %s wants", path, scale_name, name);
  GI_TRY(glia_safetensors_read(f, at, &scale));
  glia_status s = GLIA_OK;
  if (glia_tensor_rank(scale) != 1 || glia_tensor_count(scale) != rows)
    s = gi_fail(GLIA_MODEL, "%s: tensor %s wants %lld elements, a scale for each row", path,
                scale_name, (long long)rows);
  for (int64_t e = 0; e < rows * n && s == GLIA_OK; e++)
    glia_tensor_set(mine, e, glia_tensor_get(read, e) * glia_tensor_get(scale, e / n));
  glia_tensor_free(scale);
  return s;
}

static glia_status read_entry(glia_store *s, int i, const glia_safetensors *f, const char *path,
                              bool partial) {
  const char *name = glia_store_name(s, i);
  glia_tensor *mine = glia_store_tensor(s, i), *read = NULL;
  char have[128], want[128];
  const int at = glia_safetensors_find(f, name);
  if (at < 0)
    return partial ? GLIA_OK
                   : gi_fail(GLIA_MODEL, "%s: has no tensor %s, which the network wants", path,
                             name);
  GI_TRY(glia_safetensors_read(f, at, &read));
  const gi_type a = gi_tensor_type(read), b = gi_tensor_type(mine);
  glia_status status = GLIA_OK;
  if (!gi_shape_equal(&a, &b))
    status = gi_fail(GLIA_MODEL, "%s: tensor %s is %s, the network wants %s", path, name,
                     gi_type_text(&a, have, sizeof have), gi_type_text(&b, want, sizeof want));
  else if (a.dtype == GLIA_I8 && b.dtype == GLIA_F32)
    status = read_int8(read, f, name, path, mine);
  else
    gi_convert(a.dtype, glia_tensor_data(read), b.dtype, glia_tensor_data(mine),
               gi_type_count(&a));
  glia_tensor_free(read);
  return status;
}

static bool ends_with(const char *s, const char *end) {
  const size_t n = strlen(s), m = strlen(end);
  return n >= m && strcmp(s + n - m, end) == 0;
}

/* The scales that a calibrated model has for what its layers read (compile/int8.c). */
static glia_status read_input_scales(glia_store *s, const glia_safetensors *f,
                                     const char *path) {
  const gi_type scalar = {.dtype = GLIA_F32};
  for (int i = 0; i < glia_safetensors_count(f); i++) {
    const char *name = glia_safetensors_name(f, i);
    const int64_t *shape = NULL;
    glia_tensor *t = NULL;
    gi_entry *e = gi_store_find(s, name);
    if (!ends_with(name, ".input_scale") || glia_safetensors_shape(f, i, &shape) != 0) continue;
    if (e == NULL) GI_TRY(gi_store_add(s, name, GLIA_BUFFER, &scalar, &e));
    GI_TRY(glia_safetensors_read(f, i, &t));
    const double scale = glia_tensor_count(t) == 1 ? glia_tensor_get(t, 0) : 0;
    glia_tensor_free(t);
    if (!(scale > 0 && isfinite(scale)))
      return gi_fail(
          GLIA_MODEL,
          "%s: tensor %s is no scale, wanted one finite number above 0; hint: export "
          "the model again",
          path, name);
    if (glia_tensor_count(e->tensor) == 1) glia_tensor_set(e->tensor, 0, scale);
  }
  return GLIA_OK;
}

/* What comes from a model file is a new beginning for the means over the steps, too. */
static void begin_averages(glia_store *s) {
  for (int i = 0; i < glia_store_count(s); i++) {
    const glia_tensor *t = glia_store_tensor(s, i);
    glia_tensor *mean = gi_store_average(s, i);
    if (mean != NULL) memcpy(glia_tensor_data(mean), glia_tensor_data(t), glia_tensor_bytes(t));
  }
}

static glia_status read_store(glia_store *s, const char *path, bool state, bool partial) {
  glia_safetensors *f = NULL;
  GI_TRY(glia_safetensors_open(path, &f));
  glia_status status = GLIA_OK;
  for (int i = 0; status == GLIA_OK && i < glia_store_count(s); i++)
    if (state || glia_store_kind_of(s, i) != GLIA_STATE)
      status = read_entry(s, i, f, path, partial);
  if (status == GLIA_OK && !state) status = read_input_scales(s, f, path);
  if (status == GLIA_OK && !state) begin_averages(s);
  glia_safetensors_close(f);
  return status;
}

glia_status glia_save(const glia_store *store, const char *path, const glia_metadata *metadata,
                      int n) {
  return write_store(store, path, false, metadata, n);
}

glia_status glia_load(glia_store *store, const char *path, bool partial) {
  return read_store(store, path, false, partial);
}

glia_status glia_checkpoint_save(const glia_store *store, const char *path,
                                 const glia_metadata *metadata, int n) {
  return write_store(store, path, true, metadata, n);
}

glia_status glia_checkpoint_load(glia_store *store, const char *path) {
  return read_store(store, path, true, false);
}

/* ---- the info as text -------------------------------------------------------------------- */

static gi_json *floats(const float *v, int n) {
  gi_json *a = gi_json_array();
  for (int i = 0; i < n; i++) gi_json_add_num(a, (double)v[i]);
  return a;
}

static gi_json *history_json(const glia_history *h) {
  gi_json *rows = gi_json_array();
  for (int64_t i = 0; i < h->n; i++) {
    const glia_epoch *e = &h->rows[i];
    gi_json *row = gi_json_object();
    gi_json_set_int(row, "epoch", e->epoch);
    gi_json_set_num(row, "train_loss", e->train_loss);
    gi_json_set_num(row, "valid_loss", e->valid_loss);
    gi_json_set_num(row, "metric", e->metric);
    gi_json_set_num(row, "lr", e->lr);
    gi_json_set_num(row, "seconds", e->seconds);
    gi_json_add(rows, row);
  }
  return rows;
}

char *gi_info_text(const gi_model_info *info, const glia_history *h, int64_t steps,
                   uint64_t seed) {
  gi_json *j = gi_json_object(), *shape = gi_json_array(), *classes = gi_json_array();
  gi_json *normalise = gi_json_object();
  for (int i = 0; i < info->spec.rank; i++) gi_json_add_int(shape, info->spec.shape[i]);
  for (int i = 0; i < info->spec.classes; i++) gi_json_add_str(classes, info->classes[i]);
  gi_json_set_num(normalise, "scale", info->normalise.scale);
  gi_json_set(normalise, "mean", floats(info->normalise.mean, info->normalise.n));
  gi_json_set(normalise, "std", floats(info->normalise.std, info->normalise.n));
  gi_json_set_int(j, "format", 1);
  gi_json_set_str(j, "version", glia_version());
  gi_json_set_str(j, "net", info->net);
  gi_json_set_str(j, "loss", info->loss);
  gi_json_set_str(j, "dtype", glia_dtype_name(info->spec.dtype));
  gi_json_set(j, "shape", shape);
  gi_json_set(j, "classes", classes);
  gi_json_set_int(j, "targets", info->spec.targets);
  gi_json_set(j, "normalise", normalise);
  gi_json_set_int(j, "seed", (int64_t)seed);
  gi_json_set_int(j, "steps", steps);
  gi_json_set_int(j, "best", h->best);
  gi_json_set_num(j, "best_value", h->best_value);
  gi_json_set(j, "history", history_json(h));
  char *text = gi_json_text(j, 0);
  gi_json_free(j);
  return text;
}

/* ---- and back ---------------------------------------------------------------------------- */

static glia_status bad(const char *what, const char *field, const char *wanted) {
  return gi_fail(GLIA_FORMAT, "%s: metadata field \"%s\": wanted %s", what, field, wanted);
}

static glia_status parse_floats(const gi_json *a, const char *what, const char *field, int n,
                                float **out) {
  if ((int)gi_json_count(a) != n) return bad(what, field, "as many numbers as mean has");
  *out = gi_alloc((size_t)(n + 1) * sizeof **out);
  if (*out == NULL) return gi_fail_nomem((size_t)n * sizeof **out);
  for (int i = 0; i < n; i++) {
    const double v = gi_json_num(gi_json_at(a, (size_t)i), NAN);
    if (!isfinite(v) || fabs(v) > 1e30) return bad(what, field, "finite numbers");
    (*out)[i] = (float)v;
  }
  return GLIA_OK;
}

static glia_status parse_normalise(const gi_json *j, const char *what, glia_normalise *out) {
  const gi_json *n = gi_json_get(j, "normalise"), *mean = gi_json_get(n, "mean");
  out->scale = gi_json_num(gi_json_get(n, "scale"), NAN);
  if (!isfinite(out->scale)) return bad(what, "normalise.scale", "a number");
  if (gi_json_count(mean) > 1 << 24) return bad(what, "normalise.mean", "fewer numbers");
  out->n = (int)gi_json_count(mean);
  GI_TRY(parse_floats(mean, what, "normalise.mean", out->n, &out->mean));
  GI_TRY(parse_floats(gi_json_get(n, "std"), what, "normalise.std", out->n, &out->std));
  for (int i = 0; i < out->n; i++)
    if (!(out->std[i] > 0)) return bad(what, "normalise.std", "numbers above 0");
  return GLIA_OK;
}

static glia_status parse_classes(const gi_json *j, const char *what, gi_model_info *out) {
  const gi_json *list = gi_json_get(j, "classes");
  const size_t n = gi_json_count(list);
  if (gi_json_type(list) != GI_JSON_ARRAY || n > 1 << 24)
    return bad(what, "classes", "an array");
  out->classes = gi_alloc((n + 1) * sizeof *out->classes);
  if (out->classes == NULL) return gi_fail_nomem(n * sizeof *out->classes);
  for (size_t i = 0; i < n; i++) {
    const char *name = gi_json_str(gi_json_at(list, i), NULL);
    if (name == NULL) return bad(what, "classes", "names");
    if ((out->classes[i] = gi_strdup(name)) == NULL) return gi_fail_nomem(strlen(name));
    out->spec.classes = (int)i + 1;
  }
  return GLIA_OK;
}

static glia_status parse_spec(const gi_json *j, const char *what, gi_model_info *out) {
  const gi_json *shape = gi_json_get(j, "shape");
  const char *dtype = gi_json_str(gi_json_get(j, "dtype"), "");
  const size_t rank = gi_json_count(shape);
  if (strcmp(dtype, "u8") != 0 && strcmp(dtype, "f32") != 0)
    return bad(what, "dtype", "u8 or f32");
  out->spec.dtype = strcmp(dtype, "u8") == 0 ? GLIA_U8 : GLIA_F32;
  if (rank < 1 || rank >= GLIA_MAX_RANK) return bad(what, "shape", "1 to 7 dimensions");
  out->spec.rank = (int)rank;
  for (size_t i = 0; i < rank; i++) {
    out->spec.shape[i] = gi_json_int(gi_json_at(shape, i), 0);
    if (out->spec.shape[i] < 1 || out->spec.shape[i] > INT64_C(1) << 30)
      return bad(what, "shape", "dimensions above 0");
  }
  const int64_t targets = gi_json_int(gi_json_get(j, "targets"), 0);
  if (targets < 0 || targets > 1 << 24) return bad(what, "targets", "0 or more");
  out->spec.targets = (int)targets;
  GI_TRY(parse_classes(j, what, out));
  if ((out->spec.classes > 0) == (out->spec.targets > 0))
    return bad(what, "classes", "either classes or targets");
  return GLIA_OK;
}

static glia_status parse_history(const gi_json *j, glia_history *h) {
  const gi_json *rows = gi_json_get(j, "history");
  const size_t n = gi_json_count(rows);
  h->rows = gi_alloc((n + 1) * sizeof *h->rows);
  if (h->rows == NULL) return gi_fail_nomem(n * sizeof *h->rows);
  for (size_t i = 0; i < n; i++) {
    const gi_json *row = gi_json_at(rows, i);
    h->rows[h->n++] =
        (glia_epoch){.epoch = gi_json_int(gi_json_get(row, "epoch"), (int64_t)i + 1),
                     .train_loss = gi_json_num(gi_json_get(row, "train_loss"), NAN),
                     .valid_loss = gi_json_num(gi_json_get(row, "valid_loss"), NAN),
                     .metric = gi_json_num(gi_json_get(row, "metric"), NAN),
                     .lr = gi_json_num(gi_json_get(row, "lr"), NAN),
                     .seconds = gi_json_num(gi_json_get(row, "seconds"), NAN)};
  }
  h->best = gi_json_int(gi_json_get(j, "best"), 0);
  h->best_value = gi_json_num(gi_json_get(j, "best_value"), NAN);
  return GLIA_OK;
}

static glia_status parse_info(const gi_json *j, gi_arena *a, const char *what,
                              gi_model_info *out, glia_history *history, int64_t *steps) {
  const char *net = gi_json_str(gi_json_get(j, "net"), NULL);
  if (net == NULL) return bad(what, "net", "the network's text");
  if ((out->net = gi_arena_strdup(a, net)) == NULL) return gi_fail_nomem(strlen(net));
  const char *loss = gi_json_str(gi_json_get(j, "loss"), NULL);
  if (loss != NULL && (out->loss = gi_arena_strdup(a, loss)) == NULL)
    return gi_fail_nomem(strlen(loss));
  GI_TRY(parse_spec(j, what, out));
  GI_TRY(parse_normalise(j, what, &out->normalise));
  if (steps != NULL) *steps = gi_json_int(gi_json_get(j, "steps"), 0);
  return history != NULL ? parse_history(j, history) : GLIA_OK;
}

glia_status gi_info_parse(gi_arena *a, const char *text, const char *what, gi_model_info *out,
                          glia_history *history, int64_t *steps) {
  gi_json *j = NULL;
  GI_TRY(gi_json_parse(text, strlen(text), what, &j));
  const glia_status s = parse_info(j, a, what, out, history, steps);
  gi_json_free(j);
  return s;
}

glia_status gi_read_info(gi_arena *a, const char *path, gi_model_info *out,
                         glia_history *history, int64_t *steps) {
  glia_safetensors *f = NULL;
  GI_TRY(glia_safetensors_open(path, &f));
  const char *text = glia_safetensors_metadata(f, "glia");
  const glia_status s = text != NULL
                            ? gi_info_parse(a, text, path, out, history, steps)
                            : gi_fail(GLIA_MODEL,
                                      "%s: is no model of glia: its metadata have no key "
                                      "\"glia\"; hint: glia inspect shows what it holds",
                                      path);
  glia_safetensors_close(f);
  return s;
}

void gi_info_clear(gi_model_info *info) {
  for (int i = 0; info->classes != NULL && i < info->spec.classes; i++)
    gi_free(info->classes[i]);
  gi_free(info->classes);
  glia_normalise_clear(&info->normalise);
  *info = (gi_model_info){0};
}
