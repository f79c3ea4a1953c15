/* onnx-suite LIST.json FOLDER BACKEND [--least SHARE] [--show]: ONNX's own cases of operators,
 * each a model with inputs and the outputs that they must give, within the tolerance that the
 * list says. Prints what failed or was refused and why, a line each; with --show a line for
 * every case, "CASE VERDICT OPERATORS...: why", from which tools/onnx_suite makes
 * docs/conformance.md. Exit status 0: at least this share (default 1, all of them) passed.
 */
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "formats/onnx/model.h"
#include "glia/onnx.h"

enum { PORTS = 64 };

typedef enum verdict { PASSED, FAILED, REFUSED } verdict;
static const char *const verdicts[] = {"passed", "failed", "refused"};

typedef struct job {
  glia_onnx *model;
  glia_tensor *in[PORTS];
  int in_type[PORTS];
  const glia_tensor *out[PORTS];
  double relative, absolute;
  char why[512];
} job;

static bool exists(const char *folder, const char *kind, int i, char *path, size_t room) {
  snprintf(path, room, "%.1900s/%s_%d.pb", folder, kind, i);
  return gi_exists(path);
}

/* ---- one set of data --------------------------------------------------------------------- */

static verdict differ(job *j, int i, const glia_tensor *want, const char *type) {
  const glia_tensor *got = j->out[i];
  const gi_type a = gi_tensor_type(got), b = gi_tensor_type(want);
  char text[2][160];
  if (!gi_shape_equal(&a, &b) || strcmp(glia_onnx_output_type(j->model, i), type) != 0) {
    snprintf(j->why, sizeof j->why, "output %d is %s %s, wanted %s %s", i,
             glia_onnx_output_type(j->model, i), gi_shape_text(&a, text[0], sizeof text[0]),
             type, gi_shape_text(&b, text[1], sizeof text[1]));
    return FAILED;
  }
  for (int64_t k = 0; k < gi_type_count(&b); k++) {
    const double x = glia_tensor_get(got, k), y = glia_tensor_get(want, k);
    if (x == y || (isnan(x) && isnan(y))) continue;
    if (fabs(x - y) <= j->absolute + j->relative * fabs(y)) continue;
    snprintf(j->why, sizeof j->why, "output %d, element %lld: %.9g, wanted %.9g", i,
             (long long)k, x, y);
    return FAILED;
  }
  return PASSED;
}

static verdict refused(job *j) {
  snprintf(j->why, sizeof j->why, "%s", glia_error_message());
  for (char *c = j->why; *c != '\0'; c++)
    if (*c == '\n') *c = ' ';
  return REFUSED;
}

/* Reads the inputs; *n of them. */
static glia_status read_inputs(job *j, const char *folder, int *n) {
  char path[2048];
  for (*n = 0; *n < PORTS && exists(folder, "input", *n, path, sizeof path); (*n)++)
    GI_TRY(gi_onnx_tensor_read(path, &j->in[*n], &j->in_type[*n]));
  return GLIA_OK;
}

static verdict run_set(job *j, const char *folder) {
  int n = 0;
  verdict v = PASSED;
  const glia_tensor *in[PORTS];
  if (read_inputs(j, folder, &n) != GLIA_OK) return refused(j);
  for (int i = 0; i < n; i++) in[i] = j->in[i];
  if (glia_onnx_outputs(j->model) > PORTS || glia_onnx_run(j->model, in, n, j->out) != GLIA_OK)
    v = refused(j);
  char path[2048];
  for (int i = 0; v == PASSED && i < glia_onnx_outputs(j->model); i++) {
    glia_tensor *want = NULL;
    int type = 0;
    if (!exists(folder, "output", i, path, sizeof path)) continue;
    if (gi_onnx_tensor_read(path, &want, &type) != GLIA_OK) return refused(j);
    v = differ(j, i, want, gi_onnx_type_name(type));
    glia_tensor_free(want);
  }
  for (int i = 0; i < PORTS; i++) {
    glia_tensor_free(j->in[i]);
    j->in[i] = NULL;
  }
  return v;
}

/* ---- a case, and all of them ------------------------------------------------------------- */

static verdict run_case(job *j, const char *folder, const gi_json *c, const char *backend) {
  char path[2048];
  j->why[0] = '\0';
  j->relative = gi_json_num(gi_json_get(c, "rtol"), 1e-3);
  j->absolute = gi_json_num(gi_json_get(c, "atol"), 1e-7);
  snprintf(path, sizeof path, "%.1000s/model.onnx", folder);
  if (glia_onnx_open(path, &j->model, .backend = backend) != GLIA_OK) {
    j->model = NULL;
    return refused(j);
  }
  verdict v = PASSED;
  int sets = 0;
  for (; v == PASSED && sets < 100; sets++) {
    snprintf(path, sizeof path, "%.1000s/test_data_set_%d", folder, sets);
    if (!gi_is_dir(path)) break;
    v = run_set(j, path);
  }
  if (sets == 0) {
    snprintf(j->why, sizeof j->why, "%.400s has no test data", folder);
    v = FAILED;
  }
  glia_onnx_close(j->model);
  return v;
}

static void print_case(const gi_json *c, verdict v, const char *why) {
  const gi_json *ops = gi_json_get(c, "ops");
  printf("%s %s", gi_json_str(gi_json_get(c, "name"), "?"), verdicts[v]);
  for (size_t i = 0; i < gi_json_count(ops); i++)
    printf(" %s", gi_json_str(gi_json_at(ops, i), "?"));
  printf(": %s\n", why);
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: onnx-suite LIST.json FOLDER BACKEND [--least SHARE] [--show]\n");
    return 2;
  }
  double least = 1;
  bool show = false;
  for (int i = 4; i < argc; i++) {
    if (strcmp(argv[i], "--show") == 0) show = true;
    if (strcmp(argv[i], "--least") == 0 && i + 1 < argc) least = atof(argv[++i]);
  }
  char *text = NULL;
  size_t n = 0;
  gi_json *list = NULL;
  if (gi_read_file(argv[1], (size_t)1 << 26, &text, &n) != GLIA_OK ||
      gi_json_parse(text, n, argv[1], &list) != GLIA_OK) {
    fprintf(stderr, "%s\n", glia_error_message());
    return 2;
  }
  static job j;
  int count[3] = {0};
  const gi_json *cases = gi_json_get(list, "cases");
  for (size_t i = 0; i < gi_json_count(cases); i++) {
    const gi_json *c = gi_json_at(cases, i);
    char folder[1024];
    snprintf(folder, sizeof folder, "%s/%s", argv[2], gi_json_str(gi_json_get(c, "name"), "?"));
    const verdict v = run_case(&j, folder, c, argv[3]);
    count[v]++;
    if (show || v != PASSED) print_case(c, v, j.why);
  }
  const int all = count[PASSED] + count[FAILED] + count[REFUSED];
  fprintf(stderr, "%s: %d passed, %d failed, %d refused of %d\n", argv[3], count[PASSED],
          count[FAILED], count[REFUSED], all);
  gi_json_free(list);
  gi_free(text);
  return all > 0 && count[PASSED] >= least * all ? 0 : 1;
}
