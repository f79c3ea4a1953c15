/* formats/onnx/export.h - glia's graphs as ONNX models: opset 17, IR 8.
 *
 * What ONNX has an operator for has a row; a file src/formats/onnx/exports/<family>.c holds a
 * family of them and ends with const gi_onnx_export *const gi_onnx_exports_<family>[]. An op
 * without a row is written as what it is lowered to; where it is not lowered either, the export
 * is refused, and all such ops are named at once.
 *
 * Graphs have fixed shapes, exported models a batch of any size. So a model is traced at two
 * batch sizes, which makes the same graph twice but for some dimensions: one that differs is a
 * multiple of the batch. Where a shape has to be written out, it is computed from that of the
 * input (gi_onnx_shape).
 */
#ifndef GI_ONNX_EXPORT_H
#define GI_ONNX_EXPORT_H

#include "formats/onnx/model.h"
#include "glia/formats.h"
#include "graph/graph.h"
#include "ops/attrs.h"

enum { GI_ONNX_OPSET = 17, GI_ONNX_IR = 8 }; /* that nearly everything reads */
enum { GI_ONNX_READS = GI_SAMPLE_IN };

typedef struct gi_onnx_exporter gi_onnx_exporter;

/* One node of a graph that is being written. A type of an input that is not there is zeroed,
 * its name "". */
typedef struct gi_onnx_writing {
  gi_onnx_exporter *e;
  const gi_node *node;
  const void *attr; /* of the node */
  int n_in;
  const uint32_t *in_id;             /* of its inputs */
  const char **in;                   /* their names */
  const gi_type *in_type, *out_type; /* at the first batch size */
  gi_str attrs;                      /* of the ONNX node that is put next */
} gi_onnx_writing;

typedef struct gi_onnx_export {
  const gi_op *op;
  const char *name; /* ONNX has just that op, under this name; write is then NULL */
  /* Attributes may be others for another batch: those that are the result's shape again, or
   * are not looked at. Of other ops they have to be the same. */
  bool shaped;
  /* Where it reads other values than its inputs, since the ONNX operator does what nodes before
   * it do: their ids, GI_NO_VALUE for none; how many, at most GI_ONNX_READS. They are then the
   * inputs of the writing, and nodes that nobody reads are left out. NULL: its inputs. */
  int (*reads)(const glia_graph *g, const gi_node *n, uint32_t *ids);
  /* Puts ONNX nodes and gives every output that is used a name. GLIA_UNSUPPORTED, with what is
   * missing as its message, is collected; the rest of the graph is looked at all the same. */
  glia_status (*write)(gi_onnx_writing *w);
} gi_onnx_export;

extern const gi_onnx_export *const *const gi_onnx_exports_table[];

/* ---- what rows put ------------------------------------------------------------------------
 */

/* Attributes of the node that is put next. */
void gi_onnx_put_int(gi_onnx_writing *w, const char *name, int64_t v);
void gi_onnx_put_ints(gi_onnx_writing *w, const char *name, const int64_t *v, int n);
void gi_onnx_put_float(gi_onnx_writing *w, const char *name, double v);
void gi_onnx_put_text(gi_onnx_writing *w, const char *name, const char *v);
void gi_onnx_put_texts(gi_onnx_writing *w, const char *name, const char *const *v, int n);
/* A node of n inputs, by name ("": not given); the name of its output. */
const char *gi_onnx_put(gi_onnx_writing *w, const char *op, int n, ...);
/* The same with any number of outputs; those that are NULL on entry are not wanted, the others
 * are set to names. */
void gi_onnx_put_many(gi_onnx_writing *w, const char *op, const char *const *in, int n_in,
                      const char **out, int n_out);
/* Output k of the node is what has this name. */
void gi_onnx_give(gi_onnx_writing *w, int k, const char *name);
bool gi_onnx_used(const gi_onnx_writing *w, int k); /* does anybody read output k? */

/* Constants, as names: a scalar, whole numbers [n], elements of a type (copied). */
const char *gi_onnx_number(gi_onnx_writing *w, glia_dtype dtype, double v);
const char *gi_onnx_put_whole(gi_onnx_writing *w, const int64_t *v, int n);
const char *gi_onnx_elements(gi_onnx_writing *w, const gi_type *type, const void *data);

/* Does a dimension of output k (of input i) depend on the batch? */
bool gi_onnx_varies(const gi_onnx_writing *w, int k, int axis);
bool gi_onnx_input_varies(const gi_onnx_writing *w, int i, int axis);
/* The shape of output k as whole numbers [rank]; computed where it depends on the batch. */
const char *gi_onnx_shape(gi_onnx_writing *w, int k);
/* x under the shape of output k: a Reshape that holds for any batch. */
const char *gi_onnx_reshaped(gi_onnx_writing *w, const char *x, int k);
/* x under a shape of which -1 stands for what is left. */
const char *gi_onnx_reshape_to(gi_onnx_writing *w, const char *x, const int64_t *shape, int n);
const char *gi_onnx_transposed(gi_onnx_writing *w, const char *x, const int64_t *axes, int n);

/* ---- exporting ----------------------------------------------------------------------------
 */

/* A new graph of the model for a batch of this size. Owned by the caller. */
typedef glia_status (*gi_onnx_tracer)(int64_t batch, void *user, glia_graph **out);

/* Writes the model that `trace` makes; its weights under their names, its metadata as pairs.
 * path NULL: all is done but the writing. GLIA_UNSUPPORTED names every op that cannot be
 * exported, with its layer; GLIA_MODEL where the model is another one for another batch. */
glia_status gi_onnx_export_model(gi_onnx_tracer trace, void *user, const char *name,
                                 const glia_metadata *metadata, int n_metadata,
                                 const char *path);

/* ---- the file (export_file.c) -------------------------------------------------------------
 */

typedef struct gi_onnx_weight { /* an initializer: its elements are borrowed */
  const char *name;
  gi_type type;
  const void *data;
} gi_onnx_weight;

typedef struct gi_onnx_parts { /* of a model that is to be written */
  const char *name;
  gi_str nodes, values; /* NodeProtos; inputs and outputs: fields of the graph */
  GI_VEC(gi_onnx_weight) weights;
} gi_onnx_parts;
/* A value's type as field `number` of a graph; dims below 0: "batch", times -dim if that is
 * more than one. */
void gi_onnx_put_info(gi_str *graph, uint32_t number, const char *name, const gi_type *type,
                      const int64_t *times);
glia_status gi_onnx_write(const gi_onnx_parts *p, const glia_metadata *metadata, int n_metadata,
                          const char *path);

#endif /* GI_ONNX_EXPORT_H */
