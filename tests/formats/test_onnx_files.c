/* ONNX files on disk: data beside the model, and nowhere else; and the files of the conformance
 * suites, where they are. */
#include <sys/stat.h>

#include "base/json.h"
#include "onnx_words.h"

/* ---- external data ----------------------------------------------------------------------- */

static gi_str external(const char *location, const char *offset, const char *length) {
  const char *const pairs[] = {"location", location, "offset", offset, "length", length};
  gi_str t = tensor("w", GI_ONNX_FLOAT, DIMS(2));
  for (int i = 0; i < 6; i += 2) {
    gi_str entry = {0};
    if (pairs[i + 1] == NULL) continue;
    gi_wire_put_text(&entry, 1, pairs[i]);
    gi_wire_put_text(&entry, 2, pairs[i + 1]);
    gi_wire_put_message(&t, 13, &entry);
  }
  gi_wire_put_varint(&t, 14, 1);
  gi_str g = graph_with(&t);
  return model_of(&g);
}

static glia_status open_external(const char *dir, const char *location, const char *offset,
                                 const char *length, gi_onnx_model **out) {
  char path[700];
  gi_str m = external(location, offset, length);
  snprintf(path, sizeof path, "%s/model.onnx", dir);
  OK(gi_write_file(path, m.s, m.n));
  gi_str_free(&m);
  return gi_onnx_open(path, out);
}

static void external_data_lies_in_the_folder(void **state) {
  (void)state;
  char outside[600], dir[620], path[700];
  snprintf(outside, sizeof outside, "%s", test_dir("onnx_external"));
  snprintf(dir, sizeof dir, "%s/model", outside);
  snprintf(path, sizeof path, "%s/sub", dir);
  OK(gi_make_dirs(path));
  static const float v[] = {7, 1.5f, -2};
  snprintf(path, sizeof path, "%s/sub/data.bin", dir);
  OK(gi_write_file(path, v, sizeof v));
  snprintf(path, sizeof path, "%s/secret.bin", outside);
  OK(gi_write_file(path, v, sizeof v));
  snprintf(path, sizeof path, "%s/link.bin", dir);
  assert_int_equal(symlink("../secret.bin", path), 0);
  snprintf(path, sizeof path, "%s/inner.bin", dir);
  assert_int_equal(symlink("sub/data.bin", path), 0);
  snprintf(path, sizeof path, "%s/pipe", dir);
  assert_int_equal(mkfifo(path, 0600), 0);

  gi_onnx_model *m = NULL;
  glia_tensor *x = NULL;
  const char *const good[] = {"sub/data.bin", "inner.bin"};
  for (int i = 0; i < 2; i++) {
    OK(open_external(dir, good[i], "4", i == 0 ? "8" : NULL, &m));
    OK(gi_onnx_tensor_load(&m->graph.init[0], "w", &x));
    NEAR(glia_tensor_get(x, 1), -2, 0);
    glia_tensor_free(x);
    gi_onnx_close(m);
  }
  snprintf(path, sizeof path, "%s/secret.bin", outside);
  FAILS(open_external(dir, path, NULL, NULL, &m), GLIA_FORMAT, "outside the model's folder");
  FAILS(open_external(dir, "../secret.bin", NULL, NULL, &m), GLIA_FORMAT, "outside");
  FAILS(open_external(dir, "sub/../../secret.bin", NULL, NULL, &m), GLIA_FORMAT, "outside");
  FAILS(open_external(dir, "", NULL, NULL, &m), GLIA_FORMAT, "outside");
  FAILS(open_external(dir, "link.bin", NULL, NULL, &m), GLIA_FORMAT, "is a link out");
  FAILS(open_external(dir, "pipe", NULL, NULL, &m), GLIA_FORMAT, "no plain file");
  FAILS(open_external(dir, "sub", NULL, NULL, &m), GLIA_FORMAT, "no plain file");
  FAILS(open_external(dir, "nothing.bin", NULL, NULL, &m), GLIA_IO, "tensor \"w\"");
  FAILS(open_external(dir, NULL, NULL, NULL, &m), GLIA_FORMAT, "without a location");
  FAILS(open_external(dir, "inner.bin", "8", NULL, &m), GLIA_FORMAT, "which has 12");
  FAILS(open_external(dir, "inner.bin", "9223372036854775807", NULL, &m), GLIA_FORMAT,
        "has 12");
  FAILS(open_external(dir, "inner.bin", "-4", NULL, &m), GLIA_FORMAT, "offset");
  FAILS(open_external(dir, "inner.bin", "0", "12", &m), GLIA_FORMAT, "its shape wants 8");
  gi_str bytes = external("inner.bin", NULL, NULL);
  FAILS(open_bytes(&bytes, &m), GLIA_FORMAT, "no folder");
  gi_str_free(&bytes);
}

