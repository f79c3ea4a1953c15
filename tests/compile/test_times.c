/* The cache of what was measured: its table, its file, and what becomes of files that are
 * spoilt, of another machine, too large, or written by several processes at once.
 */
#include "test.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "compile/times.h"
#include "ops/attrs.h"

static gi_times none(void) { return (gi_times){.rows = {.n = 0}}; }

static void test_table(void **state) {
  (void)state;
  gi_times t = none();
  assert_true(gi_times_get(NULL, "a") == 0);
  OK(gi_times_add(&t, "a", 2));
  OK(gi_times_add(&t, "b", 1e-9));
  OK(gi_times_add(&t, "a", 3)); /* the first stays */
  assert_true(gi_times_get(&t, "a") == 2);
  OK(gi_times_put(&t, "a", 4)); /* unless it is put there */
  assert_true(gi_times_get(&t, "a") == 4);
  assert_true(gi_times_get(&t, "c") == 0);
  static const double senseless[] = {0, -1, NAN, INFINITY};
  for (int i = 0; i < GI_COUNT(senseless); i++) OK(gi_times_add(&t, "c", senseless[i]));
  char key[GI_TIMES_KEY + 2];
  memset(key, 'k', sizeof key - 1);
  key[sizeof key - 1] = '\0';
  OK(gi_times_add(&t, key, 1));
  OK(gi_times_add(&t, "", 1));
  assert_int_equal(t.rows.n, 2);
  gi_times_free(&t);
}

static void test_text_and_back(void **state) {
  (void)state;
  gi_times t = none(), again = none();
  bool own = false;
  OK(gi_times_add(&t, "conv (f32 [1, 2]) \"relu\"; cpu", 0.1));
  OK(gi_times_add(&t, "x", 1.0 / 3));
  char *text = gi_times_text(&t);
  assert_non_null(text);
  OK(gi_times_parse(&again, text, strlen(text), "text", &own));
  assert_true(own);
  assert_int_equal(again.rows.n, 2);
  assert_true(gi_times_get(&again, "conv (f32 [1, 2]) \"relu\"; cpu") == 0.1);
  assert_true(gi_times_get(&again, "x") == 1.0 / 3);
  gi_free(text);
  gi_times_free(&t);
  gi_times_free(&again);
}

static const char *file_in(const char *name) {
  static char path[600];
  snprintf(path, sizeof path, "%s/sub/folder/kernels.json", test_dir(name));
  return path;
}

static size_t rows_of(const char *path) {
  gi_times t = none();
  OK(gi_times_load(&t, path));
  const size_t n = t.rows.n;
  gi_times_free(&t);
  return n;
}

static void test_spoilt_files_hold_nothing(void **state) {
  (void)state;
  const char *path = file_in("times_spoilt");
  gi_times t = none();
  assert_int_equal(rows_of(path), 0); /* there is none */
  for (int i = 0; i < 40; i++) {
    char key[32];
    snprintf(key, sizeof key, "kernel %d", i);
    OK(gi_times_add(&t, key, 1e-3 * (i + 1)));
  }
  OK(gi_times_save(&t, path));
  assert_int_equal(rows_of(path), 40);
  char *text = NULL;
  size_t n = 0;
  OK(gi_read_file(path, 1 << 20, &text, &n));
  for (size_t cut = 0; cut < n; cut += 7) { /* cut off */
    OK(gi_write_file(path, text, cut));
    assert_int_equal(rows_of(path), 0);
  }
  const gi_rng r = {9, 0, 0};
  for (uint64_t i = 0; i < 300;
       i++) { /* bytes that are others now: no crash, few rows at most */
    char *bad = gi_strdup(text);
    bad[gi_rng_below(&r, 2 * i, n)] = (char)gi_rng_below(&r, 2 * i + 1, 256);
    OK(gi_write_file(path, bad, n));
    assert_true(rows_of(path) <= 40);
    gi_free(bad);
  }
  /* Written anew over what is spoilt, with the rows that are at hand. */
  OK(gi_write_file(path, "{", 1));
  for (size_t i = 0; i < t.rows.n; i++) t.rows.at[i].fresh = true;
  OK(gi_times_save(&t, path));
  assert_int_equal(rows_of(path), 40);
  gi_free(text);
  gi_times_free(&t);
}

