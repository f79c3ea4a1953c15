/* The cache of kernels' times: what is taken is written and read again. */
#include "fuzz.h"

#include "compile/times.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gi_times t = {.rows = {.n = 0}}, again = {.rows = {.n = 0}};
  char *text = fuzz_copy(data, size), *out = NULL;
  bool own = false;
  if (gi_times_parse(&t, text, size, "fuzz", &own) == GLIA_OK) {
    out = gi_times_text(&t);
    if (out == NULL || gi_times_parse(&again, out, strlen(out), "again", &own) != GLIA_OK ||
        !own || again.rows.n != t.rows.n)
      abort();
    for (size_t i = 0; i < t.rows.n; i++)
      if (gi_times_get(&again, t.rows.at[i].key) != t.rows.at[i].value) abort();
  }
  gi_free(out);
  gi_times_free(&t);
  gi_times_free(&again);
  free(text);
  return 0;
}
