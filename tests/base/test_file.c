/* Files: mapping, reading, and writing that leaves the old file or the new one, whatever comes
 * between: a full disk, no memory, a killed process, a second writer. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "test.h"

static char dir[600];

static int set_up(void **state) {
  (void)state;
  snprintf(dir, sizeof dir, "%s", test_dir("file"));
  return 0;
}

static char *in_dir(const char *name) {
  static char path[4][1200];
  static int i;
  i = (i + 1) % 4;
  snprintf(path[i], sizeof path[i], "%s/%s", dir, name);
  return path[i];
}

static void holds(const char *path, const char *want) {
  char *text = NULL;
  size_t n = 0;
  OK(gi_read_file(path, 1 << 20, &text, &n));
  assert_int_equal(n, strlen(want));
  assert_memory_equal(text, want, n + 1);
  gi_free(text);
}

/* Files in the folder, hidden ones too. */
static int entries(void) {
  char cmd[1300], line[16] = "";
  snprintf(cmd, sizeof cmd, "ls -A '%s' | wc -l", dir);
  FILE *f = popen(cmd, "r");
  assert_non_null(f);
  assert_non_null(fgets(line, sizeof line, f));
  pclose(f);
  return atoi(line);
}

static void writes_and_reads(void **state) {
  (void)state;
  const char *path = in_dir("a.txt");
  OK(gi_write_file(path, "one", 3));
  holds(path, "one");
  OK(gi_write_file(path, "two and more", 12));
  holds(path, "two and more");
  OK(gi_write_file(path, NULL, 0));
  holds(path, "");
  assert_int_equal(entries(), 1);
  char *text = NULL;
  size_t n = 0;
  OK(gi_write_file(path, "12345", 5));
  OK(gi_read_file(path, 5, &text, &n));
  gi_free(text);
  FAILS(gi_read_file(path, 4, &text, &n), GLIA_FORMAT, "larger than the 4 bytes");
  FAILS(gi_read_file(path, 0, &text, &n), GLIA_FORMAT, "larger than the 0 bytes");
  FAILS(gi_read_file(in_dir("none"), 4, &text, &n), GLIA_IO, "check the spelling");
  FAILS(gi_read_file(dir, 4, &text, &n), GLIA_IO, "directory");
}

static void reads_pipes(void **state) {
  (void)state;
  const char *path = in_dir("pipe");
  assert_int_equal(mkfifo(path, 0600), 0);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    const int fd = open(path, O_WRONLY);
    for (int i = 0; i < 3000; i++)
      if (write(fd, "0123456789", 10) != 10) _exit(1);
    _exit(0);
  }
  char *text = NULL;
  size_t n = 0;
  OK(gi_read_file(path, 1 << 20, &text, &n));
  assert_int_equal(n, 30000);
  assert_memory_equal(text + 29990, "0123456789", 11);
  gi_free(text);
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  gi_map m;
  FAILS(gi_map_open(&m, "/dev/null"), GLIA_IO, "not a plain file");
  assert_int_equal(unlink(path), 0);
}

static void maps(void **state) {
  (void)state;
  gi_map m;
  OK(gi_write_file(in_dir("m"), "mapped", 6));
  OK(gi_map_open(&m, in_dir("m")));
  assert_int_equal(m.n, 6);
  assert_memory_equal(m.p, "mapped", 6);
  gi_map_close(&m);
  gi_map_close(&m);
  OK(gi_write_file(in_dir("m"), "", 0));
  OK(gi_map_open(&m, in_dir("m")));
  assert_null(m.p);
  assert_int_equal(m.n, 0);
  gi_map_close(&m);
  FAILS(gi_map_open(&m, in_dir("none")), GLIA_IO, "none: cannot be read");
  assert_null(m.p);
}

