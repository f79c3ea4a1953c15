/* run_settings.c - the settings of a run as run.json, written before the first step, so that a
 * run killed at any moment can be resumed.
 */
#include <math.h>

#include "train/run.h"

char *gi_run_file(const glia_run *r, const char *name) { return gi_path_join(r->o.run, name); }

glia_status gi_settings_loss(const char *text, double label_smoothing, glia_loss *out) {
  *out = (glia_loss){0};
  if (text != NULL) GI_TRY(glia_loss_parse(text, out));
  if (label_smoothing > 0) {
    out->label_smoothing = label_smoothing;
    if (out->name != NULL) return glia_loss_resolve(out);
  }
  return GLIA_OK;
}

glia_status gi_settings_check(const glia_train_opts *o) {
  if (o->data == NULL || o->run == NULL)
    return gi_fail(GLIA_INVALID, "run: data and run folder must be given");
  if (o->epochs < 1)
    return gi_fail(GLIA_INVALID, "run: epochs is %lld, wanted 1 or more", (long long)o->epochs);
  if (o->batch < 1)
    return gi_fail(GLIA_INVALID, "run: batch is %d, wanted 1 or more", o->batch);
  if (!(o->lr >= 0) || !isfinite(o->lr))
    return gi_fail(GLIA_INVALID, "run: lr is %g, wanted above 0", o->lr);
  if (!(o->valid > 0 && o->valid < 1))
    return gi_fail(GLIA_INVALID, "run: valid is %g, wanted a share between 0 and 1", o->valid);
  if (!(o->label_smoothing >= 0 && o->label_smoothing < 1))
    return gi_fail(GLIA_INVALID, "run: label_smoothing is %g, wanted 0 <= e < 1",
                   o->label_smoothing);
  glia_loss loss;
  GI_TRY(gi_settings_loss(o->loss, o->label_smoothing, &loss));
  glia_schedule schedule;
  if (o->schedule != NULL) GI_TRY(glia_schedule_parse(o->schedule, &schedule));
  if (!(o->clip_norm >= 0) || o->patience < 0)
    return gi_fail(GLIA_INVALID, "run: clip_norm %g, patience %lld: wanted 0 or more",
                   o->clip_norm, (long long)o->patience);
  return GLIA_OK;
}

glia_status gi_settings_write(const glia_run *r) {
  const glia_train_opts *o = &r->o;
  gi_json *j = gi_json_object();
  gi_json_set_int(j, "format", 1);
  gi_json_set_str(j, "version", glia_version());
  gi_json_set_str(j, "data", o->data);
  gi_json_set_str(j, "net", r->info.net);
  gi_json_set_int(j, "epochs", o->epochs);
  gi_json_set_int(j, "batch", o->batch);
  gi_json_set_str(j, "optimizer", o->optimizer);
  gi_json_set_num(j, "lr", o->lr);
  gi_json_set_str(j, "loss", o->loss);
  gi_json_set_str(j, "schedule", o->schedule);
  gi_json_set_num(j, "clip_norm", o->clip_norm);
  gi_json_set_num(j, "label_smoothing", o->label_smoothing);
  gi_json_set_num(j, "valid", o->valid);
  gi_json_set_int(j, "patience", o->patience);
  gi_json_set_str(j, "target", o->target);
  gi_json_set_bool(j, "regression", o->regression);
  gi_json_set_int(j, "seed", (int64_t)o->seed);
  gi_json_set_int(j, "workers", o->workers);
  gi_json_set_bool(j, "strict", o->strict);
  gi_json_set_str(j, "backend", o->backend);
  gi_json_set_int(j, "threads", o->threads);
  gi_json_set_int(j, "memory_limit", o->memory_limit);
  gi_json_set_str(j, "precision", glia_dtype_name(o->precision));
  gi_json_set_bool(j, "deterministic", o->deterministic);
  gi_json_set_num(j, "tune", o->tune);
  gi_json_set_bool(j, "exact_conv", o->exact_conv);
  char *text = gi_json_text(j, 2), *path = gi_run_file(r, "run.json");
  gi_json_free(j);
  glia_status s = text == NULL || path == NULL ? gi_fail_nomem(1) : GLIA_OK;
  if (s == GLIA_OK) s = gi_write_file(path, text, strlen(text));
  gi_free(text);
  gi_free(path);
  return s;
}