/* ---- the suites -------------------------------------------------------------------------- */

/* Unpacks an archive of the conformance suites; false, having said so, where there is none. */
static bool unpack(const char *archive, const char *dir) {
  char cmd[1500];
  const char *shared = test_shared();
  if (shared == NULL) return false;
  snprintf(cmd, sizeof cmd, "tar -xzf '%s/conformance/%s' -C '%s'", shared, archive, dir);
  assert_int_equal(system(cmd), 0);
  return true;
}

static bool promised(const char *why) {
  static const char *const others[] = {"operator", "opset", "matrix", "kernel_shape",
                                       "stride",   "perm",  "axis"};
  for (int i = 0; i < GI_COUNT(others); i++)
    if (strstr(why, others[i]) != NULL) return false; /* what the importer finds */
  return true;
}

static void files_are_judged_as_the_manifest_says(void **state) {
  (void)state;
  char dir[600], path[900], *text = NULL;
  size_t n = 0;
  int good = 0, bad = 0;
  gi_json *manifest = NULL;
  snprintf(dir, sizeof dir, "%s", test_dir("onnx_formats"));
  if (!unpack("formats/formats.tar.gz", dir)) return;
  snprintf(path, sizeof path, "%s/formats/manifest.json", dir);
  OK(gi_read_file(path, 1 << 24, &text, &n));
  OK(gi_json_parse(text, n, path, &manifest));
  for (size_t i = 0; i < gi_json_count(manifest); i++) {
    const gi_json *item = gi_json_at(manifest, i);
    if (strcmp(gi_json_str(gi_json_get(item, "format"), ""), "onnx") != 0) continue;
    gi_onnx_model *m = NULL;
    snprintf(path, sizeof path, "%s/formats/%s", dir,
             gi_json_str(gi_json_get(item, "file"), ""));
    const glia_status s = gi_onnx_open(path, &m);
    const bool judged = gi_json_type(gi_json_get(item, "ok")) == GI_JSON_BOOL;
    const bool ok = gi_json_bool(gi_json_get(item, "ok"), false);
    if (judged && ok && s != GLIA_OK) fail_msg("%s: %s", path, glia_error_message());
    const char *why = gi_json_str(gi_json_get(item, "why"), "");
    if (judged && !ok && promised(why) && s == GLIA_OK) fail_msg("%s: taken: %s", path, why);
    if (s != GLIA_OK && strstr(glia_error_message(), path) == NULL)
      fail_msg("%s is not named: %s", path, glia_error_message());
    good += s == GLIA_OK;
    bad += s != GLIA_OK;
    gi_onnx_close(m);
  }
  print_message("taken %d, refused %d\n", good, bad);
  assert_true(good >= 1 && bad >= 10);
  gi_json_free(manifest);
  gi_free(text);
}

/* Every model.onnx and every tensor beside it of an archive. */
static int open_all(const char *archive, const char *dir) {
  char path[900];
  gi_names cases, files;
  int count = 0;
  if (!unpack(archive, dir)) return -1;
  OK(gi_list_dir(dir, &cases));
  for (size_t i = 0; i < cases.n; i++) {
    gi_onnx_model *m = NULL;
    snprintf(path, sizeof path, "%s/%s/model.onnx", dir, cases.at[i]);
    OK(gi_onnx_open(path, &m));
    assert_true(m->graph.n_node > 0);
    gi_onnx_close(m);
    count++;
    snprintf(path, sizeof path, "%s/%s/test_data_set_0", dir, cases.at[i]);
    OK(gi_list_dir(path, &files));
    for (size_t k = 0; k < files.n; k++) {
      glia_tensor *t = NULL;
      int type = 0;
      snprintf(path, sizeof path, "%s/%s/test_data_set_0/%s", dir, cases.at[i], files.at[k]);
      OK(gi_onnx_tensor_read(path, &t, &type));
      glia_tensor_free(t);
    }
    gi_names_free(&files);
  }
  gi_names_free(&cases);
  return count;
}

static void models_of_the_suites_open(void **state) {
  (void)state;
  static const char *const archives[] = {"onnx-node/core.tar.gz", "onnx-models/mnist_8.tar.gz",
                                         "onnx-models/silero_vad_16k.tar.gz"};
  static const int at_least[] = {300, 1, 1};
  for (int i = 0; i < GI_COUNT(archives); i++) {
    char dir[600];
    snprintf(dir, sizeof dir, "%s", test_dir("onnx_suite"));
    const int count = open_all(archives[i], dir);
    if (count < 0) return; /* test_shared has said so */
    print_message("%s: opened %d\n", archives[i], count);
    assert_true(count >= at_least[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(external_data_lies_in_the_folder),
      cmocka_unit_test(files_are_judged_as_the_manifest_says),
      cmocka_unit_test(models_of_the_suites_open),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
