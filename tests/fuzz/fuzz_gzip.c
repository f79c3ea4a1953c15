/* Files that may be gzip: read at once or in pieces, the bytes are the same, and so is the
 * verdict. */
#include "data/dataset.h"
#include "fuzz.h"

enum { LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gi_stream s;
  char *text = NULL;
  size_t n = 0, at = 0, got;
  if (gi_stream_open_bytes(&s, data, size, "fuzz") != GLIA_OK) abort();
  const size_t most = gi_stream_most(&s);
  const glia_status whole = gi_stream_all(&s, LIMIT, &text, &n);
  gi_stream_close(&s);
  if (whole == GLIA_OK && n > most) abort();
  if (gi_stream_open_bytes(&s, data, size, "fuzz") != GLIA_OK) abort();
  unsigned char piece[37];
  glia_status status;
  do {
    status = gi_stream_read(&s, piece, sizeof piece, &got);
    if (status != GLIA_OK) break;
    if (whole == GLIA_OK && (at + got > n || memcmp(text + at, piece, got) != 0)) abort();
    at += got;
  } while (got == sizeof piece && at < LIMIT);
  if (whole == GLIA_OK && (status != GLIA_OK || (at != n && at < LIMIT))) abort();
  gi_stream_close(&s);
  gi_free(text);
  return 0;
}