/* ---- reading ----------------------------------------------------------------------------- */

static const char *text_of(glia_run *r, const gi_json *j, const char *key) {
  return gi_arena_strdup(&r->arena, gi_json_str(gi_json_get(j, key), NULL));
}

static int whole(const gi_json *j, const char *key, int64_t low, int64_t high,
                 int64_t fallback) {
  const int64_t v = gi_json_int(gi_json_get(j, key), fallback);
  return (int)(v < low || v > high ? fallback : v);
}

/* Its text; runs of version 0.1.0 and before have a number. */
static const char *schedule_of(glia_run *r, const gi_json *j) {
  static const char *const numbered[] = {"constant", "linear", "cosine", "one_cycle"};
  const gi_json *s = gi_json_get(j, "schedule");
  if (gi_json_type(s) == GI_JSON_INT)
    return numbered[whole(j, "schedule", 0, GI_COUNT(numbered) - 1, 0)];
  return text_of(r, j, "schedule");
}

static glia_status take(glia_run *r, const gi_json *j, const char *path, const char **net) {
  glia_train_opts *o = &r->o;
  if (gi_json_int(gi_json_get(j, "format"), 0) != 1)
    return gi_fail(GLIA_FORMAT, "%s: format is %lld, this program knows 1", path,
                   (long long)gi_json_int(gi_json_get(j, "format"), 0));
  o->data = text_of(r, j, "data");
  *net = text_of(r, j, "net");
  if (o->data == NULL || *net == NULL)
    return gi_fail(GLIA_FORMAT, "%s: \"data\" and \"net\" are missing", path);
  o->epochs = gi_json_int(gi_json_get(j, "epochs"), 0);
  o->batch = whole(j, "batch", 1, 1 << 24, 0);
  o->optimizer = text_of(r, j, "optimizer");
  o->lr = gi_json_num(gi_json_get(j, "lr"), 0);
  o->loss = text_of(r, j, "loss");
  o->schedule = schedule_of(r, j);
  o->clip_norm = gi_json_num(gi_json_get(j, "clip_norm"), 0);
  o->label_smoothing = gi_json_num(gi_json_get(j, "label_smoothing"), 0);
  o->valid = gi_json_num(gi_json_get(j, "valid"), 0);
  o->patience = gi_json_int(gi_json_get(j, "patience"), 0);
  o->target = text_of(r, j, "target");
  o->regression = gi_json_bool(gi_json_get(j, "regression"), false);
  o->seed = (uint64_t)gi_json_int(gi_json_get(j, "seed"), 0);
  o->workers = whole(j, "workers", -1, 1024, 1);
  o->strict = gi_json_bool(gi_json_get(j, "strict"), false);
  o->backend = text_of(r, j, "backend");
  o->threads = whole(j, "threads", 0, 1024, 0);
  o->memory_limit = GI_MAX(gi_json_int(gi_json_get(j, "memory_limit"), 0), 0);
  o->precision = strcmp(gi_json_str(gi_json_get(j, "precision"), "f32"), "bf16") == 0
                     ? GLIA_BF16
                     : GLIA_F32;
  o->deterministic = gi_json_bool(gi_json_get(j, "deterministic"), false);
  o->tune = gi_json_num(gi_json_get(j, "tune"), 0);
  o->exact_conv = gi_json_bool(gi_json_get(j, "exact_conv"), false);
  return gi_settings_check(o);
}

glia_status gi_settings_read(glia_run *r, const char *dir, const char **net) {
  char *text = NULL;
  size_t n = 0;
  gi_json *j = NULL;
  r->o.size = sizeof r->o;
  r->o.run = gi_arena_strdup(&r->arena, dir);
  char *path = r->o.run != NULL ? gi_run_file(r, "run.json") : NULL;
  glia_status s = path == NULL ? gi_fail_nomem(1) : GLIA_OK;
  if (s == GLIA_OK) s = gi_read_file(path, 1 << 22, &text, &n);
  if (s == GLIA_OK) s = gi_json_parse(text, n, path, &j);
  if (s == GLIA_OK) s = gi_where(take(r, j, path, net), "%s", path);
  gi_json_free(j);
  gi_free(text);
  gi_free(path);
  return s;
}
