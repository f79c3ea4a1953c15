/* glia/onnx.h - models in ONNX files: run them, or build them into a graph.
 *
 * Opsets 7 to 28 of the domain ai.onnx. A model is traced for the shapes that it is given, so
 * that axes of any size are taken; traces are kept and found again. Where a shape follows from
 * the elements of an input (Reshape by an input, Loop, NonZero...), the trace holds for these
 * elements, and others are traced anew. What glia does not know is refused by name, with file
 * and node. Nothing in a file is executed. https://onnx.ai/onnx/
 */
#ifndef GLIA_ONNX_H
#define GLIA_ONNX_H

#include "glia/run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glia_onnx glia_onnx;

typedef struct glia_onnx_opts {
  size_t size;
  const char *backend; /* "cpu", "ref"; NULL: as glia_compile */
  int threads;         /* 0: as glia_compile */
  uint64_t seed;       /* of random operators */
  double tune;         /* seconds that may be spent on measuring kernels, each trace; 0: none */
} glia_onnx_opts;

/* Maps and checks a file; weights become parameters of a store. Owned. GLIA_IO, GLIA_FORMAT,
 * GLIA_UNSUPPORTED, GLIA_NOMEM; messages name file and node. */
GLIA_NODISCARD GLIA_API glia_status glia_onnx_open_opt(const char *path,
                                                       const glia_onnx_opts *opt,
                                                       glia_onnx **out);
#ifndef __cplusplus /* glia_onnx_open(path, &model, .threads = 2) */
#define GLIA_ONNX_OPEN_(path, out, ...) \
  glia_onnx_open_opt((path), &(glia_onnx_opts){__VA_ARGS__}, (out))
#define glia_onnx_open(path, ...) \
  GLIA_ONNX_OPEN_(path, __VA_ARGS__, .size = sizeof(glia_onnx_opts))
#endif
GLIA_API void glia_onnx_close(glia_onnx *m);

/* An input or output, as the file declares it. */
typedef struct glia_onnx_port {
  const char *name;
  const char *type;                  /* ONNX's word: "float", "uint16", "int64" */
  glia_dtype dtype;                  /* what it has here: i32 for int16 and uint16, i64 for
                                        uint32, and for uint64 as the same bits */
  int rank;                          /* -1: not said */
  int64_t shape[GLIA_MAX_RANK];      /* -1: any */
  const char *symbol[GLIA_MAX_RANK]; /* the name of such a size, "batch"; NULL: none */
} glia_onnx_port;
/* Inputs (weights are none) and outputs, in the file's order; NULL out of range. Borrowed. */
GLIA_API int glia_onnx_inputs(const glia_onnx *m);
GLIA_API int glia_onnx_outputs(const glia_onnx *m);
GLIA_API const glia_onnx_port *glia_onnx_input(const glia_onnx *m, int i);
GLIA_API const glia_onnx_port *glia_onnx_output(const glia_onnx *m, int i);
/* The type of output i in the last run (a file need not declare it). */
GLIA_API const char *glia_onnx_output_type(const glia_onnx *m, int i);

/* Runs the model on n inputs, in order: of their port's dtype, any strides. out[i] receives
 * output i, for all outputs: borrowed until the next run. GLIA_SHAPE, GLIA_DTYPE name the
 * input; GLIA_UNSUPPORTED, GLIA_MODEL the node. */
GLIA_NODISCARD GLIA_API glia_status glia_onnx_run(glia_onnx *m, const glia_tensor *const *in,
                                                  int n, const glia_tensor **out);

/* What one run costs: by the graph as traced for these inputs. */
typedef struct glia_onnx_cost {
  double flops; /* floating-point operations, two a multiply-add */
  double bytes; /* working memory: activations and scratch at their peak */
} glia_onnx_cost;
/* The cost of a run on inputs of zeros, axes that are open being 1. */
GLIA_NODISCARD GLIA_API glia_status glia_onnx_measure(glia_onnx *m, glia_onnx_cost *out);
/* The plan of the last run: its table, its times (glia/run.h). Borrowed until the next run;
 * NULL before the first. */
GLIA_API glia_plan *glia_onnx_plan(glia_onnx *m);

/* The weights, under their names in the file: parameters, and statistics as buffers. Borrowed
 * until close; elements may be changed, after which glia_onnx_forget has traces made anew. */
GLIA_API glia_store *glia_onnx_store(glia_onnx *m);
GLIA_API void glia_onnx_forget(glia_onnx *m);

#ifdef __cplusplus
}
#endif
#endif /* GLIA_ONNX_H */
