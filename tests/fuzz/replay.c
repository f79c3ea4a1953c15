/* Runs a fuzz target without libFuzzer: replay CORPUS_FOLDER. Every file of the corpus as it
 * is, then damaged in ways that follow from a seed: cut short, single bytes changed, runs of
 * bytes overwritten with extremes, halves swapped. Build it with sanitizers to see the most.
 */
#include <stdio.h>

#include "fuzz.h"

enum { DAMAGES = 400 };

static void damage(const uint8_t *data, size_t size, uint64_t i) {
  const gi_rng r = {.seed = 1, .stream = gi_hash(data, size, 0), .step = i};
  uint8_t *copy = malloc(size + 1); /* exactly the bytes, so that overruns are caught */
  if (copy == NULL) abort();
  memcpy(copy, data, size);
  size_t n = size;
  const uint64_t span = GI_MAX(GI_MIN(size, (size_t)UINT32_MAX), 1);
  const uint64_t kind = gi_rng_below(&r, 0, 4), at = gi_rng_below(&r, 1, span);
  if (kind == 0) n = at; /* cut short */
  for (uint64_t k = 0; kind == 1 && k <= i % 8 && size > 0; k++)
    copy[gi_rng_below(&r, 2 + 2 * k, span)] = (uint8_t)gi_rng_below(&r, 3 + 2 * k, 256);
  if (kind == 2) memset(copy + at, i % 2 ? 0xff : 0, GI_MIN(size - at, (size_t)(i % 9)));
  if (kind == 3 && size > 0) memmove(copy, copy + at, size - at);
  uint8_t *exact = malloc(n > 0 ? n : 1);
  if (exact == NULL) abort();
  memcpy(exact, copy, n);
  LLVMFuzzerTestOneInput(exact, n);
  free(exact);
  free(copy);
}

int main(int argc, char **argv) {
  gi_names names;
  if (argc != 2 || gi_list_dir(argv[1], &names) != GLIA_OK || names.n == 0) {
    fprintf(stderr, "usage: replay CORPUS_FOLDER: %s\n",
            argc == 2 ? glia_error_message() : "one folder");
    return 2;
  }
  LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
  for (size_t i = 0; i < names.n; i++) {
    char *path = gi_path_join(argv[1], names.at[i]), *data = NULL;
    size_t size = 0;
    if (path == NULL || gi_read_file(path, (size_t)1 << 24, &data, &size) != GLIA_OK) {
      fprintf(stderr, "%s\n", glia_error_message());
      return 1;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)data, size);
    for (uint64_t k = 0; k < DAMAGES; k++) damage((const uint8_t *)data, size, k);
    gi_free(data);
    gi_free(path);
  }
  printf("replayed %zu files and %zu damaged copies\n", names.n, names.n * DAMAGES);
  gi_names_free(&names);
  return 0;
}
