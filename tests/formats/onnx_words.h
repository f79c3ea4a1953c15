/* tests/formats/onnx_words.h - writing ONNX models field by field, and what becomes of them.
 * Field numbers are onnx.proto's. */
#ifndef GI_ONNX_WORDS_H
#define GI_ONNX_WORDS_H

#include "base/protobuf.h"
#include "formats/onnx/model.h"
#include "test.h"

/* ---- writing models: field numbers are onnx.proto's -------------------------------------- */

static inline gi_str info(const char *name, int type) {
  gi_str tensor = {0}, value = {0}, of = {0};
  gi_wire_put_varint(&tensor, 1, (uint64_t)type);
  gi_wire_put_message(&of, 1, &tensor);
  gi_wire_put_text(&value, 1, name);
  gi_wire_put_message(&value, 2, &of);
  return value;
}

static inline void put_info(gi_str *graph, uint32_t number, const char *name) {
  gi_str i = info(name, GI_ONNX_FLOAT);
  gi_wire_put_message(graph, number, &i);
}
enum { IN = 11, OUT = 12 };

/* in and out: names by blanks. */
static inline gi_str node(const char *op, const char *in, const char *out) {
  gi_str n = {0};
  char text[256];
  for (int side = 0; side < 2; side++) {
    snprintf(text, sizeof text, "%s", side == 0 ? in : out);
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
      gi_wire_put_text(&n, side == 0 ? 1 : 2, strcmp(word, "-") == 0 ? "" : word);
  }
  gi_wire_put_text(&n, 3, "the node");
  gi_wire_put_text(&n, 4, op);
  return n;
}

static inline void put_node(gi_str *graph, const char *op, const char *in, const char *out) {
  gi_str n = node(op, in, out);
  gi_wire_put_message(graph, 1, &n);
}

static inline gi_str tensor(const char *name, int type, const int64_t *dim, size_t rank) {
  gi_str t = {0};
  if (rank > 0) gi_wire_put_varints(&t, 1, dim, rank);
  gi_wire_put_varint(&t, 2, (uint64_t)type);
  gi_wire_put_text(&t, 8, name);
  return t;
}
enum { FLOATS = 4, INT32S = 5, STRINGS = 6, INT64S = 7, RAW = 9, DOUBLES = 10, UINT64S = 11 };
#define DIMS(...) ((const int64_t[]){__VA_ARGS__}), GI_COUNT(((const int64_t[]){__VA_ARGS__}))

static inline void put_opset(gi_str *model, uint32_t number, const char *domain,
                             int64_t version) {
  gi_str o = {0};
  if (domain[0] != '\0') gi_wire_put_text(&o, 1, domain);
  gi_wire_put_varint(&o, 2, (uint64_t)version);
  gi_wire_put_message(model, number, &o);
}

/* A model around a graph, which is taken. */
static inline gi_str model_of(gi_str *graph) {
  gi_str m = {0};
  gi_wire_put_varint(&m, 1, 8);
  gi_wire_put_text(&m, 2, "a test");
  gi_wire_put_text(graph, 2, "the graph");
  gi_wire_put_message(&m, 7, graph);
  put_opset(&m, 8, "", 17);
  return m;
}

static inline glia_status open_bytes(gi_str *m, gi_onnx_model **out) {
  assert_false(m->failed);
  *out = NULL;
  return gi_onnx_from_memory(m->s, m->n, "test.onnx", out);
}

static inline void refused(gi_str *m, const char *text) {
  gi_onnx_model *model = NULL;
  const glia_status s = open_bytes(m, &model);
  if (s != GLIA_FORMAT && s != GLIA_UNSUPPORTED)
    fail_msg("wanted a refusal with \"%s\", got %s", text, glia_status_text(s));
  if (strstr(glia_error_message(), text) == NULL)
    fail_msg("\"%s\" does not hold \"%s\"", glia_error_message(), text);
  if (strstr(glia_error_message(), "test.onnx") == NULL)
    fail_msg("\"%s\" does not name the file", glia_error_message());
  gi_str_free(m);
}

static inline void graph_refused(gi_str *graph, const char *text) {
  gi_str m = model_of(graph);
  refused(&m, text);
}

/* A graph with the tensor as its initializer "w". */
static inline gi_str graph_with(gi_str *t) {
  gi_str g = {0};
  gi_wire_put_message(&g, 5, t);
  return g;
}

static inline void tensor_refused(gi_str *t, const char *text) {
  gi_str g = graph_with(t);
  graph_refused(&g, text);
}

/* The model of a graph; `bytes` are what it was read from, and have to live as long. */
static inline gi_onnx_model *opened(gi_str *graph, gi_str *bytes) {
  gi_onnx_model *m = NULL;
  *bytes = model_of(graph);
  OK(open_bytes(bytes, &m));
  return m;
}

static inline void closed(gi_onnx_model *m, gi_str *bytes) {
  gi_onnx_close(m);
  gi_str_free(bytes);
}

/* The elements of the one initializer, as doubles. */
static inline void elements_are(gi_str *t, const double *want, int64_t n) {
  gi_str g = graph_with(t), bytes;
  gi_onnx_model *m = opened(&g, &bytes);
  glia_tensor *x = NULL;
  assert_int_equal(m->graph.n_init, 1);
  OK(gi_onnx_tensor_load(&m->graph.init[0], "w", &x));
  assert_int_equal(glia_tensor_count(x), n);
  for (int64_t i = 0; i < n; i++) assert_true(glia_tensor_get(x, i) == want[i]);
  glia_tensor_free(x);
  closed(m, &bytes);
}

#endif /* GI_ONNX_WORDS_H */
