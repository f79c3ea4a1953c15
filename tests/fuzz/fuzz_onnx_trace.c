/* ONNX models as graphs: every operator is built from whatever attributes, shapes and constants
 * a file has, and what follows from constants is computed. Inputs are zeros, axes that are open
 * two long. Nothing is run after that, and memory is bounded: a file that asks for more than it
 * may is refused, not served.
 */
#include "formats/onnx/trace.h"
#include "fuzz.h"

enum { MOST = 8, OPEN = 2 };
static const size_t LARGEST = (size_t)64 << 20;

/* Zeros for input i; false where it is no tensor, or a large one. */
static bool zeros(const gi_onnx_info *info, glia_tensor **out) {
  glia_dtype dtype = GLIA_F32;
  int64_t dim[GLIA_MAX_RANK] = {0};
  if (!info->is_tensor || !gi_onnx_carrier(info->type, &dtype)) return false;
  const int rank = GI_MAX(info->rank, 0);
  for (int i = 0; i < rank; i++) dim[i] = info->dim[i] < 0 ? OPEN : info->dim[i];
  return glia_tensor_new(dtype, rank, dim, out) == GLIA_OK;
}

static glia_status build(gi_onnx_trace *t, glia_tensor *const *in) {
  const gi_onnx_graph *g = &t->model->graph;
  int type[MOST], out_type[MOST];
  glia_value out[MOST];
  for (int i = 0; i < g->n_in; i++) {
    char name[16];
    snprintf(name, sizeof name, "x%d", i);
    const gi_type of = gi_tensor_type(in[i]);
    t->input[i] = glia_input(t->g, name, of.dtype, of.rank, of.dim);
    type[i] = g->in[i].type;
  }
  GI_TRY(gi_onnx_trace_model(t, type, out, out_type));
  for (int i = 0; i < g->n_out; i++)
    if (out[i].graph != t->g && glia_graph_status(t->g) == GLIA_OK) abort(); /* it said OK */
  return glia_graph_status(t->g);
}

static void trace(const gi_onnx_model *m, bool with_elements) {
  glia_store *store = NULL;
  glia_tensor *in[MOST] = {NULL};
  glia_value input[MOST];
  bool asked[MOST] = {false};
  gi_onnx_trace t = {.model = m,
                     .backend = "ref",
                     .threads = 1,
                     .elements = with_elements ? (const glia_tensor *const *)in : NULL,
                     .asked = asked,
                     .input = input};
  bool good = glia_store_new(&store) == GLIA_OK && gi_onnx_fill(m, store) == GLIA_OK &&
              glia_graph_new(&t.g) == GLIA_OK;
  for (int i = 0; good && i < m->graph.n_in; i++) good = zeros(&m->graph.in[i], &in[i]);
  if (good) {
    t.g->store = store;
    (void)build(&t, in); /* any status is a right answer */
  }
  gi_onnx_trace_free(&t);
  glia_graph_free(t.g);
  for (int i = 0; i < MOST; i++) glia_tensor_free(in[i]);
  glia_store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  gi_onnx_model *m = NULL;
  if (gi_onnx_from_memory(data, size, "fuzz", &m) != GLIA_OK) return 0;
  gi_alloc_fail_above(LARGEST);
  if (m->graph.n_in <= MOST && m->graph.n_out <= MOST) {
    trace(m, true);
    trace(m, false);
  }
  gi_alloc_fail_above(0);
  gi_onnx_close(m);
  return 0;
}
