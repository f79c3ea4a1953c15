/* formats/onnx/exporter.h - the inside of an export: names, nodes, constants (put.c), and who
 * walks the graph (export.c).
 */
#ifndef GI_ONNX_EXPORTER_H
#define GI_ONNX_EXPORTER_H

#include "formats/onnx/export.h"
#include "formats/onnx/read.h"

enum { MOST_REFUSALS = 20 }; /* in one message */

struct gi_onnx_exporter {
  glia_graph *g[2]; /* the model at two batch sizes; but for dimensions they are the same */
  int64_t batch[2];
  gi_arena arena;
  const char **name;                  /* by value id; NULL: not written yet */
  const char **result;                /* by root */
  bool *used;                         /* by value id: somebody reads it */
  gi_onnx_scope taken;                /* all names */
  gi_onnx_scope constants;            /* a key of each, so that it is written once */
  GI_VEC(const char *) constant_name; /* of each, in their order */
  gi_onnx_parts parts;
  const char *batch_input; /* an input with the batch as its axis batch_axis; NULL: none */
  int batch_axis;
  const char *batch_size; /* it as a value, whole numbers [1]; NULL: not asked for yet */
  gi_str refused;
  int refusals, count;
  bool failed; /* out of memory */
};

/* `wanted`, or something like it that is not taken; taken from now on. Never NULL. */
const char *gi_onnx_name(gi_onnx_exporter *e, const char *wanted);
int64_t gi_onnx_times(const gi_onnx_exporter *e, uint32_t value, int axis);
/* A NodeProto; attrs: its encoded attributes, NULL: none. */
void gi_onnx_put_node(gi_onnx_exporter *e, const char *path, const char *op,
                      const char *const *in, int n_in, const char *const *out, int n_out,
                      const gi_str *attrs);
const char *gi_onnx_put_list(gi_onnx_writing *w, const char *op, const char *const *in, int n);
/* An initializer with borrowed elements; returns its name. */
const char *gi_onnx_weight_of(gi_onnx_exporter *e, const char *name, const gi_type *type,
                              const void *data);
/* An initializer with a copy of these elements, or the one that is there; its name. */
const char *gi_onnx_constant_of(gi_onnx_exporter *e, const gi_type *type, const void *data);
void gi_onnx_exporter_clear(gi_onnx_exporter *e);

#endif /* GI_ONNX_EXPORTER_H */
