/* JSON text: whatever parses prints, and what was printed parses again. */
#include "base/json.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = fuzz_copy(data, size);
  gi_json *j = NULL, *again = NULL;
  if (gi_json_parse(text, size, "fuzz", &j) == GLIA_OK) {
    char *printed = gi_json_text(j, 0);
    if (printed == NULL || gi_json_parse(printed, strlen(printed), "fuzz", &again) != GLIA_OK)
      abort();
    gi_free(printed);
    gi_json_free(again);
    gi_json_free(j);
  }
  free(text);
  return 0;
}
