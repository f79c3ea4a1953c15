/* example.h - what all examples do with bad news. A call that fails ends the program with the
 * library's message; so does a claim that the numbers do not bear out: the test suite runs
 * these programs and believes their exit status.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glia/glia.h>

/* Every call that can fail returns a glia_status; the message says where, what is, what was
 * wanted. The library never prints or exits by itself: that is up to the program. */
#define OK(call)                                                                  \
  do {                                                                            \
    const glia_status status_ = (call);                                           \
    if (status_ == GLIA_OK) break;                                                \
    fprintf(stderr, "%s: %s\n", glia_status_text(status_), glia_error_message()); \
    exit(glia_status_exit(status_));                                              \
  } while (0)

/* What the example sets out to show. */
#define CLAIM(condition)                                                                \
  do {                                                                                  \
    if (condition) break;                                                               \
    fprintf(stderr, "%s:%d: this does not hold: %s\n", __FILE__, __LINE__, #condition); \
    exit(1);                                                                            \
  } while (0)

#endif /* EXAMPLE_H */
