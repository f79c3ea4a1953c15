/* base/status.c - statuses, this thread's message, and the log.
 *
 * The message lives in thread-local storage, so that failing needs no memory: running out of it
 * is reported like anything else.
 */
#include <errno.h>
#include <pthread.h>

#include "base/base.h"

#define TEXT(x)          #x
#define VERSION(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

enum { MESSAGE_BYTES = 2048 };

static _Thread_local char message[MESSAGE_BYTES];

const char *glia_version(void) {
  return VERSION(GLIA_VERSION_MAJOR, GLIA_VERSION_MINOR, GLIA_VERSION_PATCH);
}

const char *glia_status_text(glia_status s) {
  switch (s) {
#define GLIA_X(name, code, exit_status, text) \
  case GLIA_##name: return text;
    GLIA_STATUS_MAP(GLIA_X)
#undef GLIA_X
  }
  return "unknown status";
}

int glia_status_exit(glia_status s) {
  switch (s) {
#define GLIA_X(name, code, exit_status, text) \
  case GLIA_##name: return exit_status;
    GLIA_STATUS_MAP(GLIA_X)
#undef GLIA_X
  }
  return 4; /* a code of a newer library: some failure of the model's side */
}

const char *glia_error_message(void) { return message; }

/* Messages quote names from files: a terminal must not take orders from those, and all of a
 * message is UTF-8. */
static void store_message(const char *text) {
  size_t n = 0;
  while (text[n] != '\0' && n + 1 < MESSAGE_BYTES) {
    const unsigned char c = (unsigned char)text[n];
    const size_t bytes = gi_utf8_length(text + n);
    const bool shown = bytes > 0 && (c >= 0x20 || c == '\n' || c == '\t') && c != 0x7f;
    if (shown && n + bytes >= MESSAGE_BYTES) break;
    for (size_t k = 0; k < GI_MAX(bytes, 1); k++, n++) message[n] = shown ? text[n] : '?';
  }
  message[n] = '\0';
}

/* Formatted aside first, because the arguments may hold the old message. */
glia_status(gi_fail)(glia_status s, const char *fmt, ...) {
  char text[MESSAGE_BYTES];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  store_message(text);
  return s;
}

glia_status(gi_where)(glia_status s, const char *fmt, ...) {
  if (s == GLIA_OK) return s;
  char
      text[2 * MESSAGE_BYTES + 2]; /* both parts and ": "; what is too much is cut at the end */
  va_list args;
  va_start(args, fmt);
  const int n = vsnprintf(text, MESSAGE_BYTES, fmt, args);
  va_end(args);
  const size_t used = n < 0 ? 0 : GI_MIN((size_t)n, MESSAGE_BYTES - 1);
  snprintf(text + used, sizeof text - used, ": %s", message);
  store_message(text);
  return s;
}

glia_status(gi_fail_nomem)(size_t bytes) {
  return gi_fail(GLIA_NOMEM,
                 "out of memory: %zu more bytes were wanted; "
                 "hint: a smaller batch or model, or fewer workers",
                 bytes);
}

glia_status(gi_fail_read)(const char *path, int err) {
  if (err == ENOMEM) return gi_fail(GLIA_NOMEM, "%s: out of memory while reading it", path);
  const char *hint = "";
  if (err == ENOENT) hint = "; hint: check the spelling of the path";
  if (err == EACCES) hint = "; hint: check the permissions of the file and its folders";
  if (err == EMFILE || err == ENFILE)
    hint = "; hint: raise the limit of open files (ulimit -n)";
  return gi_fail(GLIA_IO, "%s: cannot be read: %s%s", path, strerror(err), hint);
}

glia_status(gi_fail_write)(const char *path, int err) {
  const char *hint = "";
  switch (err) {
    case ENOSPC: hint = "; hint: free some space or write to another disk"; break;
    case EDQUOT: hint = "; hint: your quota is used up: free some space"; break;
    case EFBIG:
      hint = "; hint: raise the limit of file sizes (ulimit -f) or use another disk";
      break;
    case ENOENT: hint = "; hint: the folder does not exist"; break;
    case EACCES:
    case EPERM: hint = "; hint: check the permissions of the folder"; break;
    case EROFS: hint = "; hint: the disk is read-only: write elsewhere"; break;
    default: break;
  }
  return gi_fail(GLIA_DISK, "%s: cannot be written: %s%s", path, strerror(err), hint);
}

/* ---- the log --------------------------------------------------------------------------- */

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*log_line)(glia_log_level level, const char *line, void *user);
static void *log_user;
/* The receiver may call the library; what that logs is dropped rather than waiting for itself.
 */
static _Thread_local bool in_log;

void glia_log_to(void (*fn)(glia_log_level level, const char *line, void *user), void *user) {
  if (in_log) return;
  pthread_mutex_lock(&log_lock);
  log_line = fn;
  log_user = user;
  pthread_mutex_unlock(&log_lock);
}

void gi_log(glia_log_level level, const char *fmt, ...) {
  if (in_log) return;
  pthread_mutex_lock(&log_lock);
  if (log_line != NULL) {
    char line[MESSAGE_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    in_log = true;
    log_line(level, line, log_user);
    in_log = false;
  }
  pthread_mutex_unlock(&log_lock);
}
