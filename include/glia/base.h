/* glia/base.h - what every other header stands on: versions, errors, the log.
 *
 * Conventions, true for every function of the library:
 *  - Calls that can fail return glia_status; outputs come last, as pointers, and are written
 *    only on GLIA_OK. The library never exits, aborts or prints.
 *  - X_new makes, X_free(NULL) is a no-op. Ownership is said in four words only: owned (yours,
 *    free it), borrowed (until ...), copied, kept (until ...). Strings and arrays passed in are
 *    copied unless said otherwise.
 *  - Option structs: zero-initialise, set what you need; zero is the documented default. The
 *    macros that take named arguments fill in `size`, so that structs may grow.
 *  - Shapes are row-major, outermost first: [N, C, H, W] reads batch, channel, row, column.
 *    Axes may be negative (-1 is the last).
 *  - Objects are not locked. Distinct objects may be used from distinct threads, const objects
 *    may be shared. Exceptions say so.
 */
#ifndef GLIA_BASE_H
#define GLIA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "glia/export.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GLIA_VERSION_MAJOR 0
#define GLIA_VERSION_MINOR 1
#define GLIA_VERSION_PATCH 0

/* "0.1.0": the version of the library that runs, not of the header. Borrowed for ever. */
GLIA_API const char *glia_version(void);

/* ---- errors ---------------------------------------------------------------------------- */

/* name, code, exit status of the glia program, text */
#define GLIA_STATUS_MAP(X)                                                 \
  X(OK, 0, 0, "success")                                                   \
  X(INVALID, -1, 2, "invalid argument")                                    \
  X(SHAPE, -2, 4, "shapes do not fit")                                     \
  X(DTYPE, -3, 4, "data type not supported")                               \
  X(NOMEM, -4, 6, "out of memory")                                         \
  X(IO, -5, 3, "a file cannot be read")                                    \
  X(DISK, -6, 6, "a file cannot be written")                               \
  X(FORMAT, -7, 3, "malformed file")                                       \
  X(DATA, -8, 3, "data does not fit the task")                             \
  X(MODEL, -9, 4, "model does not fit")                                    \
  X(UNSUPPORTED, -10, 4, "not supported by this op, data type or backend") \
  X(DEVICE, -11, 6, "device failure")                                      \
  X(DIVERGED, -12, 5, "training diverged")                                 \
  X(CANCELLED, -13, 130, "stopped on request")

typedef enum glia_status {
#define GLIA_X(name, code, exit_status, text) GLIA_##name = code,
  GLIA_STATUS_MAP(GLIA_X)
#undef GLIA_X
} glia_status;

/* Fixed text of a code; never NULL, also for codes of newer libraries. */
GLIA_API const char *glia_status_text(glia_status s);

/* What the glia program exits with for this status: 0 done, 2 usage, 3 data, 4 model or shapes,
 * 5 diverged, 6 memory or disk, 130 interrupted. */
GLIA_API int glia_status_exit(glia_status s);

/* What went wrong last on this thread, with names and numbers in it, e.g.
 * "fc1: expects 512 inputs, got 784 from flatten([64, 1, 28, 28])".
 * Borrowed until the next failing call on this thread. Never NULL. */
GLIA_API const char *glia_error_message(void);

/* ---- the log ---------------------------------------------------------------------------- */

typedef enum glia_log_level { GLIA_LOG_DEBUG, GLIA_LOG_INFO, GLIA_LOG_WARN } glia_log_level;

/* Sets who is told what the library has to say (skipped files, kernels chosen...). `line` ends
 * without a newline and is borrowed for the call; calls may come from any thread, one at a
 * time. fn NULL (the default) is silence. `user` is kept until the next glia_log_to. */
GLIA_API void glia_log_to(void (*fn)(glia_log_level level, const char *line, void *user),
                          void *user);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_BASE_H */
