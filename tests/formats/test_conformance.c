/* Files made by the formats' own software, good and bad, judged as their manifest says; values
 * compared with those that the makers wrote beside them (NAME.truth.npz). */
#include "base/json.h"
#include "formats/formats.h"
#include "test.h"

/* ---- the truth: a zip with stored members, as numpy.savez writes ------------------------- */

static uint64_t little(const unsigned char *p, size_t n) {
  uint64_t v = 0;
  for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
  return v;
}

/* Bytes of the member whose local header is at p; large files keep them in an extra field. */
static size_t member_bytes(const unsigned char *p) {
  const uint64_t size = little(p + 22, 4);
  if (size != 0xffffffffu) return (size_t)size;
  const unsigned char *extra = p + 30 + little(p + 26, 2);
  assert_int_equal(little(extra, 2), 1);
  return (size_t)little(extra + 4, 8);
}

/* Calls fn for every member ("NAME.npy" without the ending). */
static int each_truth(const char *path,
                      void (*fn)(const char *name, const glia_tensor *t, void *user),
                      void (*unread)(const char *name, void *user), void *user) {
  char *zip = NULL;
  size_t n = 0;
  int members = 0;
  OK(gi_read_file(path, 1 << 24, &zip, &n));
  const unsigned char *p = (const unsigned char *)zip;
  while (little(p, 4) == 0x04034b50) {
    char name[256] = "";
    const size_t name_bytes = (size_t)little(p + 26, 2), size = member_bytes(p);
    assert_int_equal(little(p + 8, 2), 0); /* stored */
    assert_in_range(name_bytes, 5, sizeof name - 1);
    memcpy(name, p + 30, name_bytes - 4);
    for (char *c = name; *c != '\0'; c++)
      if (*c == '|') *c = '/'; /* which a member's name cannot hold */
    p += 30 + name_bytes + little(p + 28, 2);
    glia_tensor *t = NULL;
    if (gi_npy_from_memory(p, size, name, &t) == GLIA_OK)
      fn(name, t, user);
    else
      unread(name, user);
    glia_tensor_free(t);
    members++;
    p += size;
  }
  gi_free(zip);
  return members;
}

static void same(const char *name, const glia_tensor *got, const glia_tensor *want) {
  const int64_t n = glia_tensor_count(want);
  assert_int_equal(glia_tensor_count(got), n);
  if (glia_tensor_rank(got) > 0) { /* the truth has no scalars: they are [1] there */
    assert_int_equal(glia_tensor_rank(got), glia_tensor_rank(want));
    for (int i = 0; i < glia_tensor_rank(want); i++)
      assert_int_equal(glia_tensor_shape(got)[i], glia_tensor_shape(want)[i]);
  }
  for (int64_t i = 0; i < n; i++)
    if (glia_tensor_get(got, i) != glia_tensor_get(want, i))
      fail_msg("%s: element %lld is %g, want %g", name, (long long)i, glia_tensor_get(got, i),
               glia_tensor_get(want, i));
}

/* ---- one file ---------------------------------------------------------------------------- */

static void compare_npy(const char *name, const glia_tensor *want, void *user) {
  same(name, user, want);
}

static void npy_must_be_read(const char *name, void *user) {
  (void)user;
  fail_msg("%s: the truth cannot be read: %s", name, glia_error_message());
}

static bool judge_npy(const char *path, const char *truth) {
  glia_tensor *t = NULL;
  if (glia_npy_read(path, &t) != GLIA_OK) return false;
  if (truth != NULL) assert_int_equal(each_truth(truth, compare_npy, npy_must_be_read, t), 1);
  glia_tensor_free(t);
  return true;
}

static bool held(const char *dtype) {
  const char *const words[] = {"F32", "F64", "BF16", "F16", "I32", "I64", "I8", "U8", "BOOL"};
  for (int i = 0; i < GI_COUNT(words); i++)
    if (strcmp(words[i], dtype) == 0) return true;
  return false;
}

