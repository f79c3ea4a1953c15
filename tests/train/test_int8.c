/* Models in 8-bit whole numbers: on the bundled digits they classify as well as in f32, their
 * files are a third as large, and the plan does compute in 8 bits. And what a damaged file
 * says.
 */
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>

#include "glia/glia.h"

static const char net[] =
    "conv2d 8 3x3 relu\nbatch_norm\nmax_pool2d 2\nconv2d 16 3x3 relu\nmax_pool2d 2\n"
    "flatten\ndense 32 relu\ndense 10\n";

static char dir[600], data[640], run_dir[640], tests_dir[660], file[640];

/* Writes NAME.net and trains it on the digits; the run is in the folder. */
static void train(const char *name, const char *text, const char *folder, int epochs) {
  char net_file[700];
  glia_run *r = NULL;
  snprintf(net_file, sizeof net_file, "%s/%s.net", dir, name);
  OK(gi_write_file(net_file, text, strlen(text)));
  const glia_train_opts o = {.size = sizeof o,
                             .data = data,
                             .net = net_file,
                             .run = folder,
                             .epochs = epochs,
                             .lr = 0.01,
                             .seed = 1,
                             .threads = 1,
                             .tune = -1};
  OK(glia_run_new(&o, &r));
  OK(glia_run_fit(r, NULL, NULL));
  glia_run_free(r);
}

/* A run on the digits, trained once for all tests. */
static int train_once(void **state) {
  (void)state;
  glia_run *r = NULL;
  snprintf(dir, sizeof dir, "%s", test_dir("int8"));
  snprintf(data, sizeof data, "%s/digits", dir);
  snprintf(tests_dir, sizeof tests_dir, "%s/test", data);
  snprintf(run_dir, sizeof run_dir, "%s/run", dir);
  snprintf(file, sizeof file, "%s/int8.safetensors", dir);
  OK(glia_make_digits(
      data, &(glia_digits_opts){.size = sizeof(glia_digits_opts), .train = 1500, .test = 800}));
  train("small", net, run_dir, 3);
  OK(glia_run_open(run_dir, &r));
  OK(glia_run_export_int8(r, file, NULL));
  glia_run_free(r);
  return 0;
}

static double accuracy(const char *model) {
  glia_run *r = NULL;
  glia_result result = {0};
  double value = 0;
  OK(glia_run_open(model, &r));
  OK(glia_run_evaluate(r, tests_dir, &result));
  OK(glia_evaluation_value(result.evaluation, "accuracy", &value));
  glia_result_clear(&result);
  glia_run_free(r);
  return value;
}

static void test_as_accurate_as_f32(void **state) {
  (void)state;
  const double before = accuracy(run_dir), after = accuracy(file);
  print_message("accuracy %.4f in f32, %.4f in int8\n", before, after);
  assert_true(before > 0.85); /* else there would be nothing to lose */
  if (!(after > before - 0.005)) fail_msg("%.4f in f32, %.4f in int8", before, after);
}

static void test_computes_in_8_bits(void **state) {
  (void)state;
  glia_run *r = NULL;
  char *text = NULL;
  OK(glia_run_open(file, &r));
  OK(glia_learner_plan_text(glia_run_learner(r), 4, NULL, true, &text));
  int products = 0;
  for (const char *at = text; (at = strstr(at, "_int8")) != NULL; at++) products++;
  assert_int_equal(products, 4); /* two convolutions, two dense layers */
  free(text);
  glia_run_free(r);
}

static int64_t bytes_of(const char *path) {
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  return (int64_t)st.st_size;
}

static void test_files_are_smaller(void **state) {
  (void)state;
  char model[700];
  glia_safetensors *f = NULL;
  snprintf(model, sizeof model, "%s/model.safetensors", run_dir);
  assert_true(3 * bytes_of(file) < bytes_of(model));
  OK(glia_safetensors_open(file, &f));
  assert_string_equal(glia_safetensors_dtype(f, glia_safetensors_find(f, "conv2d_1.weight")),
                      "I8");
  assert_string_equal(
      glia_safetensors_dtype(f, glia_safetensors_find(f, "conv2d_1.weight.scale")), "F32");
  assert_true(glia_safetensors_find(f, "dense_2.input_scale") >= 0);
  glia_safetensors_close(f);
}

/* Every weight is within half a step of what it was. */
static void test_weights_are_near(void **state) {
  (void)state;
  glia_run *a = NULL, *b = NULL;
  OK(glia_run_open(run_dir, &a));
  OK(glia_run_open(file, &b));
  static const char *const names[] = {"conv2d_1.weight", "conv2d_2.weight", "dense_1.weight"};
  for (int i = 0; i < GI_COUNT(names); i++) {
    const glia_tensor *x = glia_store_get(glia_learner_store(glia_run_learner(a)), names[i]);
    const glia_tensor *y = glia_store_get(glia_learner_store(glia_run_learner(b)), names[i]);
    const int64_t rows = glia_tensor_shape(x)[0], n = glia_tensor_count(x) / rows;
    for (int64_t r = 0; r < rows; r++) {
      double most = 0;
      for (int64_t e = r * n; e < (r + 1) * n; e++)
        most = fmax(most, fabs(glia_tensor_get(x, e)));
      for (int64_t e = r * n; e < (r + 1) * n; e++)
        NEAR(glia_tensor_get(y, e), glia_tensor_get(x, e), 0.5001 * most / 127);
    }
  }
  glia_run_free(a);
  glia_run_free(b);
}

