/* A run killed at any moment and resumed ends in the same bits as one that was not.
 *
 * Child processes train; the parent kills them (SIGKILL) after random times, again and again,
 * until one gets through. Parameters and history are then compared with those of an undisturbed
 * run.
 *
 * Kernels are chosen by their times, which are never twice the same: every other process finds
 * other times in the cache, and would choose other kernels, were it not for the run's own list.
 * The undisturbed run is given that list before it starts.
 */
#include "test.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "compile/times.h"
#include "glia/glia.h"

enum { SIDE = 12, TRAIN = 400, EPOCHS = 6, ROUNDS = 12 };

static const char net[] =
    "conv2d 8 3x3 relu\nconv2d 8 3x3 relu same\nbatch_norm\nmax_pool2d 2\ndropout "
    "0.2\nflatten\ndense 16 relu\n"
    "dropout 0.3\ndense 4\n";

/* ---- data: four kinds of bright quadrants, as idx files ---------------------------------- */

static void put_u32(FILE *f, uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) fputc((int)(v >> shift & 255), f);
}

static void write_idx(const char *dir, const char *name, bool images, int n) {
  char path[700];
  const gi_rng r = {7, 1, 0};
  snprintf(path, sizeof path, "%s/%s", dir, name);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  put_u32(f, images ? 2051 : 2049);
  put_u32(f, (uint32_t)n);
  if (images) put_u32(f, SIDE), put_u32(f, SIDE);
  for (int i = 0; i < n; i++) {
    if (!images) fputc(i % 4, f);
    for (int p = 0; images && p < SIDE * SIDE; p++) {
      const int quadrant = p / SIDE / (SIDE / 2) * 2 + p % SIDE / (SIDE / 2);
      const uint64_t at = (uint64_t)i * SIDE * SIDE + (uint64_t)p;
      fputc((int)gi_rng_below(&r, at, quadrant == i % 4 ? 200 : 120), f);
    }
  }
  assert_int_equal(fclose(f), 0);
}

static void write_data(const char *dir) {
  write_idx(dir, "train-images-idx3-ubyte", true, TRAIN);
  write_idx(dir, "train-labels-idx1-ubyte", false, TRAIN);
}

/* ---- children ---------------------------------------------------------------------------- */

static int train(const char *data, const char *net_file, const char *dir, bool resume) {
  glia_run *r = NULL;
  const glia_train_opts o = {.size = sizeof o,
                             .data = data,
                             .net = net_file,
                             .run = dir,
                             .epochs = EPOCHS,
                             .batch = 32,
                             .seed = 3,
                             .patience = 4,
                             .optimizer = "adam ema=0.9 lookahead=5",
                             .schedule = "one_cycle cycle_momentum",
                             .workers = 2,
                             .threads = 2};
  glia_status s = resume ? glia_run_resume(dir, &r) : glia_run_new(&o, &r);
  if (s == GLIA_OK) s = glia_run_fit(r, NULL, NULL);
  if (s != GLIA_OK) fprintf(stderr, "train: %s\n", glia_error_message());
  glia_run_free(r);
  return s == GLIA_OK ? 0 : 1;
}

static void sleep_seconds(double s) {
  const struct timespec t = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
  nanosleep(&t, NULL);
}

/* The cache number 0 or 1, below dir. */
static void use_cache(const char *dir, int number) {
  char path[700];
  snprintf(path, sizeof path, "%s/cache%d", dir, number);
  setenv("GLIA_CACHE", path, 1);
}

/* Two caches from what cache 0 holds: in each another kernel of the convolutions is slow. */
static void rig_caches(const char *dir) {
  static const char *const slow[] = {"conv_onednn ", "conv_direct "};
  gi_times measured = {.rows = {.n = 0}};
  use_cache(dir, 0);
  char *path = gi_times_path();
  OK(gi_times_load(&measured, path));
  gi_free(path);
  int rigged = 0;
  for (int i = 0; i < 2; i++) {
    use_cache(dir, i);
    path = gi_times_path();
    for (size_t r = 0; r < measured.rows.n; r++) {
      gi_times_row *row = &measured.rows.at[r];
      const bool other = strncmp(row->key, slow[i], strlen(slow[i])) == 0;
      row->fresh = row->instead = true;
      row->value = other ? 1 : 1e-6;
      rigged += other;
    }
    OK(gi_times_save(&measured, path));
    gi_free(path);
  }
  print_message("%d times of convolutions\n", rigged);
  gi_times_free(&measured);
}

