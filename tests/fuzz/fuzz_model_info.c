/* The metadata of a model file: what is taken is written and read again. */
#include "fuzz.h"

#include "train/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gi_arena arena = {0};
  gi_model_info info = {0}, again = {0};
  glia_history history = {0}, same = {0};
  int64_t steps = 0;
  char *text = fuzz_copy(data, size), *out = NULL;
  if (gi_info_parse(&arena, text, "fuzz", &info, &history, &steps) == GLIA_OK) {
    out = gi_info_text(&info, &history, steps, 0);
    if (out == NULL || gi_info_parse(&arena, out, "again", &again, &same, &steps) != GLIA_OK ||
        again.spec.classes != info.spec.classes || same.n != history.n)
      abort();
  }
  gi_free(out);
  gi_info_clear(&info);
  gi_info_clear(&again);
  glia_history_clear(&history);
  glia_history_clear(&same);
  gi_arena_free(&arena);
  free(text);
  return 0;
}
