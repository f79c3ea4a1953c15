/* hollow.c - a model without its parameters: what is left is the network, small enough to be
 * kept beside a store that has them, under the same names.
 *
 * The file's fields are copied as they are; only the initializers of the model's own graph that
 * are parameters are written anew, with shape and type and a location in place of their
 * elements.
 */
#include "base/protobuf.h"
#include "formats/onnx/model.h"

enum { MODEL_GRAPH = 7, MODEL_METADATA = 14, GRAPH_INITIALIZER = 5 };
enum { T_DIMS = 1, T_TYPE = 2, T_NAME = 8, T_EXTERNAL = 13, T_LOCATION = 14 };

bool gi_onnx_is_parameter(const gi_onnx_tensor *t) {
  glia_dtype dtype = GLIA_F32;
  return gi_onnx_carrier(t->type, &dtype) && glia_dtype_is_float(dtype) && t->count > 1;
}

static void put_hollow(gi_str *out, const gi_onnx_tensor *t) {
  gi_str tensor = {0}, entry = {0};
  gi_wire_put_varints(&tensor, T_DIMS, t->dim, (size_t)t->rank);
  gi_wire_put_varint(&tensor, T_TYPE, (uint64_t)t->type);
  gi_wire_put_text(&tensor, T_NAME, t->name);
  gi_wire_put_text(&entry, 1, "location");
  gi_wire_put_text(&entry, 2, GI_ONNX_ELSEWHERE);
  gi_wire_put_message(&tensor, T_EXTERNAL, &entry);
  gi_wire_put_varint(&tensor, T_LOCATION, 1);
  gi_wire_put_message(out, GRAPH_INITIALIZER, &tensor);
}

/* The initializers of a graph come in the order of their fields, before the sparse ones. */
static glia_status put_graph(gi_str *out, const gi_onnx_model *m, const gi_wire_field *graph) {
  gi_str copy = {0};
  int i = 0;
  glia_status s = GLIA_OK;
  bool more = true;
  for (gi_wire w = gi_wire_of(graph); s == GLIA_OK && more;) {
    const unsigned char *from = w.p;
    gi_wire_field f;
    s = gi_wire_next(&w, &f, &more);
    if (s != GLIA_OK || !more) break;
    const gi_onnx_tensor *t =
        f.number == GRAPH_INITIALIZER && i < m->graph.n_init ? &m->graph.init[i++] : NULL;
    if (t != NULL && gi_onnx_is_parameter(t))
      put_hollow(&copy, t);
    else
      gi_str_add(&copy, (const char *)from, (size_t)(w.p - from));
  }
  gi_wire_put_message(out, MODEL_GRAPH, &copy);
  return s;
}

glia_status gi_onnx_hollow(const gi_onnx_model *m, gi_str *out) {
  for (gi_wire w = {m->p, m->p + m->n};;) {
    const unsigned char *from = w.p;
    gi_wire_field f;
    bool more = false;
    GI_TRY(gi_wire_next(&w, &f, &more));
    if (!more) break;
    if (f.number == MODEL_GRAPH)
      GI_TRY(put_graph(out, m, &f));
    else if (f.number != MODEL_METADATA)
      gi_str_add(out, (const char *)from, (size_t)(w.p - from));
  }
  return out->failed ? gi_fail_nomem(out->n) : GLIA_OK;
}
