/* base/apart.c - work in a process of its own; see apart.h.
 *
 * Two pipes lead back: one for the bytes of the work, one for its report, a status and a
 * message, which is written last and is short enough to wait in its pipe until it is read.
 */
#include "base/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE = 2000, PIECE = 1 << 16 };

typedef struct report {
  int32_t status;
  char message[MESSAGE];
} report;

/* ---- the child -------------------------------------------------------------------------- */

static void limit_child(unsigned seconds) {
  const struct rlimit time = {seconds, seconds}, none = {0, 0};
  (void)setrlimit(RLIMIT_CPU, &time);
  (void)setrlimit(RLIMIT_CORE, &none);
  static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGPIPE};
  for (int i = 0; i < GI_COUNT(signals); i++) (void)signal(signals[i], SIG_DFL);
}

static void run_child(glia_status (*work)(int fd, void *user), void *user, unsigned seconds,
                      int data, int back) {
  report r = {0};
  limit_child(seconds);
  r.status = (int32_t)work(data, user);
  if (r.status != GLIA_OK) snprintf(r.message, sizeof r.message, "%s", glia_error_message());
  const bool fine = write(back, &r, sizeof r) == (ssize_t)sizeof r;
  _exit(fine ? 0 : 1);
}

/* ---- the parent ------------------------------------------------------------------------- */

/* One piece; *ended at the end of the pipe. */
static glia_status read_piece(int fd, gi_str *to, bool *ended) {
  char piece[PIECE];
  ssize_t got;
  do {
    got = read(fd, piece, sizeof piece);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return gi_fail(GLIA_IO, "a pipe cannot be read: error %d", errno);
  *ended = got == 0;
  gi_str_add(to, piece, (size_t)got);
  return to->failed ? gi_fail_nomem(to->n) : GLIA_OK;
}

static glia_status read_all(int fd, size_t limit, gi_str *to) {
  bool ended = false;
  while (!ended) {
    GI_TRY(read_piece(fd, to, &ended));
    if (to->n > limit)
      return gi_fail(GLIA_FORMAT,
                     "more than %zu bytes come of it, which it is not trusted with", limit);
  }
  return GLIA_OK;
}

/* How the child ended, if it has not said so itself. */
static glia_status read_report(int fd, pid_t child) {
  report r = {0};
  int how = 0;
  ssize_t got;
  do {
    got = read(fd, &r, sizeof r);
  } while (got < 0 && errno == EINTR);
  while (waitpid(child, &how, 0) < 0 && errno == EINTR) continue;
  if (got == (ssize_t)sizeof r && r.status == GLIA_OK) return GLIA_OK;
  r.message[MESSAGE - 1] = '\0';
  if (got == (ssize_t)sizeof r) return gi_fail((glia_status)r.status, "%s", r.message);
  if (WIFSIGNALED(how) && (WTERMSIG(how) == SIGXCPU || WTERMSIG(how) == SIGKILL))
    return gi_fail(GLIA_FORMAT, "what reads it finds no end; is the file damaged?");
  return gi_fail(GLIA_FORMAT, "what reads it crashes; is the file damaged?");
}

static glia_status watch_child(pid_t child, const int data[2], const int back[2], size_t limit,
                               gi_str *to) {
  (void)close(data[1]);
  (void)close(back[1]);
  const glia_status read = read_all(data[0], limit, to);
  if (read != GLIA_OK) (void)kill(child, SIGKILL);
  char *message = read != GLIA_OK ? gi_strdup(glia_error_message()) : NULL;
  const glia_status s = read_report(back[0], child);
  (void)close(data[0]);
  (void)close(back[0]);
  if (read == GLIA_OK) return s;
  (void)gi_fail(read, "%s", message != NULL ? message : "its bytes cannot be kept");
  gi_free(message);
  return read;
}

static glia_status no_process(void) {
  return gi_fail(GLIA_NOMEM, "no process can be started for it: error %d", errno);
}

glia_status gi_apart(glia_status (*work)(int fd, void *user), void *user, unsigned seconds,
                     size_t limit, char **out, size_t *n) {
  int data[2], back[2];
  gi_str bytes = {0};
  if (pipe2(data, O_CLOEXEC) != 0) return no_process();
  if (pipe2(back, O_CLOEXEC) != 0) {
    (void)close(data[0]), (void)close(data[1]);
    return no_process();
  }
  const pid_t child = fork();
  if (child == 0) {
    (void)close(data[0]), (void)close(back[0]);
    run_child(work, user, seconds, data[1], back[1]);
  }
  if (child < 0) {
    (void)close(data[0]), (void)close(data[1]), (void)close(back[0]), (void)close(back[1]);
    return no_process();
  }
  glia_status s = watch_child(child, data, back, limit, &bytes);
  const size_t length = bytes.n;
  char *text = s == GLIA_OK ? gi_str_take(&bytes) : NULL;
  gi_str_free(&bytes);
  if (s == GLIA_OK && text == NULL && length > 0) s = gi_fail_nomem(length);
  GI_TRY(s);
  *out = text;
  *n = length;
  return GLIA_OK;
}
