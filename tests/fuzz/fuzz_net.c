/* Networks as text: what parses is traced on a small picture; it may fail to fit, never crash.
 * Numbers of four digits are left to the parser: filling millions of parameters is slow, not
 * wrong.
 */
#include <ctype.h>

#include "fuzz.h"

#include "glia/models.h"

static bool small(const char *text) {
  int digits = 0;
  for (; *text != '\0' && digits < 4; text++)
    digits = isdigit((unsigned char)*text) ? digits + 1 : 0;
  return digits < 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const int64_t input[] = {1, 2, 9, 9};
  glia_net *net = NULL;
  glia_store *store = NULL;
  glia_summary summary;
  char *text = fuzz_copy(data, size);
  if (size < 2000 && memchr(text, '\0', size) == NULL &&
      glia_net_parse(text, "fuzz", &net) == GLIA_OK && glia_net_layers(net) < 12 &&
      small(text) && glia_store_new(&store) == GLIA_OK &&
      glia_summarise(glia_net_apply, net, store, 0, 4, input, &summary) == GLIA_OK)
    glia_summary_clear(&summary);
  glia_store_free(store);
  glia_net_free(net);
  free(text);
  return 0;
}
