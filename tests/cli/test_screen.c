/* What commands draw: tables, bars, numbers, and the progress bar on a real (pseudo) terminal.
 */
#include "test.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "cli/plot.h"
#include "cli/progress.h"
#include "cli/table.h"

static void table(void **state) {
  (void)state;
  gi_table t;
  gi_str out = {0};
  gi_table_begin(&t, "<layer|count|<note");
  gi_table_cell(&t, "conv1");
  gi_table_cell(&t, "%d", 320);
  gi_table_cell(&t, "\u00e9");
  gi_table_print(&t, &out);
  gi_table_cell(&t, "a long name");
  gi_table_cell(&t, "7");
  gi_table_cell(&t, "x");
  gi_table_cell(&t, "of an unfinished row");
  gi_table_print(&t, &out);
  assert_string_equal(out.s,
                      "layer  count  note\n"
                      "conv1    320  \u00e9\n"
                      "a long name      7  x\n");
  gi_table_free(&t);
  gi_str_free(&out);
}

static void table_without_memory(void **state) {
  (void)state;
  gi_table t;
  gi_str out = {0};
  gi_table_begin(&t, "a");
  gi_alloc_fail_after(1);
  gi_table_cell(&t, "1");
  gi_table_print(&t, &out);
  gi_alloc_fail_after(0);
  assert_true(out.failed);
  gi_table_free(&t);
  gi_str_free(&out);
}

static void bar(void **state) {
  (void)state;
  gi_str out = {0};
  setenv("LC_ALL", "C", 1);
  gi_table_bar(&out, 0.5, 4);
  gi_table_bar(&out, 7, 2);
  gi_table_bar(&out, -1, 2);
  gi_table_bar(&out, (double)NAN, 1);
  assert_string_equal(out.s, "##  ##   ");
  gi_str_free(&out);
  setenv("LC_ALL", "C.UTF-8", 1);
  gi_table_bar(&out, 0.3125, 4);
  assert_string_equal(out.s, "\u2588\u258e  ");
  gi_str_free(&out);
}

static void curves(void **state) {
  (void)state;
  const double fall[] = {4, 2, 0}, flat[] = {1, (double)NAN, 1};
  gi_str out = {0};
  gi_plot_curves(&out,
                 (const gi_curve[]){{.name = "a", .mark = '*', .y = fall, .n = 3},
                                    {.name = "b", .mark = 'o', .y = flat, .n = 3}},
                 2, "epoch", 9, 5);
  assert_string_equal(out.s,
                      "4 |*\n"
                      "  | **\n"
                      "  |   **\n"
                      "  |o    ** o\n" /* b is known at its ends only */
                      "0 |       **\n"
                      "  +---------\n"
                      "   1       3  epoch     * a  o b\n");
  gi_str_free(&out);
}

static void numbers(void **state) {
  (void)state;
  assert_string_equal(gi_table_count(0), "0");
  assert_string_equal(gi_table_count(999), "999");
  assert_string_equal(gi_table_count(1000), "1,000");
  assert_string_equal(gi_table_count(-123456), "-123,456");
  assert_string_equal(gi_table_count(INT64_MIN), "-9,223,372,036,854,775,808");
  assert_string_equal(gi_table_bytes(0), "0 B");
  assert_string_equal(gi_table_bytes(1536), "1.50 KiB");
  assert_string_equal(gi_table_bytes(300.0 * 1024 * 1024), "300 MiB");
  assert_string_equal(gi_table_scaled(12.34e9), "12.3 G");
}

/* ---- the progress bar -------------------------------------------------------------------- */

/* Draws in a child whose stderr is a terminal of `columns`, or a pipe for 0; what came is in
 * `got`. */
static void drawn(int columns, void (*fn)(void), char *got, size_t room) {
  int from = -1;
  pid_t child;
  if (columns > 0) {
    const struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
    child = forkpty(&from, NULL, NULL, &size);
    if (child < 0) {
      print_message("skipped: this system gives no pseudo terminals\n");
      skip();
    }
  } else {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    from = ends[0];
  }
  assert_true(child >= 0);
  if (child == 0) {
    fn();
    _exit(0);
  }
  size_t n = 0;
  ssize_t more;
  while (n + 1 < room && (more = read(from, got + n, room - 1 - n)) > 0) n += (size_t)more;
  got[n] = '\0';
  close(from);
  int status = 0;
  waitpid(child, &status, 0);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void go(void) {
  const gi_cli loud = {.quiet = false};
  setenv("LC_ALL", "C", 1);
  gi_progress_begin(&loud, "epoch 1/2", "samples", 1000, 1000);
  for (int i = 0; i <= 50; i++) {
    gi_progress_set(i * 10, "loss %.2f", 1.5);
    usleep(5000);
  }
  gi_progress_line("a note");
  gi_progress_end();
}

static int count(const char *text, const char *what) {
  int n = 0;
  for (; (text = strstr(text, what)) != NULL; text++) n++;
  return n;
}

static void bar_on_terminal(void **state) {
  (void)state;
  char got[8192];
  setenv("TERM", "xterm", 1);
  setenv("NO_COLOR", "1", 1);
  drawn(100, go, got, sizeof got);
  assert_non_null(strstr(got, "epoch 1/2 =="));
  assert_non_null(strstr(got, "loss 1.50"));
  assert_non_null(strstr(got, " samples/s  0:0"));
  assert_null(strstr(got, "\033[32m")); /* NO_COLOR */
  /* At most ten drawings a second: over about 0.3 s, and once more behind the note. */
  assert_in_range(count(got, "epoch 1/2"), 2, 8);
  assert_non_null(strstr(got, "\r\033[Ka note\r\n")); /* the bar made way for it */
  unsetenv("NO_COLOR");
  drawn(100, go, got, sizeof got);
  assert_non_null(strstr(got, "\033[32m"));
}

/* On any width, no line is as wide as the terminal. */
static void bar_on_narrow_terminal(void **state) {
  (void)state;
  char got[8192];
  setenv("NO_COLOR", "1", 1);
  drawn(30, go, got, sizeof got);
  for (char *part = strtok(got, "\r\n"); part != NULL; part = strtok(NULL, "\r\n")) {
    if (strncmp(part, "\033[K", 3) == 0) part += 3;
    if (strlen(part) >= 30) fail_msg("as wide as the terminal: '%s'", part);
  }
  unsetenv("NO_COLOR");
}

static void plain_without_terminal(void **state) {
  (void)state;
  char got[8192];
  drawn(0, go, got, sizeof got);
  assert_string_equal(got, "a note\n"); /* a plain line comes every ten seconds only */
}

static void go_quietly(void) {
  const gi_cli quiet = {.quiet = true};
  gi_progress_begin(&quiet, "epoch", "samples", 10, 0);
  usleep(150000);
  gi_progress_set(5, "loss");
  gi_progress_end();
  gi_cli_note(&quiet, "unheard");
}

static void nothing_when_quiet(void **state) {
  (void)state;
  char got[8192];
  drawn(80, go_quietly, got, sizeof got);
  assert_string_equal(got, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table),
      cmocka_unit_test(table_without_memory),
      cmocka_unit_test(bar),
      cmocka_unit_test(curves),
      cmocka_unit_test(numbers),
      cmocka_unit_test(bar_on_terminal),
      cmocka_unit_test(bar_on_narrow_terminal),
      cmocka_unit_test(plain_without_terminal),
      cmocka_unit_test(nothing_when_quiet),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