static void test_files_of_others_hold_nothing(void **state) {
  (void)state;
  static const char *const what[] = {"\"version\": \"", "\"processor\": \"", "\"kernels\": \""};
  const char *path = file_in("times_others");
  gi_times t = none();
  OK(gi_times_add(&t, "a", 1));
  char *text = gi_times_text(&t);
  for (int i = 0; i < GI_COUNT(what); i++) {
    char *other = gi_strdup(text), *at = strstr(other, what[i]);
    assert_non_null(at);
    at[strlen(what[i])] ^= 1;
    char folder[600];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    OK(gi_make_dirs(folder));
    OK(gi_write_file(path, other, strlen(other)));
    assert_int_equal(rows_of(path), 0);
    gi_free(other);
  }
  gi_free(text);
  gi_times_free(&t);
}

static void test_the_oldest_rows_go(void **state) {
  (void)state;
  const char *path = file_in("times_many");
  gi_times t = none();
  char key[32];
  for (int i = 0; i < GI_TIMES_MAX + 10; i++) {
    snprintf(key, sizeof key, "kernel %d", i);
    OK(gi_times_add(&t, key, 1));
  }
  OK(gi_times_save(&t, path));
  gi_times_free(&t);
  t = none();
  OK(gi_times_load(&t, path));
  assert_int_equal(t.rows.n, GI_TIMES_MAX);
  assert_true(gi_times_get(&t, "kernel 9") == 0);
  assert_true(gi_times_get(&t, "kernel 10") == 1);
  gi_times_free(&t);
}