static void failure_leaves_the_old_file(void **state) {
  (void)state;
  const char *path = in_dir("a.txt");
  OK(gi_write_file(path, "old", 3));
  const int before = entries();
  gi_writer w;
  OK(gi_writer_open(&w, path));
  OK(gi_writer_add(&w, "new", 3));
  holds(path, "old");
  gi_writer_abort(&w);
  holds(path, "old");
  assert_int_equal(entries(), before);
  FAILS(gi_writer_open(&w, in_dir("none/a")), GLIA_DISK, "the folder does not exist");
  FAILS(gi_writer_open(&w, dir), GLIA_DISK, "directory");
  FAILS(gi_writer_open(&w, in_dir("")), GLIA_DISK, "directory");
  FAILS(gi_write_file("", "x", 1), GLIA_DISK, "cannot be written");
  for (int n = 1;; n++) { /* each allocation fails once */
    gi_alloc_fail_after(n);
    const glia_status s = gi_write_file(path, "new", 3);
    gi_alloc_fail_after(0);
    assert_int_equal(entries(), before);
    if (s == GLIA_OK) break;
    assert_int_equal(s, GLIA_NOMEM);
    assert_true(n < 100);
  }
  holds(path, "new");
}

/* /dev/full is written to as it is, and is always full. */
static void full_device(void **state) {
  (void)state;
  FAILS(gi_write_file("/dev/full", "x", 1), GLIA_DISK, "free some space");
  struct stat st;
  assert_int_equal(stat("/dev/full", &st), 0);
  assert_true(S_ISCHR(st.st_mode)); /* and is still a device */
  OK(gi_write_file("/dev/null", "x", 1));
}

/* A limit on the size of files stands in for the disk: it stops the write half way through. */
static void disk_that_fills_up(void **state) {
  (void)state;
  const char *path = in_dir("a.txt");
  OK(gi_write_file(path, "old", 3));
  const int before = entries();
  static char big[20000];
  struct rlimit old, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small = old;
  small.rlim_cur = 8192;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  gi_writer w;
  glia_status opened = gi_writer_open(&w, path);
  glia_status first = gi_writer_add(&w, big, 4000), second = gi_writer_add(&w, big, 16000);
  char message[300];
  snprintf(message, sizeof message, "%s", glia_error_message());
  glia_status third = gi_writer_add(&w, big, 1), committed = gi_writer_commit(&w);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, SIG_DFL);
  assert_int_equal(opened, GLIA_OK);
  assert_int_equal(first, GLIA_OK);
  assert_int_equal(second, GLIA_DISK);
  assert_non_null(strstr(message, "a.txt: cannot be written"));
  assert_non_null(strstr(message, "use another disk"));
  assert_int_equal(third, GLIA_DISK);
  assert_int_equal(committed, GLIA_DISK);
  holds(path, "old");
  assert_int_equal(entries(), before);
}

/* The real thing, where the system lets the test mount a disk of 64 KiB for itself. */
static int on_tiny_disk(void) {
  static char big[100000];
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount("tmpfs", dir, "tmpfs", 0, "size=64k") != 0)
    return 77;
  if (gi_write_file(in_dir("f"), "old", 3) != GLIA_OK) return 1;
  if (gi_write_file(in_dir("f"), big, sizeof big) != GLIA_DISK) return 2;
  if (strstr(glia_error_message(), "No space left") == NULL) return 3;
  if (entries() != 1) return 4;
  char *text = NULL;
  size_t n = 0;
  if (gi_read_file(in_dir("f"), 100, &text, &n) != GLIA_OK || n != 3) return 5;
  gi_free(text);
  if (gi_write_file(in_dir("f"), "new", 3) != GLIA_OK) return 6;
  return 0;
}

static void disk_that_is_full(void **state) {
  (void)state;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(on_tiny_disk());
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77)
    print_message("a disk of its own was not allowed: only the limit on sizes was tried\n");
  else
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Killed half way: the old file is whole, and the next writer takes over what was left behind.
 */
static void killed_writer(void **state) {
  (void)state;
  const char *path = in_dir("k.txt");
  OK(gi_write_file(path, "old", 3));
  const int before = entries();
  for (int round = 0; round < 3; round++) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      gi_writer w;
      if (gi_writer_open(&w, path) != GLIA_OK) _exit(1);
      if (gi_writer_add(&w, "half of a very long text", 24) != GLIA_OK) _exit(2);
      raise(SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    holds(path, "old");
    assert_int_equal(entries(), before + 1); /* not one more each time */
  }
  OK(gi_write_file(path, "new", 3));
  holds(path, "new");
  assert_int_equal(entries(), before);
}

