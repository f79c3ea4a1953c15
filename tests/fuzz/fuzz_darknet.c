/* Darknet: two bytes say how long the network's text is, then the text, then the weights. */
#include "formats/darknet.h"
#include "fuzz_file.h"

static glia_status open_both(glia_file *f) {
  if (f->n < 2) return gi_fail(GLIA_FORMAT, "%s: too short", f->what);
  const size_t rest = f->n - 2, text = GI_MIN((size_t)f->p[0] << 8 | f->p[1], rest);
  return gi_darknet_add(f, (const char *)f->p + 2, text, f->p + 2 + text, rest - text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const gi_reader both = {
      .name = "both", .title = "text and weights", .open = open_both};
  fuzz_file(&both, data, size);
  return 0;
}