/* Each process adds rows of its own; all go well, and the file is whole whenever it is read. */
static void test_processes_at_once(void **state) {
  (void)state;
  enum { PROCESSES = 4, ROWS = 25 };
  const char *path = file_in("times_at_once");
  pid_t pid[PROCESSES];
  for (int p = 0; p < PROCESSES; p++) {
    pid[p] = fork();
    assert_true(pid[p] >= 0);
    if (pid[p] != 0) continue;
    gi_times t = none();
    char key[32];
    bool good = true;
    for (int i = 0; i < ROWS && good; i++) {
      gi_times seen = none();
      snprintf(key, sizeof key, "process %d row %d", p, i);
      good = gi_times_add(&t, key, 1) == GLIA_OK && gi_times_save(&t, path) == GLIA_OK &&
             gi_times_load(&seen, path) == GLIA_OK && seen.rows.n > 0;
      gi_times_free(&seen);
    }
    _exit(good ? 0 : 1);
  }
  for (int p = 0; p < PROCESSES; p++) {
    int status = 0;
    assert_int_equal(waitpid(pid[p], &status, 0), pid[p]);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  assert_true(rows_of(path) > 0 && rows_of(path) <= PROCESSES * ROWS);
}

static void test_no_room_is_a_status(void **state) {
  (void)state;
  const char *dir = test_dir("times_closed");
  char path[600];
  gi_times t = none();
  OK(gi_times_add(&t, "a", 1));
  snprintf(path, sizeof path, "%s/file/kernels.json", dir);
  char file[600];
  snprintf(file, sizeof file, "%s/file", dir);
  OK(gi_write_file(file, "x", 1)); /* a file where the folder should be */
  assert_true(gi_times_save(&t, path) != GLIA_OK);
  assert_int_equal(rows_of(path), 0);
  gi_times_free(&t);
}

static void expect_path(const char *want) {
  char *path = gi_times_path();
  if (want == NULL)
    assert_null(path);
  else
    assert_string_equal(path, want);
  gi_free(path);
}

static void test_path(void **state) {
  (void)state;
  setenv("GLIA_CACHE", "/some/folder", 1);
  expect_path("/some/folder/kernels.json");
  setenv("GLIA_CACHE", "", 1);
  expect_path(NULL);
  unsetenv("GLIA_CACHE");
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  setenv("HOME", "/houses/someone", 1);
  expect_path("/xdg/glia/kernels.json");
  setenv("XDG_CACHE_HOME", "not/absolute", 1);
  expect_path("/houses/someone/.cache/glia/kernels.json");
  unsetenv("XDG_CACHE_HOME");
  unsetenv("HOME");
  expect_path(NULL);
}

/* A plan keeps what it was made by, not the whole cache. */
static void test_keep_asked(void **state) {
  (void)state;
  gi_times t = none();
  OK(gi_times_add(&t, "one", 1));
  OK(gi_times_add(&t, "two", 2));
  OK(gi_times_put(&t, "three", 3));
  assert_true(gi_times_get(&t, "two") == 2 && gi_times_get(&t, "four") == 0);
  gi_times_keep_asked(&t);
  assert_int_equal(t.rows.n, 1);
  assert_true(gi_times_get(&t, "two") == 2 && gi_times_get(&t, "one") == 0);
  gi_times_keep_asked(&t);
  assert_int_equal(t.rows.n, 1);
  gi_times_free(&t);
}

static void test_limits(void **state) {
  (void)state;
  const gi_backend *b = NULL;
  gi_times t = none();
  OK(gi_backend_find(NULL, &b));
  const gi_limits assumed = gi_times_limits(NULL, b, 2, NULL), own = {3e10, 4e9, 5e9, 6e9, 0};
  assert_true(assumed.flops > 0 && assumed.bytes > 0);
  bool measured = true;
  assert_true(gi_times_limits(&t, b, 2, &measured).flops == assumed.flops);
  assert_false(measured);
  OK(gi_times_put_limits(&t, b, 2, &own));
  assert_true(gi_times_limits(&t, b, 2, &measured).flops == 3e10);
  assert_true(measured);
  const gi_limits kept = gi_times_limits(&t, b, 2, NULL);
  assert_true(kept.bytes == 4e9 && kept.read == 5e9 && kept.copy == 6e9);
  assert_true(kept.start == 0); /* what was not measured is not kept */
  assert_true(gi_times_limits(&t, b, 1, NULL).flops == gi_times_limits(NULL, b, 1, NULL).flops);
  gi_times_free(&t);
}

/* The key says all that the time depends on. */
static void test_keys(void **state) {
  (void)state;
  const gi_kernel k = {.name = "kernel"};
  const gi_type types[3] = {{.dtype = GLIA_F32, .rank = 4, .dim = {1, 2, 3, 4}},
                            {.dtype = GLIA_F32, .rank = 4, .dim = {5, 2, 3, 3}},
                            {.dtype = GLIA_F32, .rank = 4, .dim = {1, 5, 1, 2}}};
  const gi_layout plain[3] = {GI_PLAIN}, last[3] = {GI_CHANNELS_LAST, GI_PLAIN, GI_PLAIN};
  const void *const known[2] = {NULL, types};
  const gi_conv_attr a = {.stride = {2, {1, 1}}, .groups = 1, .activation = ""};
  gi_problem p = {.op = gi_op_find("conv2d"),
                  .attr = &a,
                  .n_in = 2,
                  .n_out = 1,
                  .in = types,
                  .out = types + 2,
                  .in_layout = plain,
                  .out_layout = plain + 2,
                  .threads = 1};
  gi_str keys[4] = {{0}};
  gi_time_key(&k, &p, "here", &keys[0]);
  p.in_layout = last;
  gi_time_key(&k, &p, "here", &keys[1]);
  p.known = known;
  gi_time_key(&k, &p, "here", &keys[2]);
  gi_time_key(&k, &p, "there", &keys[3]);
  assert_non_null(strstr(keys[0].s,
                         "kernel conv2d(f32 [1, 2, 3, 4], f32 [5, 2, 3, 3]) f32 "
                         "[1, 5, 1, 2] stride=[1, 1]"));
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < i; j++) assert_string_not_equal(keys[i].s, keys[j].s);
  for (int i = 0; i < 4; i++) gi_str_free(&keys[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_text_and_back),
      cmocka_unit_test(test_spoilt_files_hold_nothing),
      cmocka_unit_test(test_files_of_others_hold_nothing),
      cmocka_unit_test(test_the_oldest_rows_go),
      cmocka_unit_test(test_processes_at_once),
      cmocka_unit_test(test_no_room_is_a_status),
      cmocka_unit_test(test_path),
      cmocka_unit_test(test_keep_asked),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_keys),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