static void two_writers(void **state) {
  (void)state;
  const char *path = in_dir("two.txt");
  const int before = entries();
  gi_writer a, b;
  OK(gi_writer_open(&a, path));
  OK(gi_writer_open(&b, path));
  OK(gi_writer_add(&a, "aaa", 3));
  OK(gi_writer_add(&b, "bbbbb", 5));
  OK(gi_writer_add(&a, "AAA", 3));
  OK(gi_writer_commit(&b));
  holds(path, "bbbbb");
  OK(gi_writer_commit(&a));
  holds(path, "aaaAAA");
  assert_int_equal(entries(), before + 1);
}

static void permissions_are_kept(void **state) {
  (void)state;
  const char *path = in_dir("mode.txt");
  struct stat st;
  OK(gi_write_file(path, "a", 1));
  assert_int_equal(chmod(path, 0640), 0);
  OK(gi_write_file(path, "b", 1));
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0640);
}

static void folders(void **state) {
  (void)state;
  OK(gi_make_dirs(in_dir("x/y//z/")));
  OK(gi_make_dirs(in_dir("x/y/z")));
  assert_true(gi_is_dir(in_dir("x/y/z")));
  assert_true(gi_exists(in_dir("x")));
  assert_false(gi_exists(in_dir("nothing")));
  assert_false(gi_is_dir(in_dir("nothing")));
  const char *const made[] = {"b", "a", ".hidden", "\xc3\xa9", "B"};
  for (int i = 0; i < GI_COUNT(made); i++) {
    char name[64];
    snprintf(name, sizeof name, "x/%s", made[i]);
    OK(gi_write_file(in_dir(name), "", 0));
  }
  FAILS(gi_make_dirs(in_dir("x/a/b")), GLIA_DISK, "Not a directory");
  const char *const want[] = {"B", "a", "b", "y", "\xc3\xa9"};
  gi_names l = {0};
  OK(gi_list_dir(in_dir("x"), &l));
  assert_int_equal(l.n, GI_COUNT(want));
  for (size_t i = 0; i < l.n; i++) assert_string_equal(l.at[i], want[i]);
  gi_names_free(&l);
  for (int n = 1;; n++) {
    gi_alloc_fail_after(n);
    const glia_status s = gi_list_dir(in_dir("x"), &l);
    gi_alloc_fail_after(0);
    if (s == GLIA_OK) break;
    assert_int_equal(s, GLIA_NOMEM);
  }
  gi_names_free(&l);
  OK(gi_list_dir(in_dir("x/y/z"), &l));
  assert_int_equal(l.n, 0);
  gi_names_free(&l);
  FAILS(gi_list_dir(in_dir("nothing"), &l), GLIA_IO, "nothing: cannot be read");
}

static void paths(void **state) {
  (void)state;
  const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"},
                                  {"a", "/b", "/b"}, {"/", "b", "/b"},   {"a", "", "a/"}};
  for (int i = 0; i < GI_COUNT(cases); i++) {
    char *got = gi_path_join(cases[i][0], cases[i][1]);
    assert_string_equal(got, cases[i][2]);
    gi_free(got);
  }
  assert_string_equal(gi_path_name("a/b/c.txt"), "c.txt");
  assert_string_equal(gi_path_name("c.txt"), "c.txt");
  assert_string_equal(gi_path_name("a/"), "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(writes_and_reads),
      cmocka_unit_test(reads_pipes),
      cmocka_unit_test(maps),
      cmocka_unit_test(failure_leaves_the_old_file),
      cmocka_unit_test(full_device),
      cmocka_unit_test(disk_that_fills_up),
      cmocka_unit_test(disk_that_is_full),
      cmocka_unit_test(killed_writer),
      cmocka_unit_test(two_writers),
      cmocka_unit_test(permissions_are_kept),
      cmocka_unit_test(folders),
      cmocka_unit_test(paths),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
