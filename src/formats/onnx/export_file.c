/* formats/onnx/export_file.c - an ONNX model's file: what stands in front of the weights is
 * made in memory, the weights go from where they are into the file.
 *
 * A message is preceded by its length, so the graph's is added up before anything is written.
 * protobuf ends at 2 GiB; larger models are refused here, before the first byte.
 */
#include "base/protobuf.h"
#include "formats/formats.h"
#include "formats/onnx/export.h"

/* ---- types of values ------------------------------------------------------------------- */

/* TypeProto.Tensor and what is around it: see graph.c for the numbers. */
void gi_onnx_put_info(gi_str *graph, uint32_t number, const char *name, const gi_type *type,
                      const int64_t *times) {
  gi_str shape = {0}, tensor = {0}, of = {0}, info = {0};
  for (int i = 0; i < type->rank; i++) {
    gi_str dim = {0};
    char symbol[48] = "batch";
    if (times[i] > 1) snprintf(symbol, sizeof symbol, "%lld*batch", (long long)times[i]);
    if (times[i] > 0)
      gi_wire_put_text(&dim, 2, symbol);
    else
      gi_wire_put_varint(&dim, 1, (uint64_t)type->dim[i]);
    gi_wire_put_message(&shape, 1, &dim);
  }
  gi_wire_put_varint(&tensor, 1, (uint64_t)gi_onnx_type_of(type->dtype));
  gi_wire_put_message(&tensor, 2, &shape);
  gi_wire_put_message(&of, 1, &tensor);
  gi_wire_put_text(&info, 1, name);
  gi_wire_put_message(&info, 2, &of);
  gi_wire_put_message(graph, number, &info);
}

/* ---- weights --------------------------------------------------------------------------- */

/* What stands before the elements of a weight: the TensorProto as a field of the graph, up to
 * and with the length of its raw_data. */
static void put_weight_head(gi_str *b, const gi_onnx_weight *w) {
  const size_t bytes = gi_type_bytes(&w->type);
  gi_str head = {0};
  if (w->type.rank > 0) gi_wire_put_varints(&head, 1, w->type.dim, (size_t)w->type.rank);
  gi_wire_put_varint(&head, 2, (uint64_t)gi_onnx_type_of(w->type.dtype));
  gi_wire_put_text(&head, 8, w->name);
  gi_wire_put_head(&head, 9, bytes);
  b->failed |= head.failed;
  gi_wire_put_head(b, 5, head.n + bytes);
  gi_str_add(b, head.s, head.n);
  gi_str_free(&head);
}

static glia_status add_weight(gi_writer *out, const gi_onnx_weight *w) {
  gi_str head = {0};
  put_weight_head(&head, w);
  glia_status s = head.failed ? gi_fail_nomem(head.n) : gi_writer_add(out, head.s, head.n);
  gi_str_free(&head);
  if (s == GLIA_OK) s = gi_writer_add(out, w->data, gi_type_bytes(&w->type));
  return s;
}

/* Bytes of all weights as fields of the graph. */
static glia_status weight_bytes(const gi_onnx_parts *p, size_t *total) {
  *total = 0;
  for (size_t i = 0; i < p->weights.n; i++) {
    gi_str head = {0};
    put_weight_head(&head, &p->weights.at[i]);
    const size_t bytes = head.n + gi_type_bytes(&p->weights.at[i].type);
    const bool failed = head.failed || !gi_add_size(*total, bytes, total);
    gi_str_free(&head);
    if (failed) return gi_fail_nomem(bytes);
  }
  return GLIA_OK;
}

/* ---- the file -------------------------------------------------------------------------- */

static void put_pair(gi_str *model, const glia_metadata *m) {
  gi_str pair = {0};
  gi_wire_put_text(&pair, 1, m->key);
  gi_wire_put_text(&pair, 2, m->value);
  gi_wire_put_message(model, 14, &pair);
}

/* The model up to its weights, which are the last fields of its last field. */
static void put_front(const gi_onnx_parts *p, const glia_metadata *metadata, int n_metadata,
                      size_t weights, gi_str *b) {
  gi_str opset = {0}, graph = {0};
  gi_wire_put_varint(b, 1, GI_ONNX_IR);
  gi_wire_put_text(b, 2, "glia");
  gi_wire_put_text(b, 3, glia_version());
  gi_wire_put_varint(&opset, 2, GI_ONNX_OPSET);
  gi_wire_put_message(b, 8, &opset);
  for (int i = 0; i < n_metadata; i++) put_pair(b, &metadata[i]);
  gi_str_add(&graph, p->nodes.s, p->nodes.n);
  gi_wire_put_text(&graph, 2, p->name);
  gi_str_add(&graph, p->values.s, p->values.n);
  b->failed |= graph.failed;
  gi_wire_put_head(b, 7, graph.n + weights);
  gi_str_add(b, graph.s, graph.n);
  gi_str_free(&graph);
}

static glia_status write_file(const gi_onnx_parts *p, const gi_str *front, const char *path) {
  gi_writer out;
  GI_TRY(gi_writer_open(&out, path));
  glia_status s = gi_writer_add(&out, front->s, front->n);
  for (size_t i = 0; s == GLIA_OK && i < p->weights.n; i++)
    s = add_weight(&out, &p->weights.at[i]);
  if (s != GLIA_OK) {
    gi_writer_abort(&out);
    return s;
  }
  return gi_writer_commit(&out);
}

glia_status gi_onnx_write(const gi_onnx_parts *p, const glia_metadata *metadata, int n_metadata,
                          const char *path) {
  size_t weights = 0;
  gi_str front = {0};
  GI_TRY(weight_bytes(p, &weights));
  put_front(p, metadata, n_metadata, weights, &front);
  glia_status s = GLIA_OK;
  if (front.failed || p->nodes.failed || p->values.failed)
    s = gi_fail_nomem(front.n);
  else if (weights > INT32_MAX || front.n > INT32_MAX - weights)
    s = gi_fail(
        GLIA_UNSUPPORTED,
        "export: the model has %zu bytes, and an ONNX file holds less than 2 GiB; hint: "
        "write it as safetensors",
        weights + front.n);
  if (s == GLIA_OK && path != NULL) s = write_file(p, &front, path);
  gi_str_free(&front);
  return s;
}