static void cannot_be_read(const char *name, void *user) {
  const glia_safetensors *f = user;
  const int i = glia_safetensors_find(f, name);
  assert_true(i >= 0);
  assert_false(held(glia_safetensors_dtype(f, i)));
  glia_tensor *t = NULL;
  FAILS(glia_safetensors_read(f, i, &t), GLIA_DTYPE, glia_safetensors_dtype(f, i));
}

static void compare_safetensors(const char *name, const glia_tensor *want, void *user) {
  const glia_safetensors *f = user;
  const int i = glia_safetensors_find(f, name);
  if (i < 0) fail_msg("\"%s\" is not found", name);
  if (!held(glia_safetensors_dtype(f, i))) {
    cannot_be_read(name, user);
    return;
  }
  glia_tensor *t = NULL;
  OK(glia_safetensors_read(f, i, &t));
  same(name, t, want);
  glia_tensor_free(t);
}

static bool judge_safetensors(const char *path, const char *truth) {
  glia_safetensors *f = NULL;
  if (glia_safetensors_open(path, &f) != GLIA_OK) return false;
  const int n = glia_safetensors_count(f);
  for (int i = 0; i < n; i++) {
    glia_tensor *t = NULL;
    const glia_status s = glia_safetensors_read(f, i, &t);
    assert_int_equal(s, held(glia_safetensors_dtype(f, i)) ? GLIA_OK : GLIA_DTYPE);
    glia_tensor_free(t);
  }
  if (truth != NULL) /* a tensor without a name is not in the truth */
    assert_in_range(each_truth(truth, compare_safetensors, cannot_be_read, f),
                    n - (glia_safetensors_find(f, "") >= 0), n);
  glia_safetensors_close(f);
  return true;
}

/* ---- the manifest ------------------------------------------------------------------------ */

static void judge(const char *dir, const gi_json *item) {
  const char *format = gi_json_str(gi_json_get(item, "format"), "");
  const char *file = gi_json_str(gi_json_get(item, "file"), "");
  const char *truth_file = gi_json_str(gi_json_get(item, "truth"), NULL);
  const bool want = gi_json_bool(gi_json_get(item, "ok"), false);
  char *path = gi_path_join(dir, file);
  char *truth = truth_file == NULL ? NULL : gi_path_join(dir, truth_file);
  const bool got =
      strcmp(format, "npy") == 0 ? judge_npy(path, truth) : judge_safetensors(path, truth);
  if (got != want)
    fail_msg("%s: should be %s (%s)", file, want ? "read" : "refused", glia_error_message());
  if (!got && strstr(glia_error_message(), path) == NULL)
    fail_msg("%s: the message does not name the file: %s", file, glia_error_message());
  gi_free(path);
  gi_free(truth);
}

static void files_are_judged_as_the_manifest_says(void **state) {
  (void)state;
  const char *shared = test_shared();
  if (shared == NULL) return;
  char dir[600], cmd[1500], path[700];
  snprintf(dir, sizeof dir, "%s/formats", test_dir("conformance"));
  snprintf(cmd, sizeof cmd, "tar -xzf '%s/conformance/formats/formats.tar.gz' -C '%s/..'",
           shared, dir);
  snprintf(path, sizeof path, "mkdir -p '%s'", dir);
  assert_int_equal(system(path), 0);
  assert_int_equal(system(cmd), 0);
  snprintf(path, sizeof path, "%s/manifest.json", dir);
  char *text = NULL;
  size_t n = 0;
  gi_json *manifest = NULL;
  OK(gi_read_file(path, 1 << 24, &text, &n));
  OK(gi_json_parse(text, n, path, &manifest));
  int npy = 0, safetensors = 0;
  for (size_t i = 0; i < gi_json_count(manifest); i++) {
    const gi_json *item = gi_json_at(manifest, i);
    const char *format = gi_json_str(gi_json_get(item, "format"), "");
    npy += strcmp(format, "npy") == 0;
    safetensors += strcmp(format, "safetensors") == 0;
    if (strcmp(format, "npy") == 0 || strcmp(format, "safetensors") == 0) judge(dir, item);
  }
  print_message("judged: %d npy, %d safetensors\n", npy, safetensors);
  assert_true(npy >= 10 && safetensors >= 20);
  gi_json_free(manifest);
  gi_free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(files_are_judged_as_the_manifest_says)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
