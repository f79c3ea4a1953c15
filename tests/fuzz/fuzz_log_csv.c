/* log.csv: what was read is written, read again and written again to the same text. */
#include "fuzz.h"
#include "train/log_csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gi_log_csv *log = NULL, *again = NULL;
  char *text = fuzz_copy(data, size);
  if (gi_log_csv_parse(text, size, "fuzz", &log) == GLIA_OK) {
    gi_str first = {0}, second = {0};
    gi_log_csv_text(log, &first);
    if (gi_log_csv_parse(first.s, first.n, "fuzz", &again) != GLIA_OK) abort();
    gi_log_csv_text(again, &second);
    if (first.n != second.n || memcmp(first.s, second.s, first.n) != 0) abort();
    gi_str_free(&first);
    gi_str_free(&second);
    gi_log_csv_free(again);
    gi_log_csv_free(log);
  }
  free(text);
  return 0;
}
