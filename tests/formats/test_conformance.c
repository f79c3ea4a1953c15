/* Files made by the formats' own software, good and bad, judged as their manifest says: each is
 * opened and written as .npz, as 'glia convert' does; what was written is compared with what
 * the makers wrote beside it (NAME.truth.npz). */
#include "base/json.h"
#include "formats/reader.h"
#include "test.h"

/* ---- the truth -------------------------------------------------------------------------- */

/* '|' stands for '/', which a member's name could not hold. */
static const char *name_in_file(const char *name) {
  static char text[512];
  snprintf(text, sizeof text, "%s", name);
  for (char *c = text; *c != '\0'; c++)
    if (*c == '|') *c = '/';
  return text;
}

static void same_shape(const char *name, const gi_array *got, const gi_array *want) {
  assert_true(gi_array_count(got) == gi_array_count(want));
  if (got->rank == 0) return; /* the truth has few scalars: some are [1] there */
  assert_int_equal(got->rank, want->rank);
  for (int i = 0; i < want->rank; i++)
    if (got->shape[i] != want->shape[i]) fail_msg("%s: axis %d differs", name, i);
}

static void same_tensor(const glia_file *got, const glia_file *want, int i) {
  const char *name = name_in_file(glia_file_name(want, i));
  const int k = glia_file_find(got, name);
  if (k < 0) fail_msg("\"%s\" is not found", name);
  assert_string_equal(glia_file_dtype(got, k), glia_file_dtype(want, i));
  same_shape(name, &got->entries.at[k].array, &want->entries.at[i].array);
  gi_elements a, b;
  OK(gi_file_elements(got, k, &a));
  OK(gi_file_elements(want, i, &b));
  assert_int_equal(a.bytes, b.bytes);
  if (a.bytes > 0 && memcmp(a.data, b.data, a.bytes) != 0)
    fail_msg("%s: the elements differ", name);
  gi_elements_clear(&a);
  gi_elements_clear(&b);
}

static void compare(const char *written, const char *truth) {
  glia_file *got = NULL, *want = NULL;
  OK(glia_file_open(written, &got));
  OK(glia_file_open(truth, &want));
  for (int i = 0; i < glia_file_count(want); i++) same_tensor(got, want, i);
  glia_file_close(got);
  glia_file_close(want);
}

/* ---- the manifest ------------------------------------------------------------------------ */

static glia_status convert(const char *path, const char *out) {
  glia_file *f = NULL;
  GI_TRY(glia_file_open(path, &f));
  const glia_status s = glia_file_write(f, out);
  glia_file_close(f);
  return s;
}

static void judge(const char *dir, const gi_json *item) {
  const char *file = gi_json_str(gi_json_get(item, "file"), "");
  const char *truth_file = gi_json_str(gi_json_get(item, "truth"), NULL);
  const gi_json *ok = gi_json_get(item, "ok");
  char *path = gi_path_join(dir, file), *out = gi_path_join(dir, "out.npz");
  const bool got = convert(path, out) == GLIA_OK;
  if (gi_json_type(ok) == GI_JSON_BOOL && got != gi_json_bool(ok, false))
    fail_msg("%s: should be %s (%s)", file, got ? "refused" : "read", glia_error_message());
  if (!got && strstr(glia_error_message(), path) == NULL)
    fail_msg("%s: the message does not name the file: %s", file, glia_error_message());
  if (!got && strchr(glia_error_message(), '\n') != NULL)
    fail_msg("%s: the message has more than one line: %s", file, glia_error_message());
  if (got && truth_file != NULL) {
    char *truth = gi_path_join(dir, truth_file);
    compare(out, truth);
    gi_free(truth);
  }
  gi_free(path);
  gi_free(out);
}

/* Formats whose row or library is not there in this build are not judged, and that is said. */
static bool is_judged(const char *format) {
#ifndef GI_HAS_HDF5
  if (strcmp(format, "h5") == 0) return false;
#endif
  return strcmp(format, "onnx") != 0 || gi_reader_by_name("model.onnx") != NULL;
}

static void files_are_judged_as_the_manifest_says(void **state) {
  (void)state;
  const char *shared = test_shared();
  if (shared == NULL) return;
  char dir[600], cmd[1500], path[700];
  snprintf(dir, sizeof dir, "%s/formats", test_dir("conformance"));
  snprintf(cmd, sizeof cmd,
           "mkdir -p '%s' && tar -xzf '%s/conformance/formats/formats.tar.gz' -C '%s/..'", dir,
           shared, dir);
  assert_int_equal(system(cmd), 0);
  snprintf(path, sizeof path, "%s/manifest.json", dir);
  char *text = NULL;
  size_t n = 0;
  gi_json *manifest = NULL;
  OK(gi_read_file(path, 1 << 24, &text, &n));
  OK(gi_json_parse(text, n, path, &manifest));
  int judged = 0, left = 0;
  for (size_t i = 0; i < gi_json_count(manifest); i++) {
    const gi_json *item = gi_json_at(manifest, i);
    const bool is = is_judged(gi_json_str(gi_json_get(item, "format"), ""));
    if (is) judge(dir, item);
    judged += is;
    left += !is;
  }
  print_message("judged: %d files\n", judged);
  if (left > 0) print_message("skipped: %d files of formats that this build lacks\n", left);
  assert_true(judged >= 80);
  gi_json_free(manifest);
  gi_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(files_are_judged_as_the_manifest_says)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
