/* run_onnx.c - a run's model as an ONNX file: what it computes in a prediction, up to the
 * result in front of the loss, and as metadata what its input has to be made from:
 *
 *   preprocessing  {"shape": [1, 28, 28], "scale": 0.0039, "mean": [..], "std": [..]}: a stored
 *                  sample times scale, less mean, over std: a number a channel
 *   classes        ["cat", "dog"]: what the columns of the result stand for
 *   glia           all that a model file says of itself
 */
#include "formats/onnx/export.h"
#include "train/run.h"

static glia_status trace(int64_t batch, void *user, glia_graph **out) {
  glia_run *r = user;
  return gi_learner_graph(r->learner, (int)batch, out);
}

static gi_json *numbers_of(const float *v, int n) {
  gi_json *list = gi_json_array();
  for (int i = 0; i < n; i++) gi_json_add_num(list, (double)v[i]);
  return list;
}

/* Owned text (gi_free); NULL without memory. */
static char *preprocessing(const gi_model_info *info) {
  const glia_sample_spec *spec = &info->spec;
  gi_json *j = gi_json_object(), *shape = gi_json_array();
  for (int i = 0; i < spec->rank; i++) gi_json_add_int(shape, spec->shape[i]);
  gi_json_set(j, "shape", shape);
  gi_json_set_num(j, "scale", info->normalise.scale);
  gi_json_set(j, "mean", numbers_of(info->normalise.mean, info->normalise.n));
  gi_json_set(j, "std", numbers_of(info->normalise.std, info->normalise.n));
  char *text = gi_json_text(j, 0);
  gi_json_free(j);
  return text;
}

static char *classes(const gi_model_info *info) {
  gi_json *j = gi_json_array();
  for (int i = 0; i < info->spec.classes; i++) gi_json_add_str(j, info->classes[i]);
  char *text = gi_json_text(j, 0);
  gi_json_free(j);
  return text;
}

glia_status glia_run_export_onnx(glia_run *r, const char *path) {
  glia_safetensors *f = NULL;
  GI_TRY(gi_export_check(r));
  GI_TRY(glia_safetensors_open(r->model_path, &f));
  char *how = preprocessing(&r->info), *names = classes(&r->info);
  const glia_metadata m[] = {{"glia", glia_safetensors_metadata(f, "glia")},
                             {"preprocessing", how},
                             {"classes", names}};
  const glia_status s = how == NULL || names == NULL
                            ? gi_fail_nomem(1)
                            : gi_onnx_export_model(trace, r, "model", m, GI_COUNT(m), path);
  gi_free(how);
  gi_free(names);
  glia_safetensors_close(f);
  return s;
}