/* Trains in a child, killed after `seconds` (0: never). True if it got through. */
static bool child(const char *data, const char *net_file, const char *dir, bool resume,
                  double seconds) {
  const pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) _exit(train(data, net_file, dir, resume));
  if (seconds > 0) {
    sleep_seconds(seconds);
    kill(pid, SIGKILL);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  if (WIFEXITED(status)) assert_int_equal(WEXITSTATUS(status), 0);
  return WIFEXITED(status);
}

static void copy_file(const char *from, const char *to, const char *name) {
  char path[720], *text = NULL;
  size_t n = 0;
  snprintf(path, sizeof path, "%s/%s", from, name);
  OK(gi_read_file(path, 1 << 20, &text, &n));
  snprintf(path, sizeof path, "%s/%s", to, name);
  OK(gi_write_file(path, text, n));
  gi_free(text);
}

/* ---- comparing --------------------------------------------------------------------------- */

static void same_tensors(const char *a, const char *b, const char *name) {
  char pa[700], pb[700];
  glia_safetensors *x = NULL, *y = NULL;
  snprintf(pa, sizeof pa, "%s/%s", a, name);
  snprintf(pb, sizeof pb, "%s/%s", b, name);
  OK(glia_safetensors_open(pa, &x));
  OK(glia_safetensors_open(pb, &y));
  assert_int_equal(glia_safetensors_count(x), glia_safetensors_count(y));
  for (int i = 0; i < glia_safetensors_count(x); i++) {
    glia_tensor *s = NULL, *t = NULL;
    assert_string_equal(glia_safetensors_name(x, i), glia_safetensors_name(y, i));
    OK(glia_safetensors_read(x, i, &s));
    OK(glia_safetensors_read(y, i, &t));
    assert_int_equal(glia_tensor_bytes(s), glia_tensor_bytes(t));
    if (memcmp(glia_tensor_data(s), glia_tensor_data(t), glia_tensor_bytes(s)) != 0)
      fail_msg("%s: %s differs from the undisturbed run", name, glia_safetensors_name(x, i));
    glia_tensor_free(s);
    glia_tensor_free(t);
  }
  glia_safetensors_close(x);
  glia_safetensors_close(y);
}

static void same_history(const char *a, const char *b) {
  glia_run *x = NULL, *y = NULL;
  OK(glia_run_open(a, &x));
  OK(glia_run_open(b, &y));
  const glia_history *h = glia_run_history(x), *k = glia_run_history(y);
  assert_int_equal(h->n, k->n);
  assert_int_equal(h->best, k->best);
  for (int64_t i = 0; i < h->n; i++) {
    NEAR(h->rows[i].train_loss, k->rows[i].train_loss, 0);
    NEAR(h->rows[i].valid_loss, k->rows[i].valid_loss, 0);
    NEAR(h->rows[i].metric, k->rows[i].metric, 0);
  }
  glia_run_free(x);
  glia_run_free(y);
}

static void test_killed_and_resumed(void **state) {
  (void)state;
  char dir[600], data[620], file[620], first[620], second[620], whole[620], broken[620],
      settings[700];
  snprintf(dir, sizeof dir, "%s", test_dir("resume"));
  snprintf(data, sizeof data, "%s/data", dir);
  snprintf(file, sizeof file, "%s/small.net", dir);
  snprintf(first, sizeof first, "%s/first", dir);
  snprintf(second, sizeof second, "%s/second", dir);
  snprintf(whole, sizeof whole, "%s/whole", dir);
  snprintf(broken, sizeof broken, "%s/broken", dir);
  snprintf(settings, sizeof settings, "%s/run.json", broken);
  OK(gi_make_dirs(data));
  write_data(data);
  OK(gi_write_file(file, net, strlen(net)));

  use_cache(dir, 0);
  assert_true(child(data, file, first, false, 0)); /* measures kernels */
  rig_caches(dir);
  const double began = gi_now();
  assert_true(child(data, file, second, false, 0));
  const double length = gi_now() - began;

  const gi_rng r = {(uint64_t)getpid(), 0, 0}; /* other moments at each run of the test */
  int kills = 0;
  bool done = false;
  for (int round = 0; round < ROUNDS && !done; round++) {
    const double after = length * (0.02 + 0.5 * gi_rng_uniform(&r, (uint64_t)round));
    use_cache(dir, round % 2);
    done = child(data, file, broken, gi_exists(settings), after);
    kills += !done;
  }
  if (!done) assert_true(child(data, file, broken, gi_exists(settings), 0));
  print_message("killed %d times\n", kills);

  OK(gi_make_dirs(whole));
  copy_file(broken, whole, "kernels.json");
  assert_true(child(data, file, whole, false, 0));
  same_tensors(whole, broken, "model.safetensors");
  same_tensors(whole, broken, "checkpoint.safetensors");
  same_history(whole, broken);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed_and_resumed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