/* The file without one of its tensors or, with `value`, with that in it, a scalar. */
static void changed(const char *name, const double *value, const char *path) {
  glia_safetensors *f = NULL;
  glia_named_tensor list[64];
  glia_tensor *owned[64];
  int n = 0;
  OK(glia_safetensors_open(file, &f));
  for (int i = 0; i < glia_safetensors_count(f); i++) {
    const bool it = strcmp(glia_safetensors_name(f, i), name) == 0;
    if (it && value == NULL) continue;
    OK(glia_safetensors_read(f, i, &owned[n]));
    if (it) glia_tensor_set(owned[n], 0, *value);
    list[n] = (glia_named_tensor){glia_safetensors_name(f, i), owned[n]};
    n++;
  }
  const glia_metadata m = {"glia", glia_safetensors_metadata(f, "glia")};
  OK(glia_safetensors_write(path, list, n, &m, 1));
  for (int i = 0; i < n; i++) glia_tensor_free(owned[i]);
  glia_safetensors_close(f);
}

static double scalar_of(const char *path, const char *name) {
  glia_safetensors *f = NULL;
  glia_tensor *t = NULL;
  OK(glia_safetensors_open(path, &f));
  OK(glia_safetensors_read(f, glia_safetensors_find(f, name), &t));
  const double value = glia_tensor_get(t, 0);
  glia_tensor_free(t);
  glia_safetensors_close(f);
  return value;
}

static void test_damaged_files(void **state) {
  (void)state;
  char path[700];
  glia_run *r = NULL;
  snprintf(path, sizeof path, "%s/broken.safetensors", dir);
  changed("conv2d_2.weight.scale", NULL, path);
  FAILS(glia_run_open(path, &r), GLIA_MODEL,
        "has no tensor conv2d_2.weight.scale, which conv2d_2.weight wants");
  changed("conv2d_2.input_scale", NULL, path); /* that layer stays f32 */
  assert_true(accuracy(path) > 0.8);
  static const double wrong[] = {0, -1, INFINITY, NAN};
  for (int i = 0; i < GI_COUNT(wrong); i++) {
    changed("conv2d_2.input_scale", &wrong[i], path);
    FAILS(glia_run_open(path, &r), GLIA_MODEL, "conv2d_2.input_scale is no scale");
  }
}

/* A model in 8 bits is calibrated anew: scales may become smaller too. */
static void test_calibrated_anew(void **state) {
  (void)state;
  char wide[700], again[700];
  const double scale = scalar_of(file, "conv2d_2.input_scale"), much = 100 * scale;
  glia_run *r = NULL;
  snprintf(wide, sizeof wide, "%s/wide.safetensors", dir);
  snprintf(again, sizeof again, "%s/narrow.safetensors", dir);
  changed("conv2d_2.input_scale", &much, wide);
  OK(glia_run_open(wide, &r));
  OK(glia_run_export_int8(r, again, data));
  glia_run_free(r);
  NEAR(scalar_of(again, "conv2d_2.input_scale"), scale, 0.3 * scale);
}

static void test_too_few_samples(void **state) {
  (void)state;
  char few[700], path[700];
  glia_run *r = NULL;
  snprintf(few, sizeof few, "%s/few", dir);
  snprintf(path, sizeof path, "%s/none.safetensors", dir);
  OK(glia_make_digits(
      few, &(glia_digits_opts){.size = sizeof(glia_digits_opts), .train = 20, .test = 10}));
  OK(glia_run_open(run_dir, &r));
  FAILS(glia_run_export_int8(r, path, few), GLIA_DATA,
        "there are 20 samples to calibrate with, wanted 32 at least; hint: --calibrate");
  snprintf(few, sizeof few, "%s/nowhere", dir);
  FAILS(glia_run_export_int8(r, path, few), GLIA_IO, "int8: calibration");
  glia_run_free(r);
}

static void test_network_without_products(void **state) {
  (void)state;
  static const char text[] = "conv2d_transpose 10 3x3\nglobal_avg_pool2d\n";
  char own[700], path[700];
  glia_run *r = NULL;
  snprintf(own, sizeof own, "%s/without", dir);
  snprintf(path, sizeof path, "%s/none.safetensors", dir);
  train("none", text, own, 1);
  OK(glia_run_open(own, &r));
  FAILS(glia_run_export_int8(r, path, NULL), GLIA_MODEL,
        "has no convolution and no dense layer with weights of its own, wanted one at least");
  glia_run_free(r);
}

static void test_calibration_wants_data(void **state) {
  (void)state;
  char path[700];
  glia_run *r = NULL;
  snprintf(path, sizeof path, "%s/again.safetensors", dir);
  OK(glia_run_open(file, &r)); /* a file alone */
  FAILS(glia_run_export_int8(r, path, NULL), GLIA_INVALID,
        "a model file alone knows no data to calibrate with; hint: --calibrate");
  OK(glia_run_export_int8(r, path, tests_dir));
  glia_run_free(r);
  assert_true(accuracy(path) > accuracy(run_dir) - 0.01);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_accurate_as_f32),
      cmocka_unit_test(test_computes_in_8_bits),
      cmocka_unit_test(test_files_are_smaller),
      cmocka_unit_test(test_weights_are_near),
      cmocka_unit_test(test_damaged_files),
      cmocka_unit_test(test_calibration_wants_data),
      cmocka_unit_test(test_calibrated_anew),
      cmocka_unit_test(test_too_few_samples),
      cmocka_unit_test(test_network_without_products),
  };
  return cmocka_run_group_tests(tests, train_once, NULL);
}
