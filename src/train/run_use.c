/* run_use.c - measuring a run's model on data, and asking it about files. */
#include "train/run.h"

/* ---- measuring --------------------------------------------------------------------------- */

static glia_status check_spec(const glia_run *r, const glia_dataset *d, const char *path) {
  const glia_sample_spec *a = &r->info.spec, *b = glia_dataset_spec(d);
  const gi_type at = {.dtype = a->dtype, .rank = a->rank},
                bt = {.dtype = b->dtype, .rank = b->rank};
  gi_type x = at, y = bt;
  char have[96], want[96];
  for (int i = 0; i < a->rank; i++) x.dim[i] = a->shape[i];
  for (int i = 0; i < b->rank; i++) y.dim[i] = b->shape[i];
  if (!gi_type_equal(&x, &y))
    return gi_fail(GLIA_DATA, "%s: samples are %s, the model was trained on %s", path,
                   gi_type_text(&y, have, sizeof have), gi_type_text(&x, want, sizeof want));
  if (b->classes > a->classes || b->targets != a->targets)
    return gi_fail(GLIA_DATA, "%s: has %d classes and %d targets, the model %d and %d", path,
                   b->classes, b->targets, a->classes, a->targets);
  return GLIA_OK;
}

static glia_status measure(glia_run *r, const glia_dataset *d, const char *path,
                           glia_result *out) {
  const glia_loader_opts o = {.size = sizeof o,
                              .batch = r->o.batch,
                              .workers = r->o.workers,
                              .strict = r->o.strict,
                              .normalise = &r->info.normalise};
  glia_loader *l = NULL;
  GI_TRY(check_spec(r, d, path));
  GI_TRY(glia_loader_new(d, &o, &l));
  const glia_status s = glia_evaluate(r->learner, l, out);
  if (s == GLIA_OK && glia_loader_skipped(l) > 0)
    gi_log(GLIA_LOG_WARN, "%s: %lld samples could not be read, the first: %s", path,
           (long long)glia_loader_skipped(l), glia_loader_skipped_message(l, 0));
  glia_loader_free(l);
  return s;
}

/* Data as this model knows them: same size and channels, classes in its order. */
static glia_data_opts data_opts(const glia_run *r) {
  const glia_sample_spec *s = &r->info.spec;
  glia_data_opts d = {
      .size = sizeof d,
      .image = {.size = sizeof d.image},
      .csv = {.size = sizeof d.csv, .target = r->o.target, .regression = s->classes == 0}};
  const char *const *classes = NULL;
  memcpy(&classes, &r->info.classes, sizeof classes);
  if (s->rank == 3) {
    d.image.channels = (int)s->shape[0];
    d.image.height = (int)s->shape[1];
    d.image.width = (int)s->shape[2];
  }
  d.image.classes = d.csv.classes = classes;
  d.image.n_classes = d.csv.n_classes = s->classes;
  return d;
}

static void close_data(glia_run *r) {
  glia_dataset_free(r->train_part);
  glia_dataset_free(r->valid_part);
  glia_dataset_free(r->train);
  glia_dataset_free(r->test);
  r->train_part = r->valid_part = r->train = r->test = NULL;
}

glia_status gi_run_samples(glia_run *r, const char *data, const glia_dataset **out) {
  const glia_data_opts d = data_opts(r);
  const glia_split_opts split = {.size = sizeof split, .ratio = r->o.valid, .seed = r->o.seed};
  const char *path = data != NULL ? data : r->o.data;
  if (path == NULL)
    return gi_fail(GLIA_INVALID, "a model file alone knows no data; hint: name them");
  close_data(r);
  GI_TRY(glia_data_open(path, &d, &r->train, &r->test));
  GI_TRY(check_spec(r, r->train, path));
  if (data == NULL)
    GI_TRY(glia_dataset_split(r->train, &split, &r->train_part, &r->valid_part));
  *out = data == NULL ? r->train_part : r->train;
  return GLIA_OK;
}

/* The held-out part of the run's own data: its test set, or the part split off for validation.
 */
static glia_status measure_own(glia_run *r, glia_result *out) {
  const glia_dataset *samples;
  if (r->train_part == NULL) GI_TRY(gi_run_samples(r, NULL, &samples));
  return measure(r, r->test != NULL ? r->test : r->valid_part, r->o.data, out);
}

glia_status glia_run_evaluate(glia_run *r, const char *data, glia_result *out) {
  const glia_data_opts d = data_opts(r);
  glia_dataset *train = NULL, *test = NULL;
  if (data == NULL && r->o.data == NULL)
    return gi_fail(GLIA_INVALID, "evaluate: a model file alone knows no data; hint: name them");
  if (data == NULL) return measure_own(r, out);
  GI_TRY(glia_data_open(data, &d, &train, &test));
  const glia_status s = measure(r, test != NULL ? test : train, data, out);
  glia_dataset_free(train);
  glia_dataset_free(test);
  return s;
}

/* ---- predicting -------------------------------------------------------------------------- */

static glia_status make_space(glia_run *r) {
  const glia_sample_spec *s = &r->info.spec;
  int64_t shape[GLIA_MAX_RANK] = {1};
  const int n = s->classes > 0 ? s->classes : s->targets;
  if (r->input != NULL) return GLIA_OK;
  for (int i = 0; i < s->rank; i++) shape[i + 1] = s->shape[i];
  GI_TRY(glia_tensor_new(GLIA_F32, s->rank + 1, shape, &r->input));
  r->values = gi_alloc((size_t)n * sizeof *r->values);
  return r->values != NULL ? GLIA_OK : gi_fail_nomem((size_t)n * sizeof *r->values);
}

static glia_status read_sample(glia_run *r, const char *file) {
  const glia_sample_spec *s = &r->info.spec;
  const glia_data_opts d = data_opts(r);
  glia_tensor *image = NULL;
  if (s->rank != 3 || s->dtype != GLIA_U8)
    return gi_fail(GLIA_DATA, "%s: this model was not trained on pictures", file);
  GI_TRY(glia_image_read(file, &d.image, &image));
  glia_normalise_apply(&r->info.normalise, s, glia_tensor_data(image),
                       glia_tensor_data(r->input));
  glia_tensor_free(image);
  return GLIA_OK;
}

glia_status glia_run_predict(glia_run *r, const char *file, glia_prediction *out) {
  GI_TRY(make_space(r));
  GI_TRY(read_sample(r, file));
  glia_tensor_free(r->probabilities);
  r->probabilities = NULL;
  GI_TRY(glia_predict(r->learner, r->input, &r->probabilities));
  glia_prediction p = {.n = (int)glia_tensor_count(r->probabilities), .values = r->values};
  for (int i = 0; i < p.n; i++) {
    r->values[i] = glia_tensor_get(r->probabilities, i);
    if (r->values[i] > r->values[p.label]) p.label = i;
  }
  p.name = glia_run_class(r, p.label);
  p.probability = r->values[p.label];
  *out = p;
  return GLIA_OK;
}
