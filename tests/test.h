/* tests/test.h - what every test includes: cmocka and a few helpers. */
#ifndef GI_TEST_H
#define GI_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"

/* The call must succeed; prints the message if not. */
#define OK(call)                                                                   \
  do {                                                                             \
    const glia_status ok_ = (call);                                                \
    if (ok_ != GLIA_OK)                                                            \
      fail_msg("%s: %s (%s)", #call, glia_status_text(ok_), glia_error_message()); \
  } while (0)

/* The call must fail with this status and a message that holds `text`. */
#define FAILS(call, want, text)                                                               \
  do {                                                                                        \
    const glia_status got_ = (call);                                                          \
    if (got_ != (want))                                                                       \
      fail_msg("%s: wanted %s, got %s (%s)", #call, glia_status_text(want),                   \
               glia_status_text(got_), glia_error_message());                                 \
    if (strstr(glia_error_message(), (text)) == NULL)                                         \
      fail_msg("%s: message \"%s\" does not hold \"%s\"", #call, glia_error_message(), text); \
  } while (0)

/* |a - b| <= tolerance, in double; not so for NaN. */
#define NEAR(a, b, tolerance)                                         \
  do {                                                                \
    const double near_a_ = (a), near_b_ = (b);                        \
    if (!(fabs(near_a_ - near_b_) <= (tolerance)))                    \
      fail_msg("%s is %.17g, %s is %.17g", #a, near_a_, #b, near_b_); \
  } while (0)

/* A fresh folder for this test, below the build folder; "name" keeps tests apart. Removed first
 * if it is there. Borrowed until the next call. */
static inline const char *test_dir(const char *name) {
  static char path[512];
  char cmd[1200];
  snprintf(path, sizeof path, "%s/scratch/%s", GI_TEST_BINARY, name);
  snprintf(cmd, sizeof cmd, "rm -rf '%s' && mkdir -p '%s'", path, path);
  if (system(cmd) != 0) fail_msg("cannot make %s", path);
  return path;
}

/* The folder of real data beside the project, or NULL, having said so. GLIA_SHARED names
 * another place. */
static inline const char *test_shared(void) {
  const char *dir = getenv("GLIA_SHARED");
  if (dir == NULL) dir = GI_TEST_SOURCE "/../shared";
  if (access(dir, R_OK) == 0) return dir;
  print_message("skipped: no shared data\n");
  return NULL;
}

#endif /* GI_TEST_H */
