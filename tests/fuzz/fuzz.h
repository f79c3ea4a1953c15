/* tests/fuzz/fuzz.h - what every fuzz target includes. A target feeds bytes to one parser of
 * the library; any status is a right answer, reading out of bounds, leaking or hanging is not.
 *
 * fuzz_<name>.c starts from the files in corpus/<name>/. `./dev fuzz` runs it under libFuzzer;
 * in the suite the corpus and thousands of damaged copies of it are replayed (replay.c).
 */
#ifndef GI_FUZZ_H
#define GI_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes with a NUL behind them; free(). Overruns of a copy of exact size are caught. */
static inline char *fuzz_copy(const uint8_t *data, size_t size) {
  char *copy = malloc(size + 1);
  if (copy == NULL) abort();
  if (size > 0) memcpy(copy, data, size);
  copy[size] = '\0';
  return copy;
}

#endif /* GI_FUZZ_H */
