/* Names of unknown origin in reports and terminals: whatever the bytes, markup is escaped UTF-8
 * without control characters, and text cut for a terminal takes the columns it was given. */
#include "fuzz.h"
#include "train/utf8.h"

static void check_clean(const char *s) {
  if (!gi_is_utf8(s)) abort();
  for (; *s != '\0'; s++)
    if ((unsigned char)*s < 0x20 || *s == 0x7f) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = fuzz_copy(data, size);
  gi_str out = {0};
  gi_markup(&out, text);
  if (out.s != NULL) {
    check_clean(out.s);
    if (strpbrk(out.s, "<>\"'") != NULL) abort();
  }
  gi_str_free(&out);
  const int columns = size > 0 ? data[0] % 40 : 0;
  for (int pad = -1; pad <= 1; pad++) {
    gi_utf8_fit(&out, text, columns, pad);
    const int got = out.s != NULL ? gi_utf8_columns(out.s) : 0;
    if (got > columns || (pad != 0 && got != columns)) abort();
    if (out.s != NULL) check_clean(out.s);
    gi_str_free(&out);
  }
  free(text);
  return 0;
}
