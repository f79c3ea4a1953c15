/* Networks as text: what parses is traced on a small picture; it may fail to fit, never crash.
 * There is no memory for large parameters: filling millions of them is slow, not wrong.
 */
#include "fuzz.h"

#include "glia/models.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const int64_t input[] = {1, 2, 9, 9};
  glia_net *net = NULL;
  glia_store *store = NULL;
  glia_summary summary;
  char *text = fuzz_copy(data, size);
  gi_alloc_fail_above((size_t)1 << 18);
  if (size < 2000 && memchr(text, '\0', size) == NULL &&
      glia_net_parse(text, "fuzz", &net) == GLIA_OK && glia_net_layers(net) < 12 &&
      glia_store_new(&store) == GLIA_OK &&
      glia_summarise(glia_net_apply, net, store, 0, 4, input, &summary) == GLIA_OK)
    glia_summary_clear(&summary);
  glia_store_free(store);
  glia_net_free(net);
  free(text);
  return 0;
}
