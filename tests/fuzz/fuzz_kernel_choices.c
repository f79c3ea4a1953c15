/* The list of kernels that a run computes with: one that is taken is written as it was read. */
#include "fuzz.h"

#include "compile/offers.h"

enum { NODES = 16 };

/* Two convolutions and a sum: for each several kernels offer, in several layouts. Made once and
 * kept; what is fuzzed only reads it. */
static const gi_offers *network(void) {
  static gi_offers offers;
  static bool live[NODES];
  gi_target target = {.threads = 1};
  glia_graph *g = NULL;
  if (offers.g != NULL) return &offers;
  if (gi_backend_find(NULL, &target.backend) != GLIA_OK || glia_graph_new(&g) != GLIA_OK)
    abort();
  target.limits = target.backend->limits(1);
  const glia_value x = glia_input(g, "x", GLIA_F32, 4, (int64_t[]){1, 8, 16, 16});
  const glia_value w = glia_input(g, "w", GLIA_F32, 4, (int64_t[]){8, 8, 1, 1});
  const glia_value y = glia_conv2d_with(x, w, GLIA_NONE, NULL);
  glia_output("y", glia_add(y, glia_conv2d_with(y, w, GLIA_NONE, NULL)));
  memset(live, true, sizeof live);
  if (glia_graph_status(g) != GLIA_OK || g->nodes.n > NODES) abort();
  if (gi_offers_list(g, &target, live, &offers) != GLIA_OK) abort();
  return &offers;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const gi_offers *offers = network();
  char *text = fuzz_copy(data, size);
  gi_str again = {0};
  int pick[NODES] = {0};
  if (gi_choices_parse(offers, text, pick)) {
    gi_choices_print(offers, pick, &again);
    if (again.failed || strcmp(again.s, text) != 0) abort();
  }
  gi_str_free(&again);
  free(text);
  return 0;
}
